#include "kube/facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <system_error>

#include "kube/object_reader.hpp"

namespace portcullis::kube {
namespace {

using policy::Value;
using policy::ValueKind;

policy::Labels labels_of(Value object) {
  policy::Labels labels;
  const Value map = object["metadata"]["labels"];
  labels.reserve(map.size());
  if (map.is(ValueKind::object))
    for (const Value label : map) labels.emplace_back(label.key(), label.text());
  std::sort(labels.begin(), labels.end());
  return labels;
}

std::optional<policy::OwnerFact> controller_of(Value object) {
  const Value references = object["metadata"]["ownerReferences"];
  if (!references.is(ValueKind::array)) return std::nullopt;
  for (const Value each : references) {
    if (!each["controller"].is_true()) continue;
    return policy::OwnerFact{.group = std::string(group_of(each["apiVersion"].text())),
                             .kind = std::string(each["kind"].text()),
                             .name = std::string(each["name"].text()),
                             .uid = std::string(each["uid"].text())};
  }
  return std::nullopt;
}

bool take_digits(std::string_view& text, std::size_t count, int& out) {
  if (text.size() < count ||
      !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(count), [](char c) { return c >= '0' && c <= '9'; }))
    return false;
  std::from_chars(text.data(), text.data() + count, out);
  text.remove_prefix(count);
  return true;
}

bool take_char(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Value at_path(Value object, const Path& path) {
  Value at = object;
  for (const std::string& part : path) at = at[part];
  return at;
}

std::shared_ptr<const Marked<policy::NamespaceFact>> namespace_fact(Value object) {
  const std::string_view name = metadata_text(object, "name");
  if (name.empty()) return nullptr;
  auto fact = std::make_shared<Marked<policy::NamespaceFact>>();
  fact->mark = mark_of(object);
  fact->name = name;
  fact->uid = metadata_text(object, "uid");
  fact->labels = labels_of(object);
  fact->terminating = object["metadata"]["deletionTimestamp"].present();
  return fact;
}

std::shared_ptr<const Marked<policy::AutoscalerFact>> autoscaler_fact(Value object) {
  const std::string_view name = metadata_text(object, "name");
  if (name.empty()) return nullptr;
  const Value spec = object["spec"], target = spec["scaleTargetRef"];
  auto fact = std::make_shared<Marked<policy::AutoscalerFact>>();
  fact->mark = mark_of(object);
  fact->name_space = metadata_text(object, "namespace");
  fact->name = name;
  fact->target_group = group_of(target["apiVersion"].text());
  fact->target_kind = target["kind"].text();
  fact->target_name = target["name"].text();
  fact->replicas_min = spec["minReplicas"].integer().value_or(1);
  fact->replicas_max = spec["maxReplicas"].integer().value_or(0);
  return fact;
}

std::shared_ptr<const Marked<policy::WorkloadFact>> workload_fact(Value object, const WorkloadLayout& layout, policy::PodTemplate& memory) {
  const std::string_view name = metadata_text(object, "name");
  if (name.empty()) return nullptr;
  auto fact = std::make_shared<Marked<policy::WorkloadFact>>();
  fact->mark = mark_of(object);
  fact->group = layout.group;
  fact->kind = layout.kind;
  fact->name_space = metadata_text(object, "namespace");
  fact->name = name;
  fact->uid = metadata_text(object, "uid");
  fact->labels = labels_of(object);
  fact->owner = controller_of(object);
  if (!layout.replicas.empty()) fact->replicas = at_path(object, layout.replicas).integer().value_or(1);
  if (const Value holder = at_path(object, layout.pod_template); holder.is(ValueKind::object)) {
    policy::read_pod_template(holder, memory);
    fact->pod_usage = policy::pod_usage(memory);
  }
  return fact;
}

std::string_view group_of(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view{} : api_version.substr(0, slash);
}

std::optional<Instant> read_time(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, year) || !take_char(text, '-') || !take_digits(text, 2, month) || !take_char(text, '-') ||
      !take_digits(text, 2, day) || !take_char(text, 'T') || !take_digits(text, 2, hour) || !take_char(text, ':') ||
      !take_digits(text, 2, minute) || !take_char(text, ':') || !take_digits(text, 2, second))
    return std::nullopt;
  if (take_char(text, '.'))
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (text != "Z" || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return Instant(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

std::string write_time(Instant time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  std::array<char, 40> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                    static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace portcullis::kube
