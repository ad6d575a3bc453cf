#include "webhook/quota_ledger.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "kube/leases.hpp"
#include "kube/reflector_task.hpp"
#include "observe/log.hpp"
#include "policy/document/budget.hpp"
#include "policy/object/to_json.hpp"
#include "policy/rule/rule.hpp"
#include "webhook/quota_metrics.hpp"
#include "webhook/quota_requests.hpp"
#include "webhook/usage_accounts.hpp"

namespace portcullis::webhook {
namespace {

using observe::Level;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds tick_time{1};
constexpr milliseconds publish_spacing{100};
constexpr seconds request_time_max{5};     // of one request; a write may be applied for D after it
constexpr seconds lease_view_age_max{30};  // older leases prove nobody's death
constexpr seconds reclaim_spread{5};       // replicas that see the same death do not all write at once
constexpr unsigned pages_max = 10'000;
constexpr seconds list_time_max{30};  // of one page
constexpr std::string_view lease_prefix = "portcullis-ledger-";
constexpr std::string_view lease_label = "portcullis.dev/lease", lease_kind = "ledger";
constexpr std::size_t replica_name_max = 40;

std::string nonce() {
  std::array<unsigned char, 4> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();  // a kernel without it is none of ours
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

// A name of our own that no process has had before: counters begin at zero with it.
std::string new_key(const std::string& replica) {
  std::string key;
  for (const char c : replica.substr(0, replica_name_max)) key += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
  return (key.empty() ? std::string("replica") : key) + "-" + nonce();
}

// Kinds that every API server has. Where one says 404 to them, it is no API server that spoke, and "there are none" is no answer;
// a CRD may go, and its objects go with it.
bool is_built_in(std::string_view resource) {
  const std::size_t dot = resource.find('.');
  const std::string_view group = dot == std::string_view::npos ? std::string_view() : resource.substr(dot + 1);
  return group.find('.') == std::string_view::npos || group == "networking.k8s.io";
}

std::string not_served_text(std::string_view resource) { return "the API server says that it does not know " + std::string(resource); }

}  // namespace

struct QuotaLedger::Impl final : std::enable_shared_from_this<QuotaLedger::Impl>, kube::UsageObserver, kube::Sink {
  struct Tenant {
    explicit Tenant(const std::string& key, const QuotaTimes& times) : core(key, times) {}
    QuotaCore core;
    std::vector<std::pair<std::string, SeenObject>> seen;  // with its resource, waiting for the view that has it
    QuotaCore::Dead dead;
    std::set<std::string, std::less<>> lapsed;
    std::map<std::string, std::pair<Amounts, Clock::time_point>, std::less<>> stood;  // others' `granted`, and since when
  };
  // A whole list of a resource: the newest version among its objects. None: it failed.
  struct Newest {
    std::optional<std::uint64_t> version;
    Clock::time_point since{};
    bool under_way = false;
    net::Event done;
  };
  struct Waiting {
    Done done;
    Clock::time_point since;
    std::string uid;
  };
  struct Expected {  // an object that somebody asked for
    std::string tenant;
    unsigned waiting = 0;
  };

