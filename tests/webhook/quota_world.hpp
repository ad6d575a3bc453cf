// A world for the budget protocol: one store, its TenantQuota with the guard of manifests/crds/tenantquotas.yaml, writes on
// their way through API servers, and replicas that each drive a QuotaCore and see everything late. Every thing that may
// happen next is a Step; the model check tries them all, the property test some at random.
//
// What API servers may do stands here: a handler ends within `storing_max` of our answer, so time passes as a whole and only
// when nothing let through is still on its way. Views are prefixes of the store's history, each replica's of its own length,
// which is more than two API servers can make of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "webhook/quota_core.hpp"

namespace portcullis::webhook::world {

// The rules of the TenantQuota's definition; the model check switches each off.
struct Guard {
  bool no_grant_beyond_hard = true, newest_view_counts = true, views_only_newer = true, release_what_was_seen = true, counters_rise = true;
};
bool guard_allows(const Guard& guard, const TenantQuota& before, const TenantQuota& after);
Holds merged(const TenantQuota& quota, const QuotaPatch& patch);

struct Object {
  ObjectName name;
  std::uint64_t version = 0;
  Amounts usage;
};

struct Event {
  std::uint64_t version = 0;
  std::string uid;
  std::optional<Object> object;  // none: gone
};

enum class Phase { idle, asked, let_through, stored, ended };

// A create, or an update of the object that another write creates.
struct Write {
  std::string uid;
  ObjectName name;
  Amounts wanted;
  bool update = false;
  Phase phase = Phase::idle;
  int replica = 0;
  std::uint64_t old_version = 0, ticket = 0;
  Amounts base;
  std::string text() const;
};

struct Replica {
  std::optional<QuotaCore> core;
  std::string key;
  bool paused = false, lapsed = false;
  bool gone = false;                      // crashed: others may reclaim
  bool long_gone = false;                 // and all it let through has ended
  std::map<std::string, std::size_t> at;  // by resource: events seen
  std::map<std::string, Object> view;     // by uid
  Amounts rv;                             // by dimension
  std::uint64_t quota_version = 0;
  // The patch on its way, and what came of it once it has been applied.
  std::optional<QuotaPatch> patch;
  std::optional<WriteResult> result;
  std::optional<TenantQuota> after;
  bool wants_read = false, wants_list = false;
  std::optional<ObjectName> wants_look;
  Amounts granted_then;  // and what its key stood at when that began
  QuotaCore::Dead told_dead;
};

// How often the rare may happen, so that a check ends.
struct Budget {
  int lost_replies = 0, timeouts = 0, crashes = 0, restarts = 0, pauses = 0, deletes = 0, fails = 0, passes = 0, bookmarks = 0;
  int duplicates = 0, relists = 0, failed_reads = 0, expiries = 0, retries = 0;
};

struct Faults {
  Guard guard;
  Safeguards safeguards;
  bool reclaim_at_once = false;  // without waiting for what the dead let through
  bool reuse_key = false;        // a restarted replica takes its old key
  bool settles_late = false;     // no fault: what is held for nothing goes with the next grant
};

struct Step {
  enum class Kind {
    ask,
    store,
    fail,
    patch_applies,
    reply,
    lost_reply,
    timeout,
    late_applies,
    read,
    failed_read,
    list,
    look,
    watch,
    watch_quota,
    bookmark,
    duplicate,
    relist,
    remove,
    crash,
    restart,
    pause,
    resume,
    renew,
    pass,
    tell_dead,
    expire
  } kind;
  int a = 0, b = 0;
  std::string text() const;
};

class World {
 public:
  World(Amounts hard, std::vector<Write> writes, Budget budget, Faults faults, int replicas = 2);

  std::vector<Step> steps() const;
  void take(const Step& step);

  // What is wrong in this state: "" when all invariants hold.
  std::string flaw() const;
  // Lets everything that is on its way arrive, time pass, and then asks for one write that fits: "" when it is let through
  // and nothing is held in the end by a living replica.
  std::string stuck() const;
  std::string text() const;  // the whole state

  std::size_t writes_applied() const { return applied_; }
  const std::vector<Write>& writes() const { return writes_; }
  Amounts usage() const;
  const TenantQuota& quota() const { return quota_; }

 private:
  void start(int replica, std::string key);
  Replica& of(int replica) { return replicas_[static_cast<std::size_t>(replica)]; }
  const Replica& of(int replica) const { return replicas_[static_cast<std::size_t>(replica)]; }
  QuotaCore::Dead dead_for(int replica) const;
  Amounts granted_of(const std::string& key) const;
  std::size_t behind(int replica) const;  // events not seen
  bool potential(const Write& write) const;
  bool in_turn(std::size_t index) const;
  bool drain();
  void see_next(int replica, const std::string& resource, std::vector<SeenObject>& seen);
  void act(int replica);
  void show_view(int replica, const std::vector<SeenObject>& seen);
  WriteResult apply(const QuotaPatch& patch, std::optional<TenantQuota>& after);
  bool anything_let_through() const;
  bool runs(int replica) const { return of(replica).core && !of(replica).paused; }
  void log(const std::string& resource, Event event) { logs_[resource].push_back(std::move(event)); }
  std::string resource_of(const std::string& dimension) const { return dimension == "pvcs" ? "pvcs" : "pods"; }

  TenantQuota quota_;
  // etcd counts both in one; versions are only ever compared within a resource, and apart there are far fewer states.
  std::uint64_t revision_ = 1, quota_revision_ = 1;
  std::map<std::string, Object> objects_;           // by uid
  std::map<std::string, std::vector<Event>> logs_;  // by resource
  std::vector<Write> writes_;
  std::vector<Replica> replicas_;
  std::vector<std::pair<std::string, QuotaPatch>> late_;  // given up by who sent them, may be applied yet
  Budget budget_;
  Faults faults_;
  Deadline now_{Clock::duration(1'000'000'000)};
  std::uint64_t next_ticket_ = 1;
  int restarts_ = 0;
  std::size_t applied_ = 0;
};

}  // namespace portcullis::webhook::world
