// Writes that were let through and may still be stored: what each may add to a budget until it is seen, or is known not to
// come. Pure; the QuotaCore owns one.
//
// Kept by name. Attempts at one object do not add up: those under way at once raise it from the lowest usage that one of them
// found to the highest that one wants. Nor do objects of one name, of which only one is stored at a time: they are as attempts
// at one. An attempt is over once its object is seen at a version newer than the attempt found: the API server stores it only
// onto that very version, so it has been stored by then or never will be.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "webhook/tenant_quota.hpp"

namespace portcullis::webhook {

struct ObjectName {
  std::string resource;  // "pods", "deployments.apps"
  std::string name_space, name;
  // NOLINTNEXTLINE(modernize-use-nullptr): of the literal 0 it compares with
  friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

// Usage of one dimension before and after.
struct Need {
  std::string dimension;
  std::int64_t base = 0, wanted = 0;  // wanted > base
};

// What one write asks for.
struct Claim {
  ObjectName object;
  std::string uid;
  std::uint64_t old_version = 0;  // of the object that an update found; 0: a create
  std::vector<Need> needs;
};

class PendingClaims {
 public:
  // By how much the sum would grow.
  [[nodiscard]] Amounts growth(const Claim& claim) const;
  // Adds an attempt, not yet let through; `ticket` names it.
  void add(std::uint64_t ticket, const Claim& claim);
  void drop(std::uint64_t ticket);                           // it is not let through after all
  void let_through(std::uint64_t ticket, Deadline expires);  // it may be stored until then
  // The object was seen at `version`, or was seen to go. Returns the dimensions of attempts that this ends.
  std::vector<std::string> seen(std::string_view uid, std::uint64_t version);

  // The object to look at, of an attempt that nobody has seen and that cannot be stored any more.
  [[nodiscard]] std::optional<ObjectName> expired(Deadline now);
  // What a look since `since` at that name found: the object's uid and version, "" when there is none. Ends what had expired
  // then and did not come. What came stays until the view at `view_rv` has it, and is looked at again from `again` on.
  // Returns the dimensions of what came and was ended.
  std::vector<std::string> looked(const ObjectName& object, std::string_view uid, std::uint64_t version, Deadline since,
                                  const Amounts& view_rv, Deadline again);
  // As above without a look.
  void give_up(const ObjectName& object, Deadline since);

  [[nodiscard]] const Amounts& sum() const { return sum_; }
  [[nodiscard]] bool contains(std::string_view uid) const { return names_.find(uid) != names_.end(); }
  [[nodiscard]] bool empty() const { return groups_.empty(); }
  [[nodiscard]] std::size_t size() const { return names_.size(); }
  [[nodiscard]] std::optional<Deadline> next_expiry() const;
  [[nodiscard]] std::string text(Deadline now) const;

 private:
  struct Attempt {
    std::uint64_t ticket = 0, old_version = 0;
    std::optional<Deadline> expires;  // none: not let through yet
    std::vector<Need> needs;
  };
  using Group = std::map<std::string, std::vector<Attempt>, std::less<>>;  // by uid

  static Amounts amounts(const Group& group);
  void recount(const Amounts& before, const ObjectName& object);
  template <class Ends>
  void end(const ObjectName& object, const Ends& ends);

  std::map<ObjectName, Group> groups_;
  std::map<std::string, ObjectName, std::less<>> names_;   // by uid
  std::map<std::uint64_t, std::string> tickets_;           // not let through yet: their uid
  std::deque<std::pair<Deadline, std::string>> expiries_;  // in order; uids, some of them over already
  Amounts sum_;
};

}  // namespace portcullis::webhook
