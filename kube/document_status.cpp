#include "kube/document_status.hpp"

#include <nlohmann/json.hpp>

#include "kube/facts.hpp"
#include "policy/object/to_json.hpp"

namespace portcullis::kube {
namespace {

using nlohmann::json;
using policy::Value;
using policy::ValueKind;

constexpr std::string_view condition_type = "Accepted";

// "1:34 spec.tier" -> "spec.tier": lines and columns are of the text we made, which nobody has seen.
std::string_view without_position(std::string_view place) {
  const std::size_t end = place.find(' ');
  const std::string_view first = place.substr(0, end);
  if (first.empty() || first.find_first_not_of("0123456789:") != std::string_view::npos) return place;
  return end == std::string_view::npos ? std::string_view{} : place.substr(end + 1);
}

// What `error` says of the document `name`; none when it is not about it.
std::optional<std::string> said_of(const std::string& name, const Error& error) {
  std::string_view where = error.where;
  if (!where.starts_with(name)) return std::nullopt;
  where.remove_prefix(name.size());
  if (!where.empty() && where.front() != ':' && where.front() != ' ') return std::nullopt;
  if (!where.empty()) where.remove_prefix(1);
  const std::string_view field = without_position(where);
  return field.empty() ? error.what : std::string(field) + ": " + error.what;
}

const char* status_of(Acceptance acceptance) { return acceptance == Acceptance::accepted ? "True" : "False"; }
const char* reason_of(Acceptance acceptance) {
  switch (acceptance) {
    case Acceptance::accepted:
      return "InForce";
    case Acceptance::refused:
      return "Invalid";
    case Acceptance::set_refused:
      return "SetRefused";
  }
  return "";
}

void append(std::string& message, std::string_view more) {
  if (!message.empty()) message += "; ";
  message += more;
}

std::string cut(std::string message) {
  if (message.size() <= condition_message_bytes_max) return message;
  message.resize(condition_message_bytes_max - 3);
  while (!message.empty() && (static_cast<unsigned char>(message.back()) & 0xC0U) == 0x80U) message.pop_back();
  if (!message.empty() && static_cast<unsigned char>(message.back()) >= 0x80U) message.pop_back();
  return message + "...";
}

}  // namespace

std::map<std::string, Outcome> outcomes_of(const std::vector<std::string>& names, const std::vector<Error>& errors) {
  std::map<std::string, Outcome> outcomes;
  std::string first_refused, of_all;
  for (const std::string& name : names) outcomes[name] = {errors.empty() ? Acceptance::accepted : Acceptance::set_refused, ""};
  for (const Error& error : errors) {
    bool placed = false;
    for (auto& [name, outcome] : outcomes) {
      const auto said = said_of(name, error);
      if (!said) continue;
      placed = true;
      outcome.acceptance = Acceptance::refused;
      append(outcome.message, *said);
      if (first_refused.empty()) first_refused = name;
    }
    if (!placed) append(of_all, error.message());
  }
  for (auto& [name, outcome] : outcomes) {
    if (!of_all.empty()) {
      outcome.acceptance = Acceptance::refused;
      append(outcome.message, of_all);
    }
    if (outcome.acceptance == Acceptance::accepted) outcome.message = "in force";
    if (outcome.acceptance == Acceptance::set_refused)
      outcome.message = "not in force yet: " + first_refused + " was refused, and documents count together or not at all";
    outcome.message = cut(std::move(outcome.message));
  }
  return outcomes;
}

std::optional<Condition> accepted_condition(Value object) {
  const Value conditions = object["status"]["conditions"];
  if (!conditions.is(ValueKind::array)) return std::nullopt;
  for (const Value each : conditions)
    if (each["type"].text() == condition_type)
      return Condition{std::string(each["status"].text()), std::string(each["reason"].text()), std::string(each["message"].text()),
                       each["observedGeneration"].integer().value_or(0)};
  return std::nullopt;
}

std::optional<std::string> status_patch(Value conditions, std::int64_t generation, const Outcome& outcome, Instant now) {
  json list = json::array();
  json condition = {{"type", condition_type},     {"status", status_of(outcome.acceptance)}, {"reason", reason_of(outcome.acceptance)},
                    {"message", outcome.message}, {"observedGeneration", generation},        {"lastTransitionTime", write_time(now)}};
  if (conditions.is(ValueKind::array)) {
    for (const Value each : conditions) {
      json there = json::parse(policy::to_json(each), nullptr, false);
      if (!there.is_object()) continue;
      if (there.value("type", json()) != condition_type) {
        list.push_back(std::move(there));
        continue;
      }
      const bool same_status = there.value("status", json()) == condition["status"];
      const bool same_generation = there.value("observedGeneration", json()) == condition["observedGeneration"];
      if (same_generation && there.value("status", json()) == "True" && outcome.acceptance == Acceptance::set_refused) return std::nullopt;
      if (same_status && there.contains("lastTransitionTime")) condition["lastTransitionTime"] = there["lastTransitionTime"];
      if (there == condition) return std::nullopt;
    }
  }
  list.push_back(std::move(condition));
  return json{{"status", {{"conditions", std::move(list)}}}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace portcullis::kube
