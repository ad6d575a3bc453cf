// What an API server sends: a watch in pieces says what it says in one, and a list, an object and a status are read or refused,
// whatever they are.
#include <string>

#include "kube/document_status.hpp"
#include "kube/facts.hpp"
#include "kube/object_reader.hpp"
#include "kube/resource_version.hpp"
#include "kube/status.hpp"
#include "kube/watch_lines.hpp"
#include "policy/object/to_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using namespace portcullis::kube;
using fuzz::must;

namespace {

// Everything a watch told, in one text.
std::string heard(std::string_view bytes, std::size_t piece) {
  WatchLines lines;
  std::string out;
  const auto take = [&](const WatchEvent& event) {
    out += std::string(event.type_name) + policy::to_json(event.object) + "\n";
    return event.type != EventType::error;
  };
  while (!bytes.empty()) {
    const auto went_on = lines.feed(bytes.substr(0, piece), take);
    if (!went_on) return out + "broken";
    if (!*went_on) return out + "ended";
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return out + std::to_string(lines.pending());
}

void keep_facts(policy::Value object) {
  policy::PodTemplate memory;
  const WorkloadLayout layout{"apps", "Deployment", {"spec", "template"}, {"spec", "replicas"}};
  const auto workload = workload_fact(object, layout, memory);
  must(!workload || !workload->name.empty(), "a fact has a name");
  (void)namespace_fact(object);
  (void)autoscaler_fact(object);
  (void)accepted_condition(object);
  const auto patch = status_patch(object["status"]["conditions"], 1, {Acceptance::refused, "x"}, Instant{});
  must(!patch || patch->starts_with("{\"status\":"), "a patch of a status is of nothing else");
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t piece = fuzz::take(input) + std::size_t{1};
  const std::string whole = heard(input, input.size());
  must(whole == heard(input, piece), "pieces say what the whole says", whole);

  const fuzz::Padded body(input);
  ObjectReader reader;
  if (reader.list(body.view(), keep_facts)) must(reader.list(body.view(), [](policy::Value) {}).has_value(), "a list is read alike twice");
  if (const auto object = reader.object(body.view())) keep_facts(*object);
  (void)read_status(input);
  const std::string_view first = input.substr(0, input.size() / 2), second = input.substr(input.size() / 2);
  const VersionOrder order = compare_versions(first, second), back = compare_versions(second, first);
  must((order == VersionOrder::older) == (back == VersionOrder::newer), "older one way is newer the other");
  if (const auto time = read_time(input)) must(read_time(write_time(*time)) == time, "a time is read back");
}
