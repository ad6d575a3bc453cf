#include "policy/update.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace portcullis::policy {
namespace {

// Written by the API server and its controllers, not by the author of this write.
constexpr std::array<std::string_view, 5> server_metadata{"resourceVersion", "generation", "managedFields", "finalizers", "selfLink"};

template <class Skip>
bool members_equal(Value a, Value b, const Skip& skip) {
  for (const Value member : a)
    if (!skip(member.key()) && !same_content(member, b[member.key()])) return false;
  for (const Value member : b)
    if (!skip(member.key()) && member.present() && !a[member.key()]) return false;
  return true;
}

// True when every item of `now` is one of `before`, and fewer.
bool shrank(Value now, Value before) {
  if (now.size() >= before.size()) return false;
  for (const Value item : now) {
    bool found = false;
    for (const Value old : before) found = found || same_content(item, old);
    if (!found) return false;
  }
  return true;
}

// How many pods the object asks for. A count that is no integer counts as the most there is: it never compares as fewer.
std::int64_t count(Value spec, std::string_view name) {
  const Value value = spec[name];
  if (!value.present()) return 1;
  return value.integer().value_or(std::numeric_limits<std::int64_t>::max());
}

bool is_multiplied(Value now, Value before) {
  const auto grew = [](Value spec, Value old_spec) {
    return count(spec, "replicas") > count(old_spec, "replicas") || count(spec, "parallelism") > count(old_spec, "parallelism") ||
           count(spec, "completions") > count(old_spec, "completions");
  };
  const Value spec = now["spec"], old_spec = before["spec"];
  return grew(spec, old_spec) || grew(spec["jobTemplate"]["spec"], old_spec["jobTemplate"]["spec"]);
}

// Switching a suspended CronJob or Job on starts what could not start before.
bool is_resumed(Value now, Value before) { return before["spec"]["suspend"].is_true() && !now["spec"]["suspend"].is_true(); }

}  // namespace

bool only_loses_finalizers(const Subject& subject) {
  if (subject.operation != Operation::update) return false;
  const Value now = subject.object.root, before = subject.old_object.root;
  if (!before["metadata"]["deletionTimestamp"].present()) return false;
  if (!shrank(now["metadata"]["finalizers"], before["metadata"]["finalizers"])) return false;
  const auto is_server_metadata = [](std::string_view key) {
    return std::find(server_metadata.begin(), server_metadata.end(), key) != server_metadata.end();
  };
  return members_equal(now, before, [](std::string_view key) { return key == "metadata" || key == "status"; }) &&
         members_equal(now["metadata"], before["metadata"], is_server_metadata);
}

bool is_unchanged_flaw(const Finding& now, const Findings& before, const Subject& subject) {
  if (subject.operation != Operation::update || !subject.old_object.root) return false;
  if (before.omitted() > 0) return false;
  if (is_multiplied(subject.object.root, subject.old_object.root) || is_resumed(subject.object.root, subject.old_object.root)) return false;
  const Value scope = now.scope ? now.scope : now.at;
  if (!scope) return false;
  return std::any_of(before.all().begin(), before.all().end(), [&](const Finding& old) {
    if (old.what != now.what || old.found != now.found) return false;
    const Value old_scope = old.scope ? old.scope : old.at;
    return old_scope && same_content(scope, old_scope);
  });
}

}  // namespace portcullis::policy
