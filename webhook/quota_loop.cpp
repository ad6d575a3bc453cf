#include "webhook/quota_loop.hpp"

#include <algorithm>

#include "observe/log.hpp"
#include "policy/document/budget.hpp"
#include "policy/rule/rule.hpp"
#include "webhook/ledger_lease.hpp"
#include "webhook/usage_obstacle.hpp"

namespace portcullis::webhook {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds tick_time{1};
constexpr milliseconds publish_spacing{100};
constexpr seconds lease_view_age_max{30};  // older leases prove nobody's death
constexpr seconds reclaim_spread{5};       // replicas that see the same death do not all write at once

std::set<std::string> counted_names(const policy::DocumentSet& documents) {
  std::set<std::string> names;
  for (const policy::CountedResource& each : policy::counted_resources(documents))
    names.insert(each.group.empty() ? each.resource : each.resource + "." + each.group);
  return names;
}

bool is_charged(const policy::DocumentSet& documents) {
  return std::any_of(documents.policies.begin(), documents.policies.end(), [](const policy::Policy& each) {
    return std::any_of(each.rules.begin(), each.rules.end(), [](const policy::PolicyRule& use) {
      const policy::RuleInfo* rule = policy::find_rule(use.id);
      return rule && rule->charges;
    });
  });
}

}  // namespace

QuotaLoop::QuotaLoop(net::Background& background, kube::Api& api, kube::Cluster& cluster, config::Store& store, QuotaLedgerOptions options)
    : background_(background),
      cluster_(cluster),
      store_(store),
      options_(std::move(options)),
      key_(new_ledger_key(options_.replica)),
      client_(api, metrics_),
      newest_(api, metrics_.lists, [this](std::string_view name) { return cluster_.resource(name); }),
      quotas_(api, options_.start_spread,
              {.changed = [this](const std::string& name) { on_quota(name); },
               .listed = [this] { compare_all(); },
               .progressed =
                   [this] {  // what was published is younger now
                     standings_dirty_ = true;
                     wake_.notify();
                   }}),
      lease_(background, api, ledger_lease(key_, options_.name_space, options_.lease_duration)),
      leases_(background, api, options_.name_space, ledger_lease_selector()),
      waiting_(metrics_) {}

// --- what comes in ---

void QuotaLoop::start() {
  running_ = true;
  adopt_documents();
  background_.spawn("quota_ledger", [self = shared_from_this()] { return run(self); });
}

// Budgets that a rule charges: without one nothing is watched and no lease is held.
bool QuotaLoop::is_needed() const { return !accounts_.accounts().empty() && is_charged(accounts_.documents()->documents()); }

void QuotaLoop::begin_watching() {
  if (std::exchange(watching_, true)) return;
  lease_.start();
  leases_.start();
  quotas_.start(background_, shared_from_this());
}

void QuotaLoop::adopt_documents() {
  const config::Store::Snapshot before = accounts_.documents();
  const config::Store::Snapshot documents = store_.current();
  if (documents == before) return;
  const std::set<std::string> resources = counted_names(documents->documents());
  if (before) {
    for (const std::string& each : counted_names(before->documents()))
      if (!resources.contains(each)) accounts_.forget(each);
  }
  accounts_.open(documents);
  for (const std::string& resource : resources) {
    cluster_.each_usage(resource, [this](const kube::ObjectKey& at, std::string_view, std::string_view, const policy::Usage& usage) {
      accounts_.change(at.name_space, &usage, nullptr);
    });
  }
  for (auto& [name, tenant] : tenants_) tenant.core.limits({});
  for (const auto& [name, account] : accounts_.accounts()) {
    Tenant& tenant = of(name);
    tenant.core.limits(account.limits);
    if (const TenantQuota* quota = quotas_.find(name)) tenant.core.quota(*quota);
    touch(name);
  }
  compare_all();
  if (is_needed()) begin_watching();
  standings_.trouble(trouble());
}

