// One tenant's budget, kept exactly by any number of replicas without a leader: the protocol, without I/O, threads or a
// clock. QuotaLedger drives one for each tenant; the model check drives the same class through every order of events.
//
// A replica reserves before it lets a write through. Its key of the TenantQuota says what it granted and released since it
// started; the API server refuses a grant where newest view's used + all that is held would pass `hard` (tenant_quota.hpp).
// What was granted is held until a view that contains the object is published, or until it is certain that it does not come.
// So usage <= hard always: whatever may still be stored is held, and what is not held any more is in the view.
//
// Group commit: one write in flight; all who wait meanwhile share the next. A write that does not fit is never tried again
// on suspicion: the state is read, and the next write follows a change of it.
//
// Call act() after every input and at wake_at(); it says what to do next.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "policy/object/charge.hpp"
#include "webhook/pending.hpp"
#include "webhook/tenant_quota.hpp"

namespace portcullis::webhook {

struct QuotaTimes {
  // A handler of the API server ends after 34 s, etcd's slack is put at 15: what was let through is stored by then or never.
  Clock::duration storing_max = std::chrono::seconds(60);
  Clock::duration look_again = std::chrono::seconds(5);  // at what came, but is not in the view yet
  // How soon what is held for nothing is released: while someone waits for it, near the limit, and far from it.
  Clock::duration settle_wanted = std::chrono::milliseconds(25), settle = std::chrono::milliseconds(250),
                  settle_far = std::chrono::seconds(1);
  Clock::duration read_again = std::chrono::milliseconds(500);  // the state, while someone waits for room
  Clock::duration publish = std::chrono::seconds(2);            // a view that says something new, for people
  Clock::duration retry = std::chrono::milliseconds(100), retry_max = std::chrono::seconds(2);  // after a failure, doubled
};

inline constexpr std::size_t waiting_claims_max = 4'096;   // of one tenant; above, the failure mode decides
inline constexpr std::size_t pending_claims_max = 65'536;  // objects let through and not seen yet, likewise
inline constexpr unsigned puzzles_max = 3;                 // then it is no race: something else refuses, and waiting claims are told so

// What the proof leans on. The model check switches each off and has to find what goes wrong then; the program never does.
struct Safeguards {
  bool counters = true;                  // granted and released are counted apart; else a net hold
  bool publish_with_release = true;      // what is released is in the view that goes with it
  bool compare_after_unknown = true;     // a write of unknown outcome is looked up, not taken for applied
  bool look_before_expiry = true;        // time alone does not prove that an object did not come
  bool pend_before_answer = true;        // let through only what is counted as pending already
  bool newer_than_found = true;          // an update is over when a version newer than it found is seen, not any
  bool lease_before_answer = true;       // no answer by a replica that others may take for dead
  bool barrier_before_reclaim = true;    // a dead replica's hold goes only when the view has all it granted
  bool unchanged_before_reclaim = true;  // and only while it is what it was when it was found dead
};

enum class WriteResult {
  applied,
  refused,      // 422: the API server's guard, or its schema
  not_applied,  // 404, 429, a precondition: certain
  unknown,      // a lost reply, 409, 5xx: it may have been applied, or may be yet
};

struct SeenObject {
  std::string uid;
  std::uint64_t version = 0;
};

// What this replica's own watches say, at these versions.
struct UsageView {
  Amounts rv, used;
};

// Why nothing can be granted: views are not synced or too old, the lease is not held, ...; "" when all is well.
using Obstacle = std::string;

struct QuotaActions {
  struct Answer {
    std::uint64_t ticket = 0;
    policy::ChargeOutcome outcome;
  };
  std::vector<Answer> answers;
  std::optional<QuotaPatch> patch;  // answer by wrote()
  bool read = false;                // GET of the TenantQuota, quorum; answer by read() or read_failed()
  std::optional<ObjectName> look;   // GET of an object, quorum; answer by looked() or look_failed()
  bool list_versions =
      false;  // the newest version among the objects of each dimension, of a consistent list; answer by listed() or list_failed()
};

class QuotaCore {
 public:
  QuotaCore(std::string key, QuotaTimes times = {}, Safeguards safeguards = {});

  // A write asks for room. Answered at the latest at `deadline`.
  void charge(std::uint64_t ticket, Claim claim, Deadline deadline, Deadline now);
  // The TenantQuota as watched; none when it is gone.
  void quota(std::optional<TenantQuota> quota);
  // The documents' own limits: where they are smaller, they count. A dimension they lack is not limited by them.
  void limits(Amounts hard);
  // The newest view, and the objects that were seen on the way to it.
  void observe(UsageView view, const std::vector<SeenObject>& seen);
  void obstacle(Obstacle why);

  void wrote(WriteResult result, std::optional<TenantQuota> after, Deadline now);
  void read(std::optional<TenantQuota> quota, Deadline now);
  void read_failed(Deadline now);
  void looked(std::string_view uid, std::uint64_t version, Deadline now);  // "" when there is no such object
  void look_failed(Deadline now);
  void listed(Amounts newest);
  void list_failed(Deadline now);

