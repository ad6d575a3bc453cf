// doctor: the replicas, by their EndpointSlices and by what they say of themselves.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "cli/doctor.hpp"

namespace portcullis::cli {

using Json = nlohmann::json;
using Verdict = Check::Verdict;

Result<std::vector<Endpoint>> ready_endpoints(const Examination& examination) {
  const auto slices =
      list_objects(examination.call, "/apis/discovery.k8s.io/v1/namespaces/" + examination.name_space +
                                         "/endpointslices?labelSelector=kubernetes.io/service-name%3D" + examination.service);
  if (!slices) return tl::unexpected(slices.error());
  std::vector<Endpoint> endpoints;
  for (const Json& slice : *slices) {
    int port = 0;
    for (const Json& each : member(slice, {"ports"}))
      if (member(each, {"port"}).is_number_integer()) port = each["port"].get<int>();
    for (const Json& each : member(slice, {"endpoints"})) {
      const Json& ready = member(each, {"conditions", "ready"});
      if (ready.is_boolean() && !ready.get<bool>()) continue;
      for (const Json& address : member(each, {"addresses"})) {
        if (!address.is_string()) continue;
        const auto host = address.get<std::string>();
        const bool v6 = host.find(':') != std::string::npos;
        endpoints.push_back({(v6 ? "[" + host + "]" : host) + ":" + std::to_string(port), text_member(each, {"targetRef", "name"}),
                             text_member(each, {"nodeName"})});
      }
    }
  }
  return endpoints;
}

namespace {

// What a replica's metrics listener says of itself, asked through the API server.
Result<std::string> ask(const Examination& examination, const std::string& pod, const std::string& what) {
  const std::string path = "/api/v1/namespaces/" + examination.name_space + "/pods/";
  const auto object = get_object(examination.call, path + pod);
  if (!object) return tl::unexpected(object.error());
  int port = 0;
  for (const Json& container : member(*object, {"spec", "containers"}))
    for (const Json& each : member(container, {"ports"}))
      if (text_member(each, {"name"}) == "metrics" && member(each, {"containerPort"}).is_number_integer())
        port = each["containerPort"].get<int>();
  if (port == 0) return fail(ErrorKind::not_found, "pod " + pod, "has no port named metrics");
  kube::ApiRequest request;
  request.target = path + pod + ":" + std::to_string(port) + "/proxy/" + what;
  request.accept = "*/*";
  auto answer = examination.call(std::move(request));
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 403) return fail(ErrorKind::invalid, "pod " + pod, "forbidden: get pods/proxy");
  return std::move(answer->body);
}

std::string line_after(const std::string& text, std::string_view word) {
  const auto at = text.find(word);
  if (at == std::string::npos) return {};
  const auto begin = at + word.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::optional<double> metric(const std::string& text, const std::string& name) {
  const std::string value = line_after("\n" + text, "\n" + name + " ");
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end == value.data()) return std::nullopt;
  return number;
}

// Replicas on one node, where there are others that pods could be put on, go down together.
Checks check_spread(const Examination& examination, const std::vector<Endpoint>& endpoints) {
  std::set<std::string> nodes;
  for (const Endpoint& each : endpoints)
    if (!each.node.empty()) nodes.insert(each.node);
  if (endpoints.size() < 2 || nodes.empty()) return {};
  if (nodes.size() > 1) return {{"replicas", "replicas-spread", Verdict::fine, "on " + std::to_string(nodes.size()) + " nodes", ""}};
  const auto all = list_objects(examination.call, "/api/v1/nodes");
  if (!all) return {not_seen("replicas", "replicas-spread", all.error())};
  const auto usable = std::count_if(all->begin(), all->end(), [](const Json& node) {
    return member(node, {"spec", "unschedulable"}) != Json(true);
  });
  const std::string where = "all on node " + printable(*nodes.begin());
  if (usable < 2) return {{"replicas", "replicas-spread", Verdict::fine, where + ", there is no other", ""}};
  return {{"replicas", "replicas-spread", Verdict::warn, where + ", while " + std::to_string(usable) + " take pods",
           "they go down together: delete one pod and look where it comes; the Deployment's podAntiAffinity asks for another node"}};
}

}  // namespace