QuotaLoop::Tenant& QuotaLoop::of(const std::string& name) {
  const auto [at, fresh] = tenants_.try_emplace(name, key_, options_.times);
  if (fresh && stopping_) at->second.core.stop();
  return at->second;
}

void QuotaLoop::touch(std::string_view name) {
  dirty_.emplace(name);
  wake_.notify();
}

void QuotaLoop::touch_all() {
  for (const auto& [name, tenant] : tenants_) touch(name);
}

void QuotaLoop::on_object(const kube::UsageChange& change) {
  const std::string_view tenant = accounts_.change(change.key.name_space, change.usage, change.before);
  if (!tenant.empty()) touch(tenant);
  const std::string_view asking = waiting_.tenant_of(change.uid);
  const auto of_whom = asking.empty() ? tenants_.end() : tenants_.find(asking);
  if (of_whom == tenants_.end()) return;
  of_whom->second.seen.push_back({std::string(change.resource), {std::string(change.uid), version_number(change.version)}});
  touch(of_whom->first);
}

void QuotaLoop::on_progress(std::string_view resource, std::string_view version) { accounts_.progress(resource, version); }

void QuotaLoop::on_replaced(std::string_view resource, std::string_view version) {
  accounts_.progress(resource, version);
  // Before anybody acts on "nothing is used".
  if (std::string why = version.empty() ? not_served_obstacle(resource) : std::string(); !why.empty()) usage_trouble_ = std::move(why);
  touch_all();
}

void QuotaLoop::on_quota(const std::string& name) {
  if (const auto tenant = tenants_.find(name); tenant != tenants_.end()) {
    const TenantQuota* quota = quotas_.find(name);
    tenant->second.core.quota(quota ? std::optional(*quota) : std::nullopt);
    touch(name);
  }
  compare(name);
}

void QuotaLoop::compare(const std::string& name) {
  const auto account = accounts_.accounts().find(name);
  drift_.compare(name, account == accounts_.accounts().end() ? nullptr : &account->second.limits, quotas_.find(name), quotas_.synced());
}

void QuotaLoop::compare_all() {
  for (const auto& [name, account] : accounts_.accounts()) compare(name);
  for (const auto& [name, quota] : quotas_.all()) compare(name);
}

void QuotaLoop::charge(const policy::Charge& asked, Deadline deadline, Ledger::Done done, Clock::time_point since) {
  const auto refuse = [&](std::string why) {
    metrics_.answered(policy::ChargeStatus::unavailable, 0);
    done(policy::unavailable(std::move(why)));
  };
  if (!running_ || stopping_) return refuse("the ledger is shutting down");
  if (asked.object_uid.empty()) return refuse("the object has no uid");
  std::optional<Claim> claim = accounts_.claim(asked);
  if (!claim) return refuse("the documents have changed since");
  Tenant& tenant = of(asked.tenant);
  const std::uint64_t ticket = waiting_.add(asked.tenant, claim->uid, since, std::move(done));
  tenant.core.charge(ticket, *std::move(claim), deadline, Clock::now());
  touch(asked.tenant);
}

// --- what is done ---

std::string QuotaLoop::obstacle() const {
  if (!quotas_.synced()) return "TenantQuotas are not known yet";
  if (!usage_trouble_.empty()) return usage_trouble_;
  if (!lease_.held()) return "the replica's lease is not held";
  // Our views may be of objects that are no more, and lack those that are again: one write by them and the newest view is wrong.
  if (lease_.went_back()) return "the API server has forgotten this replica's lease, as after a restored backup: restart the replica";
  return {};
}

// Whether the object may still come: a claim for it waits, or was let through.
bool QuotaLoop::is_expected(const Tenant& tenant, std::string_view uid) const {
  return waiting_.waits_for(uid) || tenant.core.waits_for(uid);
}

