// Who keeps account of what objects use: told of every object of the resources that budgets count, in the order of its watch.
// Called on the kube thread only; each call returns soon and keeps no view beyond itself.
#pragma once

#include <string>
#include <string_view>

#include "policy/object/usage.hpp"

namespace portcullis::kube {

struct ObjectKey {
  std::string_view name_space, name;
};

// One object that came, changed or went. An object that was deleted and created anew under its name is two changes: it goes with
// its old uid, then comes with the new one.
struct UsageChange {
  std::string_view resource;  // "pods", "deployments.apps"
  ObjectKey key;
  std::string_view uid;
  std::string_view version;     // the object's resourceVersion; of one that went, the deletion's, or the list's it is missing in
  const policy::Usage* usage;   // null: it is gone
  const policy::Usage* before;  // what was said the last time; null: it was not there
};

class UsageObserver {
 public:
  virtual ~UsageObserver() = default;
  virtual void on_object(const UsageChange& change) = 0;
  // Everything of `resource` up to `version` has been said: after each event, each bookmark, and whenever a list or probe has
  // shown that nothing is missing.
  virtual void on_progress(std::string_view resource, std::string_view version) = 0;
  // A whole list has been said (as changes against what was known before), so that what is known is all there is at `version`.
  // The first time: the resource is known now. `version` is "" for a resource that the API server does not serve: it has none.
  virtual void on_replaced(std::string_view resource, std::string_view version) = 0;
};

}  // namespace portcullis::kube
