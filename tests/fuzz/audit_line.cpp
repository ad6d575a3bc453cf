// The decision log's lines, from fields one a line: JSON for any bytes, within their bound, one line each.
#include <array>

#include "audit/line.hpp"
#include "observe/escape.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/json_oracle.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

void check(const std::array<char, audit::frame_text_bytes_max>& text, audit::LineSizes sizes) {
  must(sizes.before + sizes.after <= audit::frame_text_bytes_max, "a line has its bound");
  const std::string line =
      "{\"seq\":1," + std::string(text.data(), sizes.before) + ",\"in\":\"hmac:0\"" + std::string(text.data() + sizes.before, sizes.after);
  must(fuzz::opinion_on(line) == fuzz::Opinion::json, "a line is JSON", line);
  must(line.find('\n') == std::string::npos, "a line is one line");
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  static std::array<char, audit::frame_text_bytes_max> out;
  const std::size_t room = 3 + fuzz::take(input);
  std::string escaped(room, '\0');
  for (const observe::Marks marks : {observe::Marks::keep, observe::Marks::escape}) {
    const std::size_t bytes = observe::escape_json(escaped.data(), room, input, marks);
    must(bytes <= room, "an escaped text has its bound");
    must(fuzz::opinion_on("\"" + escaped.substr(0, bytes) + "\"") == fuzz::Opinion::json, "an escaped text is the inside of a string");
  }
  auto pieces = fuzz::split(input, '\n');
  const std::vector<std::string_view> rules = pieces;
  std::string large;
  for (int i = 0; i < 64 && large.size() < 64 * 1024; ++i) large.append(input);
  pieces.resize(std::max<std::size_t>(pieces.size(), 17), large);
  audit::LineFormat format(std::string(32, 'b'));
  const audit::Moment moment{1'795'453'200'000'000, 7};
  audit::AdmissionRecord admission;
  std::size_t at = 0;
  for (auto* field : {&admission.uid, &admission.operation, &admission.resource, &admission.kind, &admission.name_space, &admission.name,
                      &admission.tenant, &admission.user, &admission.verdict, &admission.exception, &admission.reason,
                      &admission.policy_hash, &admission.change_ticket, &admission.approved_by, &admission.door})
    *field = pieces[at++];
  admission.rules = rules;
  admission.microseconds = static_cast<std::int64_t>(room) << 55;
  check(out, format.write(admission, moment, out.data()));
  audit::GuardRecord guard;
  at = 0;
  for (auto* field : {&guard.tenant, &guard.route_class, &guard.verdict, &guard.reason, &guard.method, &guard.path, &guard.policy_hash})
    *field = pieces[at++];
  check(out, format.write(guard, moment, out.data()));
  const std::string config = audit::config_line(moment, "b", pieces[0], pieces[1], pieces[2]);
  must(fuzz::opinion_on(audit::line_start(pieces[3]) + "1," + config) == fuzz::Opinion::json, "a change of documents is JSON");
}