void QuotaLoop::show_view(const std::string& name, Tenant& tenant) {
  const auto account = accounts_.accounts().find(name);
  if (account == accounts_.accounts().end()) return;
  UsageView view = accounts_.view(account->second);
  std::vector<SeenObject> seen;
  std::erase_if(tenant.seen, [&](auto& each) {
    if (each.second.version > accounts_.version(each.first)) return false;
    seen.push_back(std::move(each.second));
    return true;
  });
  if (!view.rv.empty()) tenant.core.observe(std::move(view), seen);
  for (const SeenObject& object : seen)
    if (!is_expected(tenant, object.uid)) waiting_.forget(object.uid);
}

void QuotaLoop::act(const std::string& name, Tenant& tenant) {
  tenant.core.obstacle(obstacle());
  show_view(name, tenant);
  QuotaActions actions = tenant.core.act(Clock::now());
  for (QuotaActions::Answer& each : actions.answers) waiting_.answer(each.ticket, std::move(each.outcome));
  if (actions.patch)
    spawn("quota_write", [self = shared_from_this(), name, patch = *std::move(actions.patch)] { return write(self, name, patch); });
  if (actions.read) spawn("quota_read", [self = shared_from_this(), name] { return read(self, name); });
  if (actions.look)
    spawn("quota_look", [self = shared_from_this(), name, object = *std::move(actions.look)] { return look(self, name, object); });
  if (actions.list_versions) spawn("quota_list", [self = shared_from_this(), name] { return list(self, name); });
  standings_dirty_ = true;
}

template <class Make>
void QuotaLoop::spawn(std::string_view what, Make make) {
  background_.spawn(what, std::function<net::Task<void>()>(std::move(make)));
}

net::Task<void> QuotaLoop::write(Self self, std::string name, QuotaPatch patch) {
  Tenant& tenant = self->of(name);
  TenantQuota seen = tenant.core.known() ? *tenant.core.known() : TenantQuota{};
  QuotaClient::Written written = co_await self->client_.write(name, std::move(patch), std::move(seen));
  tenant.core.obstacle(self->obstacle());
  tenant.core.wrote(written.result, std::move(written.after), Clock::now());
  self->act(name, tenant);
  self->wake_.notify();
}

net::Task<void> QuotaLoop::read(Self self, std::string name) {
  Tenant& tenant = self->of(name);
  QuotaClient::Read read = co_await self->client_.read(name);
  tenant.core.obstacle(self->obstacle());
  if (read.failed) {
    tenant.core.read_failed(Clock::now());
  } else {
    tenant.core.read(std::move(read.quota), Clock::now());
  }
  self->act(name, tenant);
  self->wake_.notify();
}

net::Task<void> QuotaLoop::look(Self self, std::string name, ObjectName object) {
  self->metrics_.looks.add();
  Tenant& tenant = self->of(name);
  const std::optional<kube::Resource> resource = self->cluster_.resource(object.resource);
  std::optional<Looked> looked;
  if (!self->accounts_.counts(name, object.resource)) {
    looked.emplace();  // no budget of the tenant bounds it any more, and no view will ever have it
  } else if (resource) {
    std::optional<Looked> answer = co_await self->client_.look(*resource, object);
    looked = std::move(answer);
  }
  if (looked) {
    tenant.core.looked(looked->uid, looked->version, Clock::now());
  } else {
    tenant.core.look_failed(Clock::now());
  }
  self->touch(name);
}

// The newest version of each resource's objects, as they are now.
net::Task<void> QuotaLoop::list(Self self, std::string name) {
  Tenant& tenant = self->of(name);
  const Clock::time_point asked = Clock::now();
  std::map<std::string, std::string, std::less<>> resources;
  if (const auto account = self->accounts_.accounts().find(name); account != self->accounts_.accounts().end())
    resources = account->second.resources;
  Amounts barrier;
  bool whole = true;
  for (const auto& [dimension, resource] : resources) {
    const std::optional<std::uint64_t> newest = co_await self->newest_.of(resource, asked);
    whole = whole && newest.has_value();
    if (newest) barrier[dimension] = static_cast<std::int64_t>(*newest);
  }
  if (whole) {
    tenant.core.listed(std::move(barrier));
  } else {
    tenant.core.list_failed(Clock::now());
  }
  self->touch(name);
}