Checks check_replicas(const Examination& examination) {
  const auto endpoints = ready_endpoints(examination);
  if (!endpoints) return {not_seen("replicas", "replicas-ready", endpoints.error())};
  Checks checks;
  const std::size_t count = endpoints->size();
  const std::string words = std::to_string(count) + (count == 1 ? " replica of " : " replicas of ") + examination.service + " ready";
  checks.push_back({"replicas", "replicas-ready",
                    count == 0   ? Verdict::failed
                    : count == 1 ? Verdict::warn
                                 : Verdict::fine,
                    words,
                    count == 0 ? "look at `kubectl -n " + examination.name_space + " describe pods`: their /readyz says what they wait for"
                    : count == 1 ? "with one replica a restart closes the gate: run two or more"
                                 : ""});
  for (Check& each : check_spread(examination, *endpoints)) checks.push_back(std::move(each));
  std::map<std::string, int> hashes;
  std::optional<Error> unseen;
  for (const Endpoint& endpoint : *endpoints) {
    if (endpoint.pod.empty()) continue;
    const auto said = ask(examination, endpoint.pod, "readyz");
    if (!said) {
      unseen = said.error();
      continue;
    }
    if (const std::string hash = line_after(*said, "documents "); !hash.empty()) ++hashes[hash];
    if (const std::string refused = line_after(*said, "the last set was refused: "); !refused.empty())
      checks.push_back({"replicas", "documents-refused", Verdict::failed,
                        "pod " + endpoint.pod + " goes on with its old documents: " + printable(refused),
                        "mend the documents; `portcullis config validate` shows every mistake"});
  }
  if (unseen && hashes.empty()) {
    checks.push_back(not_seen("replicas", "same-documents", *unseen));
  } else if (hashes.size() == 1) {
    checks.push_back({"replicas", "same-documents", Verdict::fine, "all judge by " + printable(hashes.begin()->first), ""});
  } else if (hashes.size() > 1) {
    std::string found;
    for (const auto& [hash, replicas] : hashes) found += (found.empty() ? "" : ", ") + std::to_string(replicas) + " by " + printable(hash);
    checks.push_back(
        {"replicas", "same-documents", Verdict::warn, "replicas judge differently: " + found,
         "a change takes a minute to reach every mounted ConfigMap; if it stays, look at the replicas' log for documents_refused"});
  }
  return checks;
}

Checks check_audit(const Examination& examination) {
  const auto endpoints = ready_endpoints(examination);
  if (!endpoints) return {not_seen("audit", "decision-log", endpoints.error())};
  Checks checks;
  std::optional<Error> unseen;
  std::size_t whole = 0;
  for (const Endpoint& endpoint : *endpoints) {
    if (endpoint.pod.empty()) continue;
    const auto said = ask(examination, endpoint.pod, "metrics");
    const auto dropped = said ? metric(*said, "portcullis_audit_dropped_total") : std::nullopt;
    const auto failed = said ? metric(*said, "portcullis_audit_write_errors_total") : std::nullopt;
    if (!dropped || !failed) {
      unseen = said ? Error{ErrorKind::not_found, "pod " + endpoint.pod, "its metrics say nothing of a decision log"} : said.error();
    } else if (*dropped > 0 || *failed > 0) {
      checks.push_back({"audit", "decision-log", Verdict::warn,
                        "pod " + endpoint.pod + " since its start: " + std::to_string(static_cast<std::int64_t>(*dropped)) +
                            " records lost, " + std::to_string(static_cast<std::int64_t>(*failed)) + " writes failed",
                        "is the disk full, or what reads standard output slow? `gap` records say how many were lost and why"});
    } else {
      ++whole;
    }
  }
  if (unseen) checks.push_back(not_seen("audit", "decision-log", *unseen));
  if (whole > 0 && checks.empty())
    checks.push_back(
        {"audit", "decision-log", Verdict::fine, "nothing lost, every write succeeded: " + std::to_string(whole) + " replicas", ""});
  return checks;
}

}  // namespace portcullis::cli