  Impl(net::Background& background_, kube::Api& api_, kube::Cluster& cluster_, config::Store& store_, QuotaLedgerOptions options_)
      : background(background_),
        api(api_),
        cluster(cluster_),
        store(store_),
        options(std::move(options_)),
        key(new_key(options.replica)),
        lease(background, api, lease_options()),
        leases(background, api, options.name_space, std::string(lease_label) + "=" + std::string(lease_kind)) {
    kube::ReflectorOptions how;
    how.start_spread = options.start_spread;
    how.chance = [] { return static_cast<double>(Clock::now().time_since_epoch().count() % 1'000) / 1'000; };
    quotas_task = std::make_shared<kube::ReflectorTask>(
        api, gate, *this, kube::Resource{"portcullis.dev", "v1", "tenantquotas", "TenantQuota", false}, std::move(how));
  }

  [[nodiscard]] kube::LeaseOptions lease_options() const {
    kube::LeaseOptions lease;
    lease.name_space = options.name_space;
    lease.name = std::string(lease_prefix) + key;
    lease.identity = key;
    lease.duration = options.lease_duration;
    lease.labels = {{std::string(lease_label), std::string(lease_kind)}};
    return lease;
  }

  net::Background& background;
  kube::Api& api;
  kube::Cluster& cluster;
  config::Store& store;
  const QuotaLedgerOptions options;
  const std::string key;
  kube::Lease lease;
  kube::LeaseWatch leases;
  kube::ListGate gate;
  std::shared_ptr<kube::ReflectorTask> quotas_task;

  // Of the kube thread.
  UsageAccounts accounts;
  std::map<std::string, Tenant, std::less<>> tenants;  // that have a budget, or had one
  std::map<std::string, TenantQuota, std::less<>> quotas;
  std::set<std::string> listed;  // names of the list under way
  std::unordered_map<std::string, Expected> pending_uids;
  std::unordered_map<std::uint64_t, Waiting> waiting;
  std::uint64_t last_ticket = 0;
  std::set<std::string, std::less<>> dirty;
  net::Event wake;
  std::map<std::string, Newest> newest;  // by resource
  std::string usage_trouble = "usage is not known yet";
  bool quotas_synced = false, watching = false, running = false, stopping = false, standings_dirty = true;
  Deadline standings_due{};

  // Shared.
  mutable std::mutex mutex;
  std::condition_variable ended;
  std::map<std::string, std::map<std::string, QuotaCore::Standing, std::less<>>, std::less<>> standings;  // by tenant and dimension
  std::map<std::string, std::size_t, std::less<>> drift;
  std::string trouble = "not started";
  bool is_stopped = false, is_released = false, told_went_back = false;
  QuotaMetrics metrics;

  // --- what comes in ---

  // Budgets that a rule charges: without one nothing is watched and no lease is held.
  [[nodiscard]] bool is_needed() const {
    if (accounts.accounts().empty()) return false;
    const auto& policies = accounts.documents()->documents().policies;
    return std::any_of(policies.begin(), policies.end(), [](const policy::Policy& each) {
      return std::any_of(each.rules.begin(), each.rules.end(), [](const policy::PolicyRule& use) {
        const policy::RuleInfo* rule = policy::find_rule(use.id);
        return rule && rule->charges;
      });
    });
  }

  void begin_watching() {
    if (std::exchange(watching, true)) return;
    lease.start();
    leases.start();
    kube::ReflectorTask::start(background, quotas_task, shared_from_this());
  }

  void adopt_documents() {
    const config::Store::Snapshot before = accounts.documents();
    const config::Store::Snapshot documents = store.current();
    if (documents == before) return;
    std::set<std::string> resources;
    for (const policy::CountedResource& each : policy::counted_resources(documents->documents()))
      resources.insert(each.group.empty() ? each.resource : each.resource + "." + each.group);
    if (before) {
      for (const policy::CountedResource& each : policy::counted_resources(before->documents())) {
        const std::string name = each.group.empty() ? each.resource : each.resource + "." + each.group;
        if (!resources.contains(name)) accounts.forget(name);
      }
    }
    accounts.open(documents);
    for (const std::string& resource : resources) {
      cluster.each_usage(resource, [this](const kube::ObjectKey& at, std::string_view, std::string_view, const policy::Usage& usage) {
        accounts.change(at.name_space, &usage, nullptr);
      });
    }
    for (auto& [name, tenant] : tenants) tenant.core.limits({});
    for (const auto& [name, account] : accounts.accounts()) {
      Tenant& tenant = of(name);
      tenant.core.limits(account.limits);
      if (const auto quota = quotas.find(name); quota != quotas.end()) tenant.core.quota(quota->second);
      touch(name);
    }
    compare_all();
    if (is_needed()) begin_watching();
    const std::lock_guard lock(mutex);
    trouble = is_needed() ? obstacle() : std::string();
  }

  Tenant& of(const std::string& name) {
    const auto [at, fresh] = tenants.try_emplace(name, key, options.times);
    if (fresh && stopping) at->second.core.stop();
    return at->second;
  }

  void touch(std::string_view name) {
    dirty.emplace(name);
    wake.notify();
  }

  void on_object(const kube::UsageChange& change) override {
    const std::string_view tenant = accounts.change(change.key.name_space, change.usage, change.before);
    if (!tenant.empty()) touch(tenant);
    const auto pending = pending_uids.find(std::string(change.uid));
    if (pending == pending_uids.end()) return;
    const auto of_whom = tenants.find(pending->second.tenant);
    if (of_whom == tenants.end()) return;
    of_whom->second.seen.push_back({std::string(change.resource), {std::string(change.uid), version_number(change.version)}});
    touch(pending->second.tenant);
  }
  void on_progress(std::string_view resource, std::string_view version) override { accounts.progress(resource, version); }
  void on_replaced(std::string_view resource, std::string_view version) override {
    accounts.progress(resource, version);
    if (version.empty() && is_built_in(resource)) usage_trouble = not_served_text(resource);  // before anybody acts on "nothing is used"
    for (const auto& [name, tenant] : tenants) touch(name);
  }

  void begin() override { listed.clear(); }
  void take(policy::Value object) override { see_quota(object); }
  void replaced(std::string_view) override {
    quotas_synced = true;
    for (auto at = quotas.begin(); at != quotas.end();) {
      const auto each = at++;
      if (!listed.contains(each->first)) lose_quota(each->first);
    }
    compare_all();
  }
  void changed(const kube::WatchEvent& event) override {
    if (event.type == kube::EventType::deleted) return lose_quota(std::string(kube::metadata_text(event.object, "name")));
    if (event.type == kube::EventType::added || event.type == kube::EventType::modified) see_quota(event.object);
  }
  void progressed(std::string_view) override {  // what was published is younger now
    standings_dirty = true;
    wake.notify();
  }
  void not_served() override {
    listed.clear();
    replaced({});
  }

  void see_quota(policy::Value object) {
    Result<TenantQuota> quota = read_tenant_quota(policy::to_json(object));
    const std::string name(kube::metadata_text(object, "name"));
    if (!quota) {
      observe::log_limited(Level::error, "quota_not_readable", {{"tenant", name}, {"reason", quota.error().message()}});
      return lose_quota(name);
    }
    listed.insert(name);
    if (const auto tenant = tenants.find(name); tenant != tenants.end()) {
      tenant->second.core.quota(*quota);
      touch(name);
    }
    quotas.insert_or_assign(name, *std::move(quota));
    compare(name);
  }

  void lose_quota(const std::string& name) {
    quotas.erase(name);
    if (const auto tenant = tenants.find(name); tenant != tenants.end()) {
      tenant->second.core.quota(std::nullopt);
      touch(name);
    }
    compare(name);
  }

  // How many dimensions of a tenant the object has otherwise than the documents.
  void compare(const std::string& name) {
    const auto account = accounts.accounts().find(name);
    const auto quota = quotas.find(name);
    std::size_t different = 0;
    if (account != accounts.accounts().end()) {
      for (const auto& [dimension, limit] : account->second.limits) {
        const bool same =
            quota != quotas.end() && quota->second.hard.contains(dimension) && amount_of(quota->second.hard, dimension) == limit;
        different += same ? 0 : 1;
      }
    }
    if (quota != quotas.end()) {
      for (const auto& [dimension, hard] : quota->second.hard)
        different += account != accounts.accounts().end() && account->second.limits.contains(dimension) ? 0 : 1;
    }
    const std::lock_guard lock(mutex);
    if (different == 0) {
      drift.erase(name);
      return;
    }
    if (std::exchange(drift[name], different) == different || !quotas_synced) return;
    observe::log(Level::warn, "quota_differs_from_documents",
                 {{"tenant", name},
                  {"dimensions", static_cast<std::uint64_t>(different)},
                  {"fix", quota == quotas.end() ? "no TenantQuota: apply what `portcullis render tenant-quotas` prints"
                                                : "the smaller of both counts until `portcullis render tenant-quotas` is applied"}});
  }
  void compare_all() {
    for (const auto& [name, account] : accounts.accounts()) compare(name);
    for (const auto& [name, quota] : quotas) compare(name);
  }

  // --- charges ---

  void charge(const policy::Charge& asked, Deadline deadline, Done done, Clock::time_point since) {
    const auto refuse = [&](std::string why) {
      metrics.answered(policy::ChargeStatus::unavailable, 0);
      done(policy::unavailable(std::move(why)));
    };
    if (!running || stopping) return refuse("the ledger is shutting down");
    if (asked.object_uid.empty()) return refuse("the object has no uid");
    std::optional<Claim> claim = accounts.claim(asked);
    if (!claim) return refuse("the documents have changed since");
    Tenant& tenant = of(asked.tenant);
    const std::uint64_t ticket = ++last_ticket;
    Expected& expected = pending_uids[claim->uid];
    expected.tenant = asked.tenant;
    ++expected.waiting;
    waiting.emplace(ticket, Waiting{std::move(done), since, claim->uid});
    tenant.core.charge(ticket, *std::move(claim), deadline, Clock::now());
    touch(asked.tenant);
  }

  void answer(std::uint64_t ticket, policy::ChargeOutcome outcome) {
    const auto found = waiting.find(ticket);
    if (found == waiting.end()) return;
    const Waiting waiter = std::move(found->second);
    waiting.erase(found);
    if (const auto expected = pending_uids.find(waiter.uid); expected != pending_uids.end() && expected->second.waiting > 0)
      --expected->second.waiting;
    metrics.answered(outcome.status, std::chrono::duration<double>(Clock::now() - waiter.since).count());
    waiter.done(std::move(outcome));
  }

  // --- what is done ---

  [[nodiscard]] std::string obstacle() const {
    if (!quotas_synced) return "TenantQuotas are not known yet";
    if (!usage_trouble.empty()) return usage_trouble;
    if (!lease.held()) return "the replica's lease is not held";
    // Our views may be of objects that are no more, and lack those that are again: one write by them and the newest view is wrong.
    if (lease.went_back()) return "the API server has forgotten this replica's lease, as after a restored backup: restart the replica";
    return {};
  }

  // Whether the object may still come: a claim for it waits, or was let through.
  [[nodiscard]] bool is_expected(const Tenant& tenant, const std::string& uid) const {
    const auto expected = pending_uids.find(uid);
    return (expected != pending_uids.end() && expected->second.waiting > 0) || tenant.core.waits_for(uid);
  }

  void act(const std::string& name, Tenant& tenant) {
    tenant.core.obstacle(obstacle());
    const auto account = accounts.accounts().find(name);
    if (account != accounts.accounts().end()) {
      UsageView view = accounts.view(account->second);
      std::vector<SeenObject> seen;
      std::erase_if(tenant.seen, [&](auto& each) {
        if (each.second.version > accounts.version(each.first)) return false;
        seen.push_back(std::move(each.second));
        return true;
      });
      if (!view.rv.empty()) tenant.core.observe(std::move(view), seen);
      for (const SeenObject& object : seen)
        if (!is_expected(tenant, object.uid)) pending_uids.erase(object.uid);
    }
    QuotaActions actions = tenant.core.act(Clock::now());
    for (QuotaActions::Answer& each : actions.answers) answer(each.ticket, std::move(each.outcome));
    if (actions.patch)
      spawn("quota_write", [self = shared_from_this(), name, patch = *std::move(actions.patch)] { return write(self, name, patch); });
    if (actions.read) spawn("quota_read", [self = shared_from_this(), name] { return read(self, name); });
    if (actions.look)
      spawn("quota_look", [self = shared_from_this(), name, object = *std::move(actions.look)] { return look(self, name, object); });
    if (actions.list_versions) spawn("quota_list", [self = shared_from_this(), name] { return list(self, name); });
    standings_dirty = true;
  }

  template <class Make>
  void spawn(std::string_view what, Make make) {
    background.spawn(what, std::function<net::Task<void>()>(std::move(make)));
  }

  static net::Task<void> write(std::shared_ptr<Impl> self, std::string name, QuotaPatch patch) {
    Tenant& tenant = self->of(name);
    const TenantQuota none;
    const TenantQuota& seen = tenant.core.known() ? *tenant.core.known() : none;
    kube::ApiRequest request = patch_request(name, patch, seen);
    const Result<kube::ApiResponse> answer = co_await self->api.call(std::move(request), Clock::now() + request_time_max);
    WriteResult result = patch_result(answer, patch.if_version != 0);
    std::optional<TenantQuota> after;
    if (result == WriteResult::applied) {
      if (Result<TenantQuota> read = read_tenant_quota(answer->body)) after = *std::move(read);
      if (!patch.removed.empty()) self->metrics.reclaims.add(patch.removed.size());
    } else if (result != WriteResult::refused) {
      observe::log_limited(Level::warn, "quota_not_written",
                           {{"tenant", name}, {"reason", answer ? "status " + std::to_string(answer->status) : answer.error().message()}});
    }
    self->metrics.wrote(result);
    tenant.core.obstacle(self->obstacle());
    tenant.core.wrote(result, std::move(after), Clock::now());
    self->act(name, tenant);
    self->wake.notify();
  }

  static net::Task<void> read(std::shared_ptr<Impl> self, std::string name) {
    self->metrics.reads.add();
    Tenant& tenant = self->of(name);
    kube::ApiRequest request = read_request(name);
    const Result<kube::ApiResponse> answer = co_await self->api.call(std::move(request), Clock::now() + request_time_max);
    tenant.core.obstacle(self->obstacle());
    if (answer && answer->status == 404) {
      tenant.core.read(std::nullopt, Clock::now());
    } else if (answer && answer->status == 200) {
      if (Result<TenantQuota> quota = read_tenant_quota(answer->body)) {
        tenant.core.read(*std::move(quota), Clock::now());
      } else {
        tenant.core.read_failed(Clock::now());
      }
    } else {
      tenant.core.read_failed(Clock::now());
    }
    self->act(name, tenant);
    self->wake.notify();
  }

  static net::Task<void> look(std::shared_ptr<Impl> self, std::string name, ObjectName object) {
    self->metrics.looks.add();
    Tenant& tenant = self->of(name);
    const std::optional<kube::Resource> resource = self->cluster.resource(object.resource);
    std::optional<Looked> looked;
    if (!self->is_counted(name, object.resource)) {
      looked.emplace();  // no budget of the tenant bounds it any more, and no view will ever have it
    } else if (resource) {
      kube::ApiRequest request = look_request(*resource, object);
      const Result<kube::ApiResponse> answer = co_await self->api.call(std::move(request), Clock::now() + request_time_max);
      looked = look_result(answer, object.name);
    }
    if (looked) {
      tenant.core.looked(looked->uid, looked->version, Clock::now());
    } else {
      tenant.core.look_failed(Clock::now());
    }
    self->touch(name);
  }

  [[nodiscard]] bool is_counted(const std::string& tenant, const std::string& resource) const {
    const auto account = accounts.accounts().find(tenant);
    return account != accounts.accounts().end() && std::any_of(account->second.resources.begin(), account->second.resources.end(),
                                                               [&](const auto& each) { return each.second == resource; });
  }

  // The newest version of each resource's objects, as they are now. One list serves all tenants that ask within its time.
  static net::Task<void> list(std::shared_ptr<Impl> self, std::string name) {
    Tenant& tenant = self->of(name);
    const Clock::time_point asked = Clock::now();
    std::map<std::string, std::string, std::less<>> resources;
    if (const auto account = self->accounts.accounts().find(name); account != self->accounts.accounts().end())
      resources = account->second.resources;
    Amounts barrier;
    bool whole = true;
    for (const auto& [dimension, resource] : resources) {
      const std::optional<std::uint64_t> newest = co_await newest_of(self, resource, asked);
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

  static net::Task<std::optional<std::uint64_t>> newest_of(std::shared_ptr<Impl> self, std::string resource_name, Clock::time_point since) {
    Newest& known = self->newest[resource_name];
    while (known.under_way) {
      const bool told = co_await known.done.wait(Clock::now() + seconds(60));
      if (!told) co_return std::nullopt;
    }
    if (known.version && known.since >= since) co_return known.version;
    const std::optional<kube::Resource> resource = self->cluster.resource(resource_name);
    known.since = Clock::now();
    known.version = 0;
    if (!resource) co_return known.version;  // not served: there is nothing
    known.under_way = true;
    std::string from;
    for (unsigned page = 0; page < pages_max && known.version; ++page) {
      self->metrics.lists.add();
      kube::ApiRequest request = list_request(*resource, from);
      const Result<kube::ApiResponse> answer = co_await self->api.call(std::move(request), Clock::now() + list_time_max);
      const std::optional<ListedPage> listed = list_result(answer);
      known.version = listed ? std::optional(std::max(*known.version, listed->newest)) : std::nullopt;
      from = listed ? listed->next : std::string();
      if (from.empty()) break;
    }
    if (!from.empty()) known.version = std::nullopt;
    known.under_way = false;
    known.done.notify();
    co_return known.version;
  }

  // --- once a second ---

  void tick() {
    if (lease.went_back() && !std::exchange(told_went_back, true)) {
      observe::log(Level::error, "quota_went_back",
                   {{"reason", "the API server has forgotten this replica's lease: etcd was restored from a backup, or it was deleted"},
                    {"fix", "kubectl rollout restart deployment/portcullis-webhook"}});
    }
    look_at_usage();
    look_at_leases();
    for (const auto& [name, tenant] : tenants)  // who waits for views to go on
      if (!tenant.dead.empty() || !tenant.seen.empty()) touch(name);
    std::erase_if(pending_uids, [this](const auto& each) {
      const auto tenant = tenants.find(each.second.tenant);
      return tenant == tenants.end() || !is_expected(tenant->second, each.first);
    });
    const std::lock_guard lock(mutex);
    trouble = is_needed() ? obstacle() : std::string();
  }

  void look_at_usage() {
    std::string why;
    const kube::ClusterStatus status = cluster.status();
    if (!status.current) why = "usage is not known yet";
    std::set<std::string, std::less<>> counted;
    for (const auto& [name, account] : accounts.accounts())
      for (const auto& [dimension, resource] : account.resources) counted.insert(resource);
    for (const kube::ResourceStatus& each : status.resources) {
      if (!counted.contains(each.resource)) continue;
      if (!each.synced) why = "usage of " + each.resource + " is not known yet";
      if (each.synced && !each.served && is_built_in(each.resource)) why = not_served_text(each.resource);
      if (each.synced && each.served && each.age > options.usage_age_max) why = "usage of " + each.resource + " is too old";
    }
    if (std::exchange(usage_trouble, why) == why) return;
    for (const auto& [name, tenant] : tenants) touch(name);
  }

  void look_at_leases() {
    const Clock::time_point now = Clock::now();
    // Our own renewals show that the watch goes on.
    if (!leases.synced() || now - leases.silent_since(std::string(lease_prefix) + key) > lease_view_age_max) return;
    const auto spread =
        std::chrono::duration_cast<Clock::duration>(reclaim_spread) * static_cast<int>(std::hash<std::string>{}(key) % 100) / 100;
    const Clock::duration lapse = std::chrono::duration_cast<Clock::duration>(options.lease_duration) * 11 / 10;
    const Clock::duration death = lapse + options.answer_time_max + options.times.storing_max + spread;
    for (auto& [name, tenant] : tenants) {
      if (!tenant.core.known()) continue;
      QuotaCore::Dead dead;
      std::set<std::string, std::less<>> lapsed;
      const Holds& holds = tenant.core.known()->holds;
      std::erase_if(tenant.stood, [&](const auto& each) { return !holds.contains(each.first); });
      for (const auto& [other, hold] : holds) {
        if (other == key) continue;
        auto& [granted, since] = tenant.stood.try_emplace(other, hold.granted, now).first->second;
        if (granted != hold.granted) {
          granted = hold.granted;
          since = now;
        }
        // Who has just come may be seen here before its lease is; and whose lease is seen late may have granted meanwhile.
        const Clock::duration silent = now - std::max(since, leases.silent_since(std::string(lease_prefix) + other));
        if (silent > lapse) lapsed.insert(other);
        if (silent > death) dead.emplace(other, granted);
      }
      // Told each time as long as there are any: what was taken away may be written again by a patch that comes late.
      if (dead.empty() && tenant.dead.empty() && lapsed == tenant.lapsed) continue;
      tenant.dead = dead;
      tenant.lapsed = lapsed;
      tenant.core.dead(std::move(dead), std::move(lapsed));
      touch(name);
    }
  }

  void publish_standings() {
    standings_dirty = false;
    standings_due = Clock::now() + publish_spacing;
    auto table = std::make_shared<kube::BudgetTable>();
    std::map<std::string, std::map<std::string, QuotaCore::Standing, std::less<>>, std::less<>> all;
    for (const auto& [name, account] : accounts.accounts()) {
      const auto tenant = tenants.find(name);
      if (tenant == tenants.end() || !tenant->second.core.known()) continue;
      for (const auto& [dimension, limit] : account.limits) {
        if (accounts.version(account.resources.find(dimension)->second) == 0 || !tenant->second.core.known()->hard.contains(dimension))
          continue;
        const QuotaCore::Standing standing = tenant->second.core.standing(dimension);
        const policy::Dimension parts = policy::split_dimension(dimension);
        (*table)[{name, std::string(parts.entry)}].push_back(
            {std::string(parts.resource), standing.hard, standing.used, standing.reserved});
        all[name][dimension] = standing;
      }
    }
    cluster.publish_budgets(std::move(table), quotas_task->reflector().progress());
    const std::lock_guard lock(mutex);
    standings = std::move(all);
  }

  static net::Task<void> run(std::shared_ptr<Impl> self) {
    Deadline next_tick{};
    while (self->running) {
      Deadline now = Clock::now();
      if (now >= next_tick) {
        self->tick();
        next_tick = now + tick_time;
      }
      Deadline due = next_tick;
      for (auto& [name, tenant] : self->tenants) {
        const auto at = self->dirty.find(name);
        const std::optional<Deadline> wake_at = tenant.core.wake_at();
        if (at != self->dirty.end() || (wake_at && *wake_at <= now)) {
          if (at != self->dirty.end()) self->dirty.erase(at);
          self->act(name, tenant);
        }
        if (const std::optional<Deadline> next = tenant.core.wake_at()) due = std::min(due, *next);
      }
      self->dirty.clear();
      if (self->standings_dirty) {
        if (now >= self->standings_due) self->publish_standings();
        if (self->standings_dirty) due = std::min(due, self->standings_due);
      }
      if (self->stopping && self->is_settled()) break;
      now = Clock::now();
      if (due <= now) due = now + milliseconds(1);
      const bool told = co_await self->wake.wait(due);
      if (!told && Clock::now() < due) break;  // cancelled
    }
    self->finish();
  }

  [[nodiscard]] bool is_settled() const {
    return std::all_of(tenants.begin(), tenants.end(),
                       [](const auto& each) { return each.second.core.stopped() && each.second.core.pending().empty(); });
  }

  static net::Task<void> release(std::shared_ptr<Impl> self) {
    co_await self->lease.release(kube::Lease::Release::remove, Clock::now() + seconds(1));
    const std::lock_guard lock(self->mutex);
    self->is_released = true;
    self->ended.notify_all();
  }

  void finish() {
    running = false;
    for (auto& [ticket, waiter] : std::exchange(waiting, {})) waiter.done(policy::unavailable("the ledger is shutting down"));
    const std::lock_guard lock(mutex);
    is_stopped = true;
    ended.notify_all();
  }
};

QuotaLedger::QuotaLedger(net::Background& background, kube::Api& api, kube::Cluster& cluster, config::Store& store,
                         QuotaLedgerOptions options)
    : impl_(std::make_shared<Impl>(background, api, cluster, store, std::move(options))) {}

QuotaLedger::~QuotaLedger() = default;

void QuotaLedger::start() {
  impl_->background.post([impl = impl_] {
    impl->running = true;
    impl->adopt_documents();
    impl->background.spawn("quota_ledger", [impl] { return Impl::run(impl); });
  });
  impl_->cluster.observe(*impl_);
  impl_->store.on_reload([weak = std::weak_ptr<Impl>(impl_)](const config::Store::Snapshot&, const policy::DocumentErrors&) {
    const std::shared_ptr<Impl> impl = weak.lock();
    if (!impl) return;
    impl->background.post([impl] { impl->adopt_documents(); });
  });
}

bool QuotaLedger::stop(Deadline deadline) {
  impl_->background.post([impl = impl_] {
    impl->stopping = true;
    for (auto& [name, tenant] : impl->tenants) {
      tenant.core.stop();
      impl->touch(name);
    }
    impl->wake.notify();
  });
  const auto wait = [&] {
    std::unique_lock lock(impl_->mutex);
    return impl_->ended.wait_until(lock, deadline, [&] { return impl_->is_stopped; });
  };
  const bool settled = wait();
  impl_->background.post([impl = impl_] {
    impl->quotas_task->stop();
    if (impl->running) impl->finish();
    impl->wake.notify();
    if (impl->watching) return impl->background.spawn("quota_lease", [impl] { return Impl::release(impl); });
    const std::lock_guard lock(impl->mutex);
    impl->is_released = true;
    impl->ended.notify_all();
  });
  // The lease goes at last: what could not be released is reclaimed by the others once it has been silent long enough.
  std::unique_lock lock(impl_->mutex);
  impl_->ended.wait_until(lock, Clock::now() + seconds(1), [&] { return impl_->is_released; });
  return settled;
}

void QuotaLedger::charge(policy::Charge charge, Deadline deadline, Done done) {
  impl_->background.post([impl = impl_, charge = std::move(charge), deadline, done = std::move(done), since = Clock::now()]() mutable {
    impl->charge(charge, deadline, std::move(done), since);
  });
}

policy::ChargeOutcome QuotaLedger::would_grant(const policy::Charge& charge) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->trouble.empty()) return policy::unavailable(impl_->trouble);
  const auto tenant = impl_->standings.find(charge.tenant);
  policy::ChargeOutcome outcome;
  outcome.status = policy::ChargeStatus::granted;
  for (const policy::Amount& added : charge.added) {
    if (tenant == impl_->standings.end() || !tenant->second.contains(added.resource)) return policy::unavailable("the budget is not known");
    const QuotaCore::Standing& standing = tenant->second.find(added.resource)->second;
    const bool over = standing.used + added.units > standing.hard;
    if (!over && standing.used + standing.reserved + added.units <= standing.hard) continue;
    outcome.status = over ? policy::ChargeStatus::over : policy::ChargeStatus::reserved;
    outcome.resource = added.resource;
    outcome.hard = standing.hard;
    outcome.used = standing.used;
    outcome.reserved = standing.reserved;
    outcome.added = added.units;
    if (over) break;
  }
  return outcome;
}

std::string QuotaLedger::not_ready_because() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->trouble;
}

void QuotaLedger::add_metrics(observe::Metrics& metrics) const {
  metrics.add_source([impl = impl_](observe::Scrape& scrape) {
    impl->metrics.expose(scrape);
    scrape.sample("portcullis_quota_went_back",
                  "Whether the API server has forgotten this replica's lease: nothing is granted until a restart.",
                  observe::MetricType::gauge, {}, impl->lease.went_back() ? 1 : 0);
    const std::lock_guard lock(impl->mutex);
    const auto sample = [&](const char* name, const char* help, const std::string& tenant, const std::string& dimension,
                            std::int64_t value) {
      scrape.sample(name, help, observe::MetricType::gauge, {{"tenant", tenant}, {"dimension", dimension}}, static_cast<double>(value));
    };
    for (const auto& [tenant, dimensions] : impl->standings) {
      for (const auto& [dimension, standing] : dimensions) {
        sample("portcullis_quota_hard", "What the budget allows, in base units.", tenant, dimension, standing.hard);
        sample("portcullis_quota_used", "What the tenant's objects use, in base units.", tenant, dimension, standing.used);
        sample("portcullis_quota_reserved", "What is reserved for writes under way, in base units.", tenant, dimension, standing.reserved);
      }
    }
    for (const auto& [tenant, dimensions] : impl->drift)
      scrape.sample("portcullis_quota_drift", "Dimensions of a tenant's TenantQuota that differ from its documents.",
                    observe::MetricType::gauge, {{"tenant", tenant}}, static_cast<double>(dimensions));
  });
}

}  // namespace portcullis::webhook
