#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::policy {
namespace {

constexpr std::string_view want_label = "a DNS label: lower-case letters, digits and `-`, at most 63";

// "spec.template" -> {"spec", "template"}; empty when a part is no field name.
std::vector<std::string> path_parts(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t dot = std::min(text.find('.', from), text.size());
    const std::string_view part = text.substr(from, dot - from);
    const bool name = !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (!name) return {};
    parts.emplace_back(part);
    from = dot + 1;
  }
  return parts;
}

std::vector<std::string> read_path(const Cursor& at) {
  constexpr std::string_view want = "a path of fields such as spec.template";
  const auto text = at.text(want);
  if (!text) return {};
  auto parts = path_parts(*text);
  if (parts.empty()) at.refuse(want);
  return parts;
}

WorkloadKind read_workload_kind(const Cursor& at) {
  WorkloadKind out;
  if (!at.mapping(fields::workload_kind)) return out;
  constexpr std::string_view want_version = "a group and version such as argoproj.io/v1alpha1";
  if (const auto version = at["apiVersion"].text(want_version)) {
    const std::size_t slash = version->find('/');
    const bool whole = slash != std::string::npos && is_dns_subdomain(std::string_view(*version).substr(0, slash)) &&
                       is_dns_label(std::string_view(*version).substr(slash + 1));
    if (whole) {
      out.group = version->substr(0, slash);
      out.version = version->substr(slash + 1);
    } else {
      at["apiVersion"].refuse(want_version);
    }
  }
  constexpr std::string_view want_kind = "a kind such as Rollout";
  if (const auto kind = at["kind"].text(want_kind)) {
    if (path_parts(*kind).size() == 1)
      out.kind = *kind;
    else
      at["kind"].refuse(want_kind);
  }
  out.pod_template = read_path(at["podTemplate"]);
  if (at["replicas"].present()) out.replicas = read_path(at["replicas"]);
  return out;
}

void refuse_twice(const Cursor& list, std::string_view what) {
  std::vector<std::string_view> seen;
  for (const Cursor& item : list.list("a list", Cursor::Empty::taken)) {
    const std::string_view text = item.node()->text;
    if (std::find(seen.begin(), seen.end(), text) != seen.end())
      item.say("found the " + std::string(what) + " " + quoted(text) + " a second time, want each once");
    seen.push_back(text);
  }
}

}  // namespace

void decode_platform(const Cursor& spec, Platform& out) {
  if (!spec.mapping(fields::platform)) return;
  if (const Cursor at = spec["systemNamespaces"]; at.present())
    out.system_namespaces = read_texts(at, "a list of namespaces", want_label, is_dns_label, Cursor::Empty::taken);
  const Cursor environments = spec["environments"];
  out.environments = read_texts(environments, "a list of environments in the order of promotion", want_label, is_dns_label);
  if (!out.environments.empty()) refuse_twice(environments, "environment");
  if (const Cursor at = spec["unknownNamespace"]; at.present())
    out.unknown_namespace =
        at.word_of<FailureMode>({{"deny", FailureMode::deny}, {"warn", FailureMode::warn}, {"allow", FailureMode::allow}})
            .value_or(FailureMode::deny);
  if (const Cursor at = spec["exceptions"]; at.present() && at.mapping(fields::platform_exceptions)) {
    constexpr std::string_view want = "a duration such as P90D or 72h";
    const Cursor duration = at["maxDuration"];
    if (const auto text = duration.text(want)) {
      if (const auto parsed = parse_duration(*text))
        out.exception_duration_max = *parsed;
      else
        duration.refuse(want);
    }
  }
  if (const Cursor at = spec["controllers"]; at.present())
    out.controllers = read_texts(
        at, "a list of user names", "a user name such as system:serviceaccount:cert-manager:cert-manager",
        [](std::string_view name) { return name.find('*') == std::string_view::npos; }, Cursor::Empty::taken);
  if (const Cursor at = spec["workloadKinds"]; at.present())
    for (const Cursor& item : at.list("a list of kinds that hold a pod template", Cursor::Empty::taken))
      out.workload_kinds.push_back(read_workload_kind(item));
}

}  // namespace portcullis::policy