// --- once a second ---

void QuotaLoop::tick() {
  if (lease_.went_back() && !std::exchange(told_went_back_, true)) {
    observe::log(observe::Level::error, "quota_went_back",
                 {{"reason", "the API server has forgotten this replica's lease: etcd was restored from a backup, or it was deleted"},
                  {"fix", "kubectl rollout restart deployment/portcullis-webhook"}});
  }
  look_at_usage();
  look_at_leases();
  look_at_sums();
  for (const auto& [name, tenant] : tenants_)  // who waits for views to go on
    if (tenant.dead.any() || !tenant.seen.empty()) touch(name);
  waiting_.forget_if([this](const std::string& name, const std::string& uid) {
    const auto tenant = tenants_.find(name);
    return tenant == tenants_.end() || !is_expected(tenant->second, uid);
  });
  standings_.trouble(trouble());
}

void QuotaLoop::look_at_usage() {
  std::string why = usage_obstacle(cluster_.status(), accounts_.resources(), options_.usage_age_max);
  if (std::exchange(usage_trouble_, why) != why) touch_all();
}

void QuotaLoop::look_at_leases() {
  const Clock::time_point now = Clock::now();
  const auto silent_since = [this](std::string_view key) { return leases_.silent_since(ledger_lease_name(key)); };
  // Our own renewals show that the watch goes on.
  if (!leases_.synced() || now - silent_since(key_) > lease_view_age_max) return;
  const auto spread =
      std::chrono::duration_cast<Clock::duration>(reclaim_spread) * static_cast<int>(std::hash<std::string>{}(key_) % 100) / 100;
  const Clock::duration lapse = std::chrono::duration_cast<Clock::duration>(options_.lease_duration) * 11 / 10;
  const DeadReplicas::Times times{lapse, lapse + options_.answer_time_max + options_.times.storing_max + spread};
  for (auto& [name, tenant] : tenants_) {
    if (!tenant.core.known()) continue;
    std::optional<DeadReplicas::Verdict> verdict = tenant.dead.look(tenant.core.known()->holds, key_, silent_since, times, now);
    if (!verdict) continue;
    tenant.core.dead(std::move(verdict->dead), std::move(verdict->lapsed));
    touch(name);
  }
}

// One resource a tick, since all its objects are gone through.
void QuotaLoop::look_at_sums() {
  const Clock::time_point now = Clock::now();
  if (now >= sums_due_ && unsummed_.empty()) {
    unsummed_ = accounts_.resources();
    sums_due_ = now + options_.sum_interval;
  }
  if (unsummed_.empty()) return;
  const std::string resource = std::move(unsummed_.extract(unsummed_.begin()).value());
  const auto corrections = accounts_.verify(resource, [&](const UsageAccounts::Tell& tell) {
    cluster_.each_usage(resource, [&](const kube::ObjectKey& at, std::string_view, std::string_view, const policy::Usage& usage) {
      tell(at.name_space, usage);
    });
  });
  for (const UsageAccounts::Correction& each : corrections) {
    metrics_.corrections.add();
    observe::log(observe::Level::error, "quota_usage_corrected",
                 {{"tenant", each.tenant}, {"dimension", each.dimension}, {"kept", each.kept}, {"summed", each.summed}});
    touch(each.tenant);
  }
}