  // Of other replicas: keys whose lease ended and whose `granted` has stood so long that nothing of theirs can be stored any
  // more, with what it stood at; and keys whose lease just ended.
  using Dead = std::map<std::string, Amounts, std::less<>>;
  void dead(Dead dead, std::set<std::string, std::less<>> lapsed);
  // No more grants; release all, leave no key where possible.
  void stop();
  [[nodiscard]] bool stopped() const;  // and nothing is left to do

  QuotaActions act(Deadline now);
  [[nodiscard]] std::optional<Deadline> wake_at() const;

  // Whether `claim` would be granted now; nothing is reserved.
  [[nodiscard]] policy::ChargeOutcome would_grant(const Claim& claim) const;
  // The budget of `dimension` as this replica knows it.
  struct Standing {
    std::int64_t hard = 0, used = 0, reserved = 0;
  };
  [[nodiscard]] Standing standing(std::string_view dimension) const;
  [[nodiscard]] const std::optional<TenantQuota>& known() const { return quota_; }
  [[nodiscard]] const Amounts& pending() const { return pending_.sum(); }
  [[nodiscard]] bool waits_for(std::string_view uid) const { return pending_.contains(uid); }
  [[nodiscard]] std::string text(Deadline now) const;  // all it knows, for a debug log and the model check

 private:
  struct Waiter {
    std::uint64_t ticket = 0;
    Claim claim;
    Deadline deadline, since;
    bool answered = false;  // at its deadline, while the write was on its way
  };
  enum class Writing { no, sent, unknown };

  [[nodiscard]] std::string why_not() const;
  [[nodiscard]] std::string why_not(const Claim& claim) const;
  [[nodiscard]] std::int64_t hard(std::string_view dimension) const;
  [[nodiscard]] PublishedView best_view(std::string_view dimension) const;
  [[nodiscard]] policy::ChargeOutcome judge(const Amounts& grown, const Amounts& ahead) const;
  [[nodiscard]] Amounts excess() const;
  [[nodiscard]] bool must_write_back() const;
  [[nodiscard]] bool view_is_news() const;
  [[nodiscard]] bool view_reaches(const Amounts& versions) const;
  [[nodiscard]] bool removable() const;
  [[nodiscard]] std::vector<std::string> reclaimable();
  [[nodiscard]] Clock::duration settle_delay() const;
  [[nodiscard]] QuotaPatch next_patch() const;

  void adopt(TenantQuota quota);
  void conclude(bool applied, Deadline now);
  [[nodiscard]] Clock::duration pause_after(unsigned failures) const;
  void backoff(Deadline now);
  void expire_waiters(Deadline now);
  void plan(Deadline now, QuotaActions& actions);
  void settle(Deadline now, QuotaActions& actions);
  void reclaim(QuotaActions& actions);
  void look(Deadline now, QuotaActions& actions);
  void send(QuotaPatch patch, Deadline now, QuotaActions& actions);
  void answer(std::uint64_t ticket, policy::ChargeOutcome outcome) { answers_.push_back({ticket, std::move(outcome)}); }
  void wake(Deadline at) { wake_at_ = wake_at_ ? std::min(*wake_at_, at) : at; }

  std::string key_;
  QuotaTimes times_;
  Safeguards safe_;

  // What is known.
  std::optional<TenantQuota> quota_;  // the newest
  Amounts limits_;
  std::optional<UsageView> view_;
  Obstacle obstacle_ = "not started";
  Dead dead_;
  std::set<std::string, std::less<>> lapsed_;
  std::uint64_t changes_ = 1;  // of what decides whether a claim fits
  Deadline contact_at_{};      // when the API server last said how the budget stands

  // What is ours. INVARIANT: own_.granted - own_.released >= pending_.sum() - batch_grown_.
  Hold own_;             // counters that the API server is known to have
  Amounts released_at_;  // versions that contain all that was ever released
  PendingClaims pending_;

  // Who waits, and the one write on its way.
  std::deque<Waiter> waiters_;
  std::vector<Waiter> batch_;
  Amounts batch_grown_;
  Writing writing_ = Writing::no;
  QuotaPatch sent_;
  std::uint64_t sent_from_ = 0;   // the version it was made from
  bool blocked_ = false;          // someone waits for room that others hold
  std::uint64_t refused_at_ = 0;  // `changes_` when a claim last waited in vain
  std::vector<Waiter> unpended_;  // only without pend_before_answer

  // Questions under way.
  bool reading_ = false, must_read_ = false, read_will_do_ = false;
  std::optional<ObjectName> looking_;
  bool listing_ = false;
  std::optional<Amounts> barrier_;
  Dead barrier_for_;

  // When to do what.
  unsigned failures_ = 0, read_failures_ = 0;
  unsigned puzzles_ = 0;  // writes refused though nothing had changed
  Deadline retry_at_{}, read_at_{}, wrote_at_{}, looking_since_{}, look_after_{}, list_after_{};
  std::optional<Deadline> excess_since_, news_since_, wake_at_;
  bool stopping_ = false, removed_ = false;
  std::vector<QuotaActions::Answer> answers_;
};

}  // namespace portcullis::webhook
