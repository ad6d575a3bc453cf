#include "tests/webhook/quota_world.hpp"

#include <algorithm>

namespace portcullis::webhook::world {
namespace {

constexpr Clock::duration storing{1'000}, patience{100};

QuotaTimes instant_times(bool settles_late) {
  QuotaTimes times;
  times.storing_max = storing;
  times.look_again = times.settle_wanted = times.settle = times.settle_far = times.read_again = times.retry = times.retry_max =
      Clock::duration{};
  times.publish = std::chrono::hours(1);
  if (settles_late) times.settle = times.settle_far = storing * 2;
  return times;
}

void merge(Amounts& into, const Amounts& from) {
  for (const auto& [dimension, amount] : from) into[dimension] = amount;
}

std::string text_of(const Amounts& amounts) {
  std::string text;
  for (const auto& [dimension, amount] : amounts) text += dimension + "=" + std::to_string(amount) + ",";
  return text;
}

}  // namespace

bool guard_allows(const Guard& guard, const TenantQuota& before, const TenantQuota& after) {
  const Hold none;
  const auto old_hold = [&](const std::string& key) -> const Hold& {
    const auto found = before.holds.find(key);
    return found == before.holds.end() ? none : found->second;
  };
  if (after.holds.size() > quota_holds_max) return false;
  for (const auto& [dimension, hard] : after.hard) {
    const PublishedView newest = newest_view(after.holds, dimension);
    for (const auto& [key, hold] : after.holds) {
      const Hold& old = old_hold(key);
      const std::int64_t granted = amount_of(hold.granted, dimension), released = amount_of(hold.released, dimension);
      if (guard.no_grant_beyond_hard && granted > amount_of(old.granted, dimension)) {
        const bool published = std::any_of(after.holds.begin(), after.holds.end(),
                                           [&, of = &dimension](const auto& entry) { return entry.second.rv.contains(*of); });
        // Switched off, the writer's own view is believed, whoever has a newer one.
        const std::int64_t used = guard.newest_view_counts ? newest.used : amount_of(hold.used, dimension);
        if (!published || used + held(after.holds, dimension) > hard) return false;
      }
      if (guard.release_what_was_seen && amount_of(hold.as_of, dimension) > newest.rv) return false;
      if (guard.counters_rise && (granted < amount_of(old.granted, dimension) || released < amount_of(old.released, dimension) ||
                                  amount_of(hold.rv, dimension) < amount_of(old.rv, dimension) || granted < released)) {
        return false;
      }
    }
    if (guard.views_only_newer && newest.rv < newest_view(before.holds, dimension).rv) return false;
  }
  return true;
}

Holds merged(const TenantQuota& quota, const QuotaPatch& patch) {
  Holds holds = quota.holds;
  for (const std::string& key : patch.removed) holds.erase(key);
  if (patch.remove) {
    holds.erase(patch.key);
    return holds;
  }
  Hold& hold = holds[patch.key];
  merge(hold.granted, patch.hold.granted);
  merge(hold.released, patch.hold.released);
  merge(hold.as_of, patch.hold.as_of);
  merge(hold.rv, patch.hold.rv);
  merge(hold.used, patch.hold.used);
  return holds;
}

std::string Write::text() const {
  return uid + " " + name.name + (update ? " update " : " create ") + text_of(wanted) + " phase " +
         std::to_string(static_cast<int>(phase)) + " at " + std::to_string(replica) + " from " + std::to_string(old_version) + ":" +
         text_of(base);
}

std::string Step::text() const {
  static constexpr const char* names[] = {
      "ask",       "store",       "fail",  "patch applies", "reply", "lost reply",  "timeout",  "late patch applies",
      "read",      "failed read", "list",  "look",          "watch", "watch quota", "bookmark", "duplicate",
      "relist",    "remove",      "crash", "restart",       "pause", "resume",      "renew",    "pass",
      "tell dead", "expire"};
  return std::string(names[static_cast<int>(kind)]) + " " + std::to_string(a) + " " + std::to_string(b);
}

World::World(Amounts hard, std::vector<Write> writes, Budget budget, Faults faults, int replicas)
    : writes_(std::move(writes)), replicas_(static_cast<std::size_t>(replicas)), budget_(budget), faults_(faults) {
  quota_.tenant = quota_.uid = "acme";
  quota_.version = quota_revision_;
  quota_.hard = std::move(hard);
  for (int replica = 0; replica < replicas; ++replica) start(replica, std::string(1, static_cast<char>('a' + replica)));
}

void World::start(int replica, std::string key) {
  Replica fresh;
  fresh.key = key;
  fresh.core.emplace(std::move(key), instant_times(faults_.settles_late), faults_.safeguards);
  fresh.quota_version = quota_.version;
  for (const auto& [dimension, hard] : quota_.hard) fresh.rv[dimension] = 1;
  of(replica) = std::move(fresh);
  of(replica).core->obstacle("");
  of(replica).core->quota(quota_);
  show_view(replica, {});
  act(replica);
}

void World::show_view(int replica, const std::vector<SeenObject>& seen) {
  Replica& at = of(replica);
  UsageView view{.rv = at.rv, .used = {}};
  for (const auto& [dimension, hard] : quota_.hard) view.used[dimension] = 0;
  for (const auto& [uid, object] : at.view) {
    for (const auto& [dimension, amount] : object.usage) view.used[dimension] += amount;
  }
  at.core->observe(std::move(view), seen);
}

void World::act(int replica) {
  Replica& at = of(replica);
  QuotaActions actions = at.core->act(now_);
  for (const QuotaActions::Answer& answer : actions.answers) {
    for (Write& write : writes_) {
      if (write.phase != Phase::asked || write.ticket != answer.ticket) continue;
      if (answer.outcome.status == policy::ChargeStatus::granted) {
        write.phase = Phase::let_through;
      } else if (answer.outcome.status != policy::ChargeStatus::over && budget_.retries > 0) {
        --budget_.retries;
        write.phase = Phase::idle;
      } else {
        write.phase = Phase::ended;
      }
    }
  }
  if (actions.patch) {
    at.patch = std::move(actions.patch);
    at.result.reset();
    at.after.reset();
  }
  at.wants_read = at.wants_read || actions.read;
  at.wants_list = at.wants_list || actions.list_versions;
  if (actions.look) at.wants_look = std::move(actions.look);
}

WriteResult World::apply(const QuotaPatch& patch, std::optional<TenantQuota>& after) {
  if (patch.if_version != 0 && patch.if_version != quota_.version) return WriteResult::not_applied;
  TenantQuota next = quota_;
  next.holds = merged(quota_, patch);
  if (!guard_allows(faults_.guard, quota_, next)) return WriteResult::refused;
  if (next.holds != quota_.holds) next.version = ++quota_revision_;
  quota_ = std::move(next);
  after = quota_;
  ++applied_;
  return WriteResult::applied;
}

Amounts World::usage() const {
  Amounts sum;
  for (const auto& [uid, object] : objects_) {
    for (const auto& [dimension, amount] : object.usage) sum[dimension] += amount;
  }
  return sum;
}

bool World::anything_let_through() const {
  return std::any_of(writes_.begin(), writes_.end(), [](const Write& write) { return write.phase == Phase::let_through; });
}

std::size_t World::behind(int replica) const {
  std::size_t missing = 0;
  for (const auto& [resource, events] : logs_) {
    const auto at = of(replica).at.find(resource);
    missing += events.size() - (at == of(replica).at.end() ? 0 : at->second);
  }
  return missing;
}

Amounts World::granted_of(const std::string& key) const {
  const auto hold = quota_.holds.find(key);
  return hold == quota_.holds.end() ? Amounts{} : hold->second.granted;
}

// Found dead by their leases, and by what they have granted: where that has changed since, it has to stand anew.
QuotaCore::Dead World::dead_for(int replica) const {
  QuotaCore::Dead dead;
  for (int other = 0; other < static_cast<int>(replicas_.size()); ++other) {
    if (other == replica || (!of(other).gone && !of(other).lapsed)) continue;
    if (faults_.reclaim_at_once) {
      dead.emplace(of(other).key, granted_of(of(other).key));
    } else if (of(other).long_gone && of(other).granted_then == granted_of(of(other).key)) {
      dead.emplace(of(other).key, of(other).granted_then);
    }
  }
  return dead;
}

// Whether this write may still be stored.
bool World::potential(const Write& write) const {
  if (write.phase != Phase::let_through) return false;
  if (!write.update) return true;
  const auto object = objects_.find(write.uid);
  return object != objects_.end() && object->second.version == write.old_version;
}

// Creates that differ in nothing but their names ask in order, the first of them at the first replica: all else is the same
// with other names.
bool World::in_turn(std::size_t index) const {
  const Write& write = writes_[index];
  if (write.update) return true;
  return std::none_of(writes_.begin(), writes_.begin() + static_cast<std::ptrdiff_t>(index), [&](const Write& earlier) {
    return earlier.phase == Phase::idle && !earlier.update && earlier.wanted == write.wanted && (earlier.name == write.name) == false;
  });
}

std::vector<Step> World::steps() const {
  using Kind = Step::Kind;
  std::vector<Step> steps;
  const int replicas = static_cast<int>(replicas_.size());
  for (int index = 0; index < static_cast<int>(writes_.size()); ++index) {
    const Write& write = writes_[static_cast<std::size_t>(index)];
    const auto object = objects_.find(write.uid);
    if (write.phase == Phase::idle && (!write.update || object != objects_.end())) {
      const auto grows = [&](const auto& entry) {
        return entry.second > (object == objects_.end() ? 0 : amount_of(object->second.usage, entry.first));
      };
      if (std::any_of(write.wanted.begin(), write.wanted.end(), grows)) {
        if (!in_turn(static_cast<std::size_t>(index))) continue;
        for (int replica = 0; replica < (next_ticket_ == 1 ? 1 : replicas); ++replica) {
          if (runs(replica)) steps.push_back({Kind::ask, index, replica});
        }
      } else {
        steps.push_back({Kind::store, index});
      }
    }
    if (write.phase == Phase::let_through) {
      steps.push_back({Kind::store, index});
      if (budget_.fails > 0) steps.push_back({Kind::fail, index});
    }
    if (write.phase == Phase::stored && !write.update && budget_.deletes > 0 && object != objects_.end())
      steps.push_back({Kind::remove, index});
  }
  for (int replica = 0; replica < replicas; ++replica) {
    const Replica& at = of(replica);
    if (at.gone && budget_.restarts > 0) steps.push_back({Kind::restart, replica});
    if (at.paused) steps.push_back({Kind::resume, replica});
    if (at.patch && !at.result) steps.push_back({Kind::patch_applies, replica});
    if (!runs(replica)) continue;
    if (at.lapsed) steps.push_back({Kind::renew, replica});
    if (at.patch && at.result) {
      steps.push_back({Kind::reply, replica});
      if (budget_.lost_replies > 0) steps.push_back({Kind::lost_reply, replica});
    }
    if (at.patch && !at.result && budget_.timeouts > 0) steps.push_back({Kind::timeout, replica});
    if (at.wants_read) steps.push_back({Kind::read, replica});
    if (at.wants_read && budget_.failed_reads > 0) steps.push_back({Kind::failed_read, replica});
    if (at.wants_list) steps.push_back({Kind::list, replica});
    if (at.wants_look) steps.push_back({Kind::look, replica});
    int resource = 0;
    for (const auto& [name, events] : logs_) {
      const auto seen = at.at.find(name);
      if ((seen == at.at.end() ? 0 : seen->second) < events.size()) {
        steps.push_back({Kind::watch, replica, resource});
        if (budget_.relists > 0) steps.push_back({Kind::relist, replica, resource});
      } else if (budget_.bookmarks > 0) {
        steps.push_back({Kind::bookmark, replica, resource});
      }
      if (seen != at.at.end() && seen->second > 0 && budget_.duplicates > 0) steps.push_back({Kind::duplicate, replica, resource});
      ++resource;
    }
    if (at.quota_version != quota_.version) steps.push_back({Kind::watch_quota, replica});
    if (budget_.crashes > 0) steps.push_back({Kind::crash, replica});
    if (budget_.pauses > 0) steps.push_back({Kind::pause, replica});
    if (dead_for(replica) != at.told_dead) steps.push_back({Kind::tell_dead, replica});
  }
  for (int index = 0; index < static_cast<int>(late_.size()); ++index) steps.push_back({Kind::late_applies, index});
  if (budget_.passes > 0 && !anything_let_through()) steps.push_back({Kind::pass});
  if (budget_.expiries > 0) steps.push_back({Kind::expire});
  return steps;
}

void World::see_next(int replica, const std::string& resource, std::vector<SeenObject>& seen) {
  Replica& at = of(replica);
  const Event& event = logs_[resource][at.at[resource]++];
  if (event.object) {
    at.view[event.uid] = *event.object;
  } else {
    at.view.erase(event.uid);
  }
  for (auto& [dimension, rv] : at.rv) {
    if (resource_of(dimension) == resource) rv = static_cast<std::int64_t>(event.version);
  }
  seen.push_back({event.uid, event.version});
}

void World::take(const Step& step) {
  using Kind = Step::Kind;
  const auto resource_at = [&](int index) { return std::next(logs_.begin(), index)->first; };
  const auto give_up = [&](Replica& at, bool may_apply) {
    if (at.patch && !at.result && may_apply) late_.emplace_back(at.key, *at.patch);
    at.patch.reset();
    at.result.reset();
    at.after.reset();
  };
  switch (step.kind) {
    case Kind::ask: {
      Write& write = writes_[static_cast<std::size_t>(step.a)];
      const auto object = objects_.find(write.uid);
      write.phase = Phase::asked;
      write.replica = step.b;
      write.ticket = next_ticket_++;
      write.old_version = write.update ? object->second.version : 0;
      write.base = write.update ? object->second.usage : Amounts{};
      Claim claim{.object = write.name, .uid = write.uid, .old_version = write.old_version, .needs = {}};
      for (const auto& [dimension, wanted] : write.wanted) {
        const std::int64_t base = amount_of(write.base, dimension);
        if (wanted > base) claim.needs.push_back({dimension, base, wanted});
      }
      of(step.b).core->charge(write.ticket, std::move(claim), now_ + patience, now_);
      return act(step.b);
    }
    case Kind::store: {
      Write& write = writes_[static_cast<std::size_t>(step.a)];
      const auto object = objects_.find(write.uid);
      if (write.update) {
        if (object == objects_.end()) {
          write.phase = Phase::ended;
          return;
        }
        if (write.phase == Phase::let_through && object->second.version != write.old_version) {
          write.phase = Phase::idle;  // a conflict: admission runs again
          return;
        }
        object->second.usage = write.wanted;
        object->second.version = ++revision_;
      } else {
        const auto same_name = [&](const auto& entry) { return entry.second.name == write.name; };
        if (std::any_of(objects_.begin(), objects_.end(), same_name)) {
          write.phase = Phase::ended;
          return;
        }
        objects_[write.uid] = {write.name, ++revision_, write.wanted};
      }
      write.phase = Phase::stored;
      return log(write.name.resource, {revision_, write.uid, objects_[write.uid]});
    }
    case Kind::fail:
      --budget_.fails;
      writes_[static_cast<std::size_t>(step.a)].phase = Phase::ended;
      return;
    case Kind::remove: {
      --budget_.deletes;
      const Write& write = writes_[static_cast<std::size_t>(step.a)];
      objects_.erase(write.uid);
      return log(write.name.resource, {++revision_, write.uid, std::nullopt});
    }
    case Kind::patch_applies: {
      Replica& at = of(step.a);
      at.result = apply(*at.patch, at.after);
      return;
    }
    case Kind::reply: {
      Replica& at = of(step.a);
      const WriteResult result = *at.result;
      std::optional<TenantQuota> after = std::move(at.after);
      if (result == WriteResult::applied && !at.patch->removed.empty()) at.told_dead.clear();  // looked for anew
      give_up(at, false);
      at.core->wrote(result, std::move(after), now_);
      return act(step.a);
    }
    case Kind::lost_reply:
    case Kind::timeout:
      --(step.kind == Kind::timeout ? budget_.timeouts : budget_.lost_replies);
      give_up(of(step.a), true);
      of(step.a).core->wrote(WriteResult::unknown, std::nullopt, now_);
      return act(step.a);
    case Kind::late_applies: {
      const QuotaPatch patch = late_[static_cast<std::size_t>(step.a)].second;
      late_.erase(late_.begin() + step.a);
      std::optional<TenantQuota> after;
      apply(patch, after);
      return;
    }
    case Kind::read:
      of(step.a).wants_read = false;
      of(step.a).core->read(quota_, now_);
      return act(step.a);
    case Kind::failed_read:
      --budget_.failed_reads;
      of(step.a).wants_read = false;
      of(step.a).core->read_failed(now_);
      return act(step.a);
    case Kind::list: {
      of(step.a).wants_list = false;
      Amounts versions;
      for (const auto& [dimension, hard] : quota_.hard) {
        std::int64_t& newest = versions[dimension];
        for (const auto& [uid, object] : objects_)
          if (object.name.resource == resource_of(dimension)) newest = std::max(newest, static_cast<std::int64_t>(object.version));
      }
      of(step.a).core->listed(std::move(versions));
      return act(step.a);
    }
    case Kind::look: {
      const ObjectName name = *of(step.a).wants_look;
      of(step.a).wants_look.reset();
      const auto found = std::find_if(objects_.begin(), objects_.end(), [&](const auto& entry) { return entry.second.name == name; });
      if (found == objects_.end()) {
        of(step.a).core->looked("", 0, now_);
      } else {
        of(step.a).core->looked(found->first, found->second.version, now_);
      }
      return act(step.a);
    }
    case Kind::watch: {
      std::vector<SeenObject> seen;
      see_next(step.a, resource_at(step.b), seen);
      show_view(step.a, seen);
      return act(step.a);
    }
    case Kind::relist: {
      // 410: a list of all, in place of the events between. What vanished meanwhile is never seen.
      --budget_.relists;
      std::vector<SeenObject> seen;
      const std::string resource = resource_at(step.b);
      std::set<std::string> before;
      for (const auto& [uid, object] : of(step.a).view) before.insert(uid);
      while (of(step.a).at[resource] < logs_[resource].size()) see_next(step.a, resource, seen);
      const std::uint64_t last = seen.back().version;
      std::erase_if(seen, [&](const SeenObject& object) {
        const auto now_there = of(step.a).view.find(object.uid);
        return now_there == of(step.a).view.end() ? !before.contains(object.uid) : now_there->second.version != object.version;
      });
      for (SeenObject& object : seen) {
        if (!of(step.a).view.contains(object.uid)) object.version = last;
      }
      show_view(step.a, seen);
      return act(step.a);
    }
    case Kind::duplicate: {
      --budget_.duplicates;
      const std::string resource = resource_at(step.b);
      const Event& event = logs_[resource][of(step.a).at[resource] - 1];
      show_view(step.a, {{event.uid, event.version}});
      return act(step.a);
    }
    case Kind::bookmark:
      --budget_.bookmarks;
      for (auto& [dimension, rv] : of(step.a).rv) {
        if (resource_of(dimension) == resource_at(step.b)) rv = static_cast<std::int64_t>(revision_);
      }
      show_view(step.a, {});
      return act(step.a);
    case Kind::watch_quota:
      of(step.a).quota_version = quota_.version;
      of(step.a).core->quota(quota_);
      return act(step.a);
    case Kind::crash: {
      --budget_.crashes;
      for (Write& write : writes_) {
        if (write.phase == Phase::asked && write.replica == step.a) write.phase = Phase::ended;
      }
      Replica& at = of(step.a);
      give_up(at, true);
      at.core.reset();
      at.gone = true;
      at.wants_read = at.wants_list = false;
      at.wants_look.reset();
      at.told_dead.clear();
      return;
    }
    case Kind::restart: {
      --budget_.restarts;
      const std::string key = faults_.reuse_key ? of(step.a).key : of(step.a).key + std::to_string(++restarts_);
      // Whoever was there before stays known as gone.
      if (!faults_.reuse_key) {
        Replica ghost;
        ghost.key = of(step.a).key;
        ghost.gone = true;
        ghost.long_gone = of(step.a).long_gone;
        ghost.granted_then = of(step.a).granted_then;
        replicas_.push_back(std::move(ghost));
        // A ghost never comes back.
        replicas_.back().paused = false;
      }
      start(step.a, key);
      return;
    }
    case Kind::pause:
      --budget_.pauses;
      of(step.a).paused = true;
      return;
    case Kind::resume:
      of(step.a).paused = false;
      if (of(step.a).lapsed) of(step.a).core->obstacle("the lease is not held");
      if (!of(step.a).patch && of(step.a).core->text(now_).find(" sent ") != std::string::npos) {
        of(step.a).core->wrote(WriteResult::unknown, std::nullopt, now_);
      }
      // What lies in its socket comes before its timers.
      if (!of(step.a).result) act(step.a);
      return;
    case Kind::renew:
      of(step.a).lapsed = of(step.a).long_gone = false;
      of(step.a).core->obstacle("");
      return act(step.a);
    case Kind::pass:
      --budget_.passes;
      now_ += storing + Clock::duration(1);
      late_.clear();
      for (int replica = 0; replica < static_cast<int>(replicas_.size()); ++replica) {
        Replica& at = of(replica);
        if (at.gone || at.paused) {
          at.long_gone = true;
          at.granted_then = granted_of(at.key);
        }
        if (at.paused) {
          at.lapsed = true;
          if (at.patch && !at.result) give_up(at, false);
        } else if (at.core) {
          if (at.patch) {
            give_up(at, false);
            at.core->wrote(WriteResult::unknown, std::nullopt, now_);
          }
          act(replica);
        }
      }
      return;
    case Kind::expire:
      --budget_.expiries;
      now_ += patience + Clock::duration(1);
      for (int replica = 0; replica < static_cast<int>(replicas_.size()); ++replica) {
        if (runs(replica)) act(replica);
      }
      return;
    case Kind::tell_dead:
      of(step.a).told_dead = dead_for(step.a);
      of(step.a).core->dead(of(step.a).told_dead, {});
      return act(step.a);
  }
}

std::string World::flaw() const {
  const Amounts used = usage();
  for (const auto& [dimension, hard] : quota_.hard) {
    if (amount_of(used, dimension) > hard) return "usage of " + dimension + " is above hard: " + std::to_string(amount_of(used, dimension));
    std::map<ObjectName, std::int64_t> most;  // that a name can come to
    for (const auto& [uid, object] : objects_) most[object.name] = amount_of(object.usage, dimension);
    for (const Write& write : writes_) {
      if (!potential(write)) continue;
      std::int64_t& at = most[write.name];
      at = std::max(at, amount_of(write.wanted, dimension));
    }
    std::int64_t to_come = 0;
    for (const auto& [name, amount] : most) to_come += amount;
    const std::int64_t covered = newest_view(quota_.holds, dimension).used + held(quota_.holds, dimension);
    // The newest view may be older than a delete: then more is covered than there is.
    if (to_come > covered && quota_.holds.size() > 0)
      return dimension + ": " + std::to_string(to_come) + " may come, " + std::to_string(covered) + " is covered";
  }
  return {};
}

// Takes what is sure to happen until nothing is left of it. False when it does not end.
bool World::drain() {
  using Kind = Step::Kind;
  for (int round = 0; round < 2'000; ++round) {
    const std::vector<Step> all = steps();
    const auto wanted = [&](const Step& step) {
      switch (step.kind) {
        case Kind::reply:
        case Kind::patch_applies:
        case Kind::list:
        case Kind::store:
        case Kind::watch:
        case Kind::watch_quota:
        case Kind::resume:
        case Kind::renew:
        case Kind::tell_dead:
          return true;
        default:
          return false;
      }
    };
    if (const auto next = std::find_if(all.begin(), all.end(), wanted); next != all.end()) {
      take(*next);
      continue;
    }
    // Who waits asks again and again; only what changes something is progress.
    const std::string before = text();
    bool changed = false;
    for (const Step& step : all) {
      if (step.kind != Kind::read && step.kind != Kind::look) continue;
      take(step);
      changed = text() != before;
      if (changed) break;
    }
    if (!changed) return true;
  }
  return false;
}

std::string World::stuck() const {
  World later = *this;
  later.budget_ = {};
  for (int round = 0; round < 8; ++round) {
    if (!later.drain()) return "the replicas never come to rest";
    later.budget_.passes = 1;
    later.budget_.bookmarks = 0;
    later.take({Step::Kind::pass});
    for (int replica = 0; replica < static_cast<int>(later.replicas_.size()); ++replica) {
      if (!later.runs(replica)) continue;
      for (int resource = 0; resource < static_cast<int>(later.logs_.size()); ++resource) {
        if (later.behind(replica) == 0) later.take({Step::Kind::bookmark, replica, resource});
      }
    }
  }
  if (!later.drain()) return "the replicas never come to rest";
  int alive = -1;
  for (int replica = 0; replica < static_cast<int>(later.replicas_.size()); ++replica) {
    if (later.runs(replica)) alive = replica;
  }
  if (alive < 0) return {};
  for (const auto& [dimension, hard] : later.quota_.hard) {
    if (held(later.quota_.holds, dimension) != 0) {
      return "still held of " + dimension + ": " + std::to_string(held(later.quota_.holds, dimension)) + "\n" + later.text();
    }
  }
  const Amounts used = later.usage();
  Write last{.uid = "last", .name = {"pods", "acme-prod", "last"}, .wanted = {}, .base = {}};
  for (const auto& [dimension, hard] : later.quota_.hard) {
    if (later.resource_of(dimension) == "pods" && amount_of(used, dimension) < hard) last.wanted[dimension] = 1;
  }
  if (last.wanted.empty()) return {};
  later.writes_.push_back(last);
  later.take({Step::Kind::ask, static_cast<int>(later.writes_.size()) - 1, alive});
  if (!later.drain()) return "the replicas never come to rest";
  if (later.writes_.back().phase != Phase::stored) return "a write that fits is not let through\n" + later.text();
  return {};
}

std::string World::text() const {
  std::string text = "now " + std::to_string(now_.time_since_epoch().count()) + " revision " + std::to_string(revision_) + "\n";
  text += "tickets " + std::to_string(next_ticket_) + " hard " + text_of(quota_.hard) + " version " + std::to_string(quota_.version) + "\n";
  for (const auto& [key, hold] : quota_.holds) {
    text += " " + key + " granted " + text_of(hold.granted) + " released " + text_of(hold.released) + " as_of " + text_of(hold.as_of) +
            " rv " + text_of(hold.rv) + " used " + text_of(hold.used) + "\n";
  }
  for (const auto& [uid, object] : objects_)
    text += "object " + uid + "@" + std::to_string(object.version) + " " + text_of(object.usage) + "\n";
  for (const auto& [resource, events] : logs_) {
    text += "log " + resource;
    for (const Event& event : events) text += " " + event.uid + "@" + std::to_string(event.version) + (event.object ? "" : "-");
    text += "\n";
  }
  for (const Write& write : writes_) text += "write " + write.text() + "\n";
  const auto put_patch = [&](const QuotaPatch& patch) {
    text += patch.key + " " + text_of(patch.hold.granted) + " " + text_of(patch.hold.released) + " " + text_of(patch.hold.as_of) + " " +
            text_of(patch.hold.rv) + " " + text_of(patch.hold.used) + " if " + std::to_string(patch.if_version);
    for (const std::string& key : patch.removed) text += " -" + key;
  };
  for (const Replica& at : replicas_) {
    text += "replica " + at.key + (at.paused ? " paused" : "") + (at.lapsed ? " lapsed" : "") + (at.gone ? " gone" : "") +
            (at.long_gone ? " long" : "");
    for (const auto& [resource, count] : at.at) text += " " + resource + "@" + std::to_string(count);
    if (at.patch) {
      text += "\n patch ";
      put_patch(*at.patch);
      if (at.result)
        text += " result " + std::to_string(static_cast<int>(*at.result)) + " " + (at.after ? std::to_string(at.after->version) : "");
    }
    text += std::string("\n wants ") + (at.wants_read ? "read " : "") + (at.wants_list ? "list " : "") +
            (at.wants_look ? "look " + at.wants_look->name : "");
    for (const auto& [dead, granted] : at.told_dead) text += " dead " + dead + text_of(granted);
    text += " then " + text_of(at.granted_then);
    if (at.core) text += "\n " + at.core->text(now_);
    text += "\n";
  }
  for (const auto& [key, patch] : late_) {
    text += "late ";
    put_patch(patch);
    text += "\n";
  }
  const int budget[] = {budget_.lost_replies, budget_.timeouts,     budget_.crashes,  budget_.restarts,  budget_.pauses,
                        budget_.deletes,      budget_.fails,        budget_.passes,   budget_.bookmarks, budget_.duplicates,
                        budget_.relists,      budget_.failed_reads, budget_.expiries, budget_.retries};
  text += "budget";
  for (const int left : budget) text += " " + std::to_string(left);
  return text;
}

}  // namespace portcullis::webhook::world