void QuotaLoop::publish_standings() {
  standings_dirty_ = false;
  standings_due_ = Clock::now() + publish_spacing;
  auto table = std::make_shared<kube::BudgetTable>();
  QuotaStandings::Table all;
  for (const auto& [name, account] : accounts_.accounts()) {
    const auto tenant = tenants_.find(name);
    if (tenant == tenants_.end() || !tenant->second.core.known()) continue;
    for (const auto& [dimension, limit] : account.limits) {
      if (accounts_.version(account.resources.find(dimension)->second) == 0 || !tenant->second.core.known()->hard.contains(dimension))
        continue;
      const QuotaCore::Standing standing = tenant->second.core.standing(dimension);
      const policy::Dimension parts = policy::split_dimension(dimension);
      (*table)[{name, std::string(parts.entry)}].push_back({std::string(parts.resource), standing.hard, standing.used, standing.reserved});
      all[name][dimension] = standing;
    }
  }
  cluster_.publish_budgets(std::move(table), quotas_.progress());
  standings_.publish(std::move(all));
}

// --- the loop and its end ---

net::Task<void> QuotaLoop::run(Self self) {
  Deadline next_tick{};
  while (self->running_) {
    Deadline now = Clock::now();
    if (now >= next_tick) {
      self->tick();
      next_tick = now + tick_time;
    }
    Deadline due = self->act_on_what_is_due(now, next_tick);
    if (self->standings_dirty_) {
      if (now >= self->standings_due_) self->publish_standings();
      if (self->standings_dirty_) due = std::min(due, self->standings_due_);
    }
    if (self->stopping_ && self->is_settled()) break;
    now = Clock::now();
    if (due <= now) due = now + milliseconds(1);
    const bool told = co_await self->wake_.wait(due);
    if (!told && Clock::now() < due) break;  // cancelled
  }
  self->finish();
}

// When to act again.
Deadline QuotaLoop::act_on_what_is_due(Deadline now, Deadline due) {
  for (auto& [name, tenant] : tenants_) {
    const auto at = dirty_.find(name);
    const std::optional<Deadline> wake_at = tenant.core.wake_at();
    if (at != dirty_.end() || (wake_at && *wake_at <= now)) {
      if (at != dirty_.end()) dirty_.erase(at);
      act(name, tenant);
    }
    if (const std::optional<Deadline> next = tenant.core.wake_at()) due = std::min(due, *next);
  }
  dirty_.clear();
  return due;
}

bool QuotaLoop::is_settled() const {
  return std::all_of(tenants_.begin(), tenants_.end(),
                     [](const auto& each) { return each.second.core.stopped() && each.second.core.pending().empty(); });
}

void QuotaLoop::finish() {
  running_ = false;
  waiting_.refuse_all("the ledger is shutting down");
  const std::lock_guard lock(end_mutex_);
  ended_ = true;
  end_.notify_all();
}

void QuotaLoop::stop() {
  stopping_ = true;
  for (auto& [name, tenant] : tenants_) {
    tenant.core.stop();
    touch(name);
  }
  wake_.notify();
}

void QuotaLoop::give_up() {
  quotas_.stop();
  if (running_) finish();
  wake_.notify();
  if (watching_) return background_.spawn("quota_lease", [self = shared_from_this()] { return release(self); });
  const std::lock_guard lock(end_mutex_);
  released_ = true;
  end_.notify_all();
}

net::Task<void> QuotaLoop::release(Self self) {
  co_await self->lease_.release(kube::Lease::Release::remove, Clock::now() + seconds(1));
  const std::lock_guard lock(self->end_mutex_);
  self->released_ = true;
  self->end_.notify_all();
}

bool QuotaLoop::wait_ended(Deadline deadline) {
  std::unique_lock lock(end_mutex_);
  return end_.wait_until(lock, deadline, [this] { return ended_; });
}

void QuotaLoop::wait_released(Deadline deadline) {
  std::unique_lock lock(end_mutex_);
  end_.wait_until(lock, deadline, [this] { return released_; });
}

void QuotaLoop::expose(observe::Scrape& scrape) const {
  metrics_.expose(scrape);
  standings_.expose(scrape);
  drift_.expose(scrape);
  scrape.sample("portcullis_quota_went_back",
                "Whether the API server has forgotten this replica's lease: nothing is granted until a restart.",
                observe::MetricType::gauge, {}, lease_.went_back() ? 1 : 0);
}

}  // namespace portcullis::webhook
