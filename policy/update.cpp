#include "policy/update.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "policy/object/content.hpp"

namespace portcullis::policy {
namespace {

// Written by the API server and its controllers, not by the author of this write.
constexpr std::array<std::string_view, 5> server_metadata{"resourceVersion", "generation", "managedFields", "finalizers", "selfLink"};

// True when every item of `now` is one of `before`, and there are fewer. Names only: what else stands there is judged.
bool shrank(Value now, Value before) {
  const auto texts = [](Value list, std::vector<std::string_view>& out) {
    for (const Value item : list) {
      if (!item.is(ValueKind::string)) return false;
      out.push_back(item.text());
    }
    std::sort(out.begin(), out.end());
    return true;
  };
  std::vector<std::string_view> left, all;
  if (now.present() && !now.is(ValueKind::array)) return false;
  return now.size() < before.size() && texts(now, left) && texts(before, all) &&
         std::includes(all.begin(), all.end(), left.begin(), left.end());
}

// How many pods the object asks for. A count that is no integer counts as the most there is: it never compares as fewer.
std::int64_t count(Value value) {
  if (!value.present()) return 1;
  return value.integer().value_or(std::numeric_limits<std::int64_t>::max());
}

bool is_multiplied(const ObjectView& now, const ObjectView& before) {
  const auto grew = [](Value spec, Value old_spec) {
    constexpr std::array<std::string_view, 3> multipliers{"replicas", "parallelism", "completions"};
    return std::any_of(multipliers.begin(), multipliers.end(),
                       [&](std::string_view name) { return count(spec[name]) > count(old_spec[name]); });
  };
  const Value spec = now.root["spec"], old_spec = before.root["spec"];
  // A custom kind may keep its replicas elsewhere.
  return count(now.replicas) > count(before.replicas) || grew(spec, old_spec) ||
         grew(spec["jobTemplate"]["spec"], old_spec["jobTemplate"]["spec"]);
}

// Switching a suspended CronJob or Job on starts what could not start before.
bool is_resumed(Value now, Value before) { return before["spec"]["suspend"].is_true() && !now["spec"]["suspend"].is_true(); }

// Are two paths the same but for the numbers of list items, which move when another item comes or goes?
bool is_same_place(std::string_view a, std::string_view b) {
  const auto skip_number = [](std::string_view& text) {
    std::size_t digits = 1;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits < text.size() && text[digits] == ']') text.remove_prefix(digits);
  };
  while (!a.empty() && !b.empty()) {
    if (a.front() != b.front()) return false;
    if (a.front() == '[') {
      skip_number(a);
      skip_number(b);
      if (a.empty() || b.empty() || a.front() != b.front()) return false;
    }
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.empty() && b.empty();
}

// Compares scopes, each read once: a hundred findings may share one of a hundred thousand values.
class Scopes {
 public:
  static Value of(const Finding& finding) { return finding.scope ? finding.scope : finding.at; }

  bool same(Value a, Value b) {
    if (!a || !b || hash(a) != hash(b)) return false;
    const auto [known, is_new] = same_.try_emplace({a.node(), b.node()}, false);
    if (is_new) known->second = same_content(a, b);
    return known->second;
  }

 private:
  std::uint64_t hash(Value value) {
    const auto [known, is_new] = hashes_.try_emplace(value.node(), 0);
    if (is_new) known->second = content_hash(value);
    return known->second;
  }
  std::map<const Node*, std::uint64_t> hashes_;
  std::map<std::pair<const Node*, const Node*>, bool> same_;
};

}  // namespace

bool only_loses_finalizers(const Subject& subject) {
  if (subject.operation != Operation::update) return false;
  const Value now = subject.object.root, before = subject.old_object.root;
  if (!before["metadata"]["deletionTimestamp"].present()) return false;
  if (!shrank(now["metadata"]["finalizers"], before["metadata"]["finalizers"])) return false;
  constexpr std::array<std::string_view, 2> apart{"metadata", "status"};
  return same_members(now, before, apart) && same_members(now["metadata"], before["metadata"], server_metadata);
}

std::vector<bool> unchanged_flaws(const Findings& now, const Findings& before, const Subject& subject) {
  std::vector<bool> unchanged(now.all().size(), false);
  if (subject.operation != Operation::update || !subject.old_object.root || now.omitted() > 0 || before.omitted() > 0) return unchanged;
  if (is_multiplied(subject.object, subject.old_object) || is_resumed(subject.object.root, subject.old_object.root)) return unchanged;
  Scopes scopes;
  std::vector<bool> taken(before.all().size(), false);
  for (std::size_t i = 0; i < unchanged.size(); ++i) {
    const Finding& found = now.all()[i];
    for (std::size_t j = 0; j < taken.size() && !unchanged[i]; ++j) {
      const Finding& old = before.all()[j];
      if (taken[j] || old.what != found.what || old.found != found.found || !is_same_place(old.where, found.where)) continue;
      unchanged[i] = taken[j] = scopes.same(Scopes::of(found), Scopes::of(old));
    }
  }
  return unchanged;
}

}  // namespace portcullis::policy
