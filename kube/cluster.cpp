#include "kube/cluster.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <utility>

#include "kube/discovery.hpp"
#include "kube/reflector_task.hpp"
#include "kube/self_checks.hpp"
#include "observe/log.hpp"

namespace portcullis::kube {
namespace {

using observe::Level;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds batch_time{5};  // events that come together are published together
constexpr seconds tick_time{1};
constexpr seconds discovery_time_max{10}, discovery_spacing{5};

Instant wall_now() { return std::chrono::floor<seconds>(WallClock::now()); }

}  // namespace

struct Cluster::Impl : std::enable_shared_from_this<Cluster::Impl> {
  // A resource that is watched, or would be if the API server served it.
  struct Watched {
    std::optional<Resource> resource;
    std::shared_ptr<Intake> intake;
    std::shared_ptr<ReflectorTask> task;  // null: not served as far as discovery says
  };

  Impl(net::Background& background_, Api& api_, ClusterOptions options_)
      : background(background_), api(api_), options(options_), random(options.seed ? options.seed : std::random_device{}()) {
    snapshot = std::make_shared<const ClusterSnapshot>(options.facts_age_max);
  }

  net::Background& background;
  Api& api;
  const ClusterOptions options;

  // Of the kube thread.
  std::mt19937_64 random;
  bool started = false, stopping = false, dirty = false;
  Wanted wanted;
  std::map<std::string, Watched> watched;
  std::vector<UsageObserver*> observers;
  std::shared_ptr<UsageShapes> shapes = std::make_shared<UsageShapes>();
  ListGate gate;
  SelfChecks checks{api, gate, options.self_check, [this] { return chance(); }, [this] { return check_targets(); }};
  net::Event wake;      // something is to be published
  net::Event discover;  // discovery is wanted now
  Discovery discovery;
  Clock::time_point discovered_at{};
  std::string discovery_trouble;
  bool discovering = false, discovery_due = false;
  std::uint64_t generation = 0;  // of what is wanted

  // Shared.
  mutable std::mutex mutex;
  std::shared_ptr<const ClusterSnapshot> snapshot;
  std::shared_ptr<const BudgetTable> budgets;
  Sight budgets_sight;
  struct Report {
    ResourceStatus status;
    Clock::time_point progress;
  };
  std::vector<Report> reports;
  std::uint64_t wanted_generation = 0, reported_generation = 0;
  std::atomic<std::uint64_t> version{0};

  double chance() { return std::uniform_real_distribution<double>(0.0, 1.0)(random); }

  Intake::Owner owner_of(const std::string& name) {
    // The intake goes before this does: Impl holds it, and stops the tasks that hold it too.
    Intake::Owner owner;
    owner.dirty = [this] {
      dirty = true;
      wake.notify();
    };
    owner.not_served = [this] {
      discovery_due = true;
      discover.notify();
    };
    owner.usage = [this](const UsageChange& change) {
      for (UsageObserver* const each : observers) each->on_object(change);
    };
    owner.usage_progress = [this, name](std::string_view at) {
      for (UsageObserver* const each : observers) each->on_progress(name, at);
    };
    owner.usage_replaced = [this, name](std::string_view at) {
      for (UsageObserver* const each : observers) each->on_replaced(name, at);
    };
    return owner;
  }

  void begin_watch(Watched& each) {
    ReflectorOptions how;
    how.metadata_only = each.intake->roles().metadata_only;
    // Pods are the many and the large: as a stream they cost the API server no memory of their own.
    how.watch_list = each.resource->name() == "pods";
    how.start_spread = options.start_spread;
    how.chance = [this] { return chance(); };
    each.task = std::make_shared<ReflectorTask>(api, gate, *each.intake, *each.resource, std::move(how));
    ReflectorTask::start(background, each.task,
                         std::make_shared<std::pair<std::shared_ptr<Impl>, std::shared_ptr<Intake>>>(shared_from_this(), each.intake));
  }

  SelfChecks::Targets check_targets() const {
    SelfChecks::Targets targets;
    for (const auto& [name, each] : watched)
      if (each.task) targets.emplace(name, SelfChecks::Target{each.intake, each.task});
    return targets;
  }

  static void end_watch(Watched& each) {
    if (each.task) each.task->stop();
    each.task.reset();
    each.intake->forget();
  }

  // What is watched becomes what is wanted.
  void apply() {
    if (!started || stopping) return;
    if (wants_discovery(wanted) && !discovering) {
      discovering = true;
      background.spawn("kube_discovery", [self = shared_from_this()] { return keep_discovering(self); });
    }
    std::map<std::string, PlannedResource> planned = plan(wanted, discovery);
    for (auto at = watched.begin(); at != watched.end();) {
      const auto each = at++;
      if (planned.contains(each->first)) continue;
      end_watch(each->second);
      watched.erase(each);
    }
    for (auto& [name, each] : planned) {
      Watched& there = watched[name];
      if (!there.intake) {
        const std::string plural = name.substr(0, name.find('.'));
        const std::string group = name.find('.') == std::string::npos ? "" : name.substr(name.find('.') + 1);
        there.intake = std::make_shared<Intake>(plural, group, each.roles, shapes, owner_of(name));
      }
      const bool moved = there.resource != each.resource, changed = !(there.intake->roles() == each.roles);
      if (changed) there.intake->set_roles(each.roles);
      if (moved && there.task) end_watch(there);
      there.resource = each.resource;
      if (there.resource && !there.task) {
        begin_watch(there);
      } else if (there.task && changed) {
        there.task->start_over(each.roles.metadata_only);
      } else if (!there.resource && discovery.known() && (moved || changed || !there.intake->facts_known())) {
        there.intake->not_served_now();
      }
    }
    dirty = true;
    wake.notify();
  }

  Sight sight_of(const Watched& each) const {
    if (!each.intake->facts_known()) return {};
    if (!each.task) return {discovery.known(), discovered_at};
    return {each.task->reflector().synced(), each.task->reflector().progress()};
  }

  void publish() {
    dirty = false;
    auto next = std::make_shared<ClusterSnapshot>(options.facts_age_max);
    std::vector<Report> next_reports;
    Sight counted{true, Clock::time_point::max()};
    for (auto& [name, each] : watched) {
      const Sight sight = sight_of(each);
      if (each.intake->roles().counted) {
        counted.synced = counted.synced && sight.synced && each.intake->counted();
        counted.progress = std::min(counted.progress, sight.progress);
      }
      switch (each.intake->roles().facts) {
        case FactRole::none:
          break;
        case FactRole::namespaces:
          next->namespaces_sight = sight;
          next->namespaces = each.intake->namespaces();
          break;
        case FactRole::autoscalers:
          next->autoscalers_sight = sight;
          next->autoscalers = each.intake->autoscalers();
          break;
        case FactRole::workloads:
          next->workloads.push_back(
              {each.intake->roles().layout->group, each.intake->roles().layout->kind, sight, each.intake->workloads()});
          break;
      }
      next_reports.push_back(report_of(name, each, sight));
    }
    const std::lock_guard lock(mutex);
    next->budget_table = budgets;
    next->budgets_sight = {budgets_sight.synced && counted.synced, std::min(budgets_sight.progress, counted.progress)};
    snapshot = std::move(next);
    reports = std::move(next_reports);
    reported_generation = generation;
    version.fetch_add(1, std::memory_order_release);
  }

  Report report_of(const std::string& name, const Watched& each, const Sight& sight) const {
    Report report;
    ResourceStatus& status = report.status;
    status.resource = name;
    status.synced = sight.synced && (!each.intake->roles().counted || each.intake->counted());
    report.progress = sight.progress;
    status.objects = each.intake->objects();
    status.unreadable = each.intake->unreadable();
    status.checks = checks.counts(name);
    if (each.task) {
      const Reflector& reflector = each.task->reflector();
      status.served = reflector.served();
      status.version = reflector.version();
      status.trouble = reflector.trouble();
      status.counts = reflector.counts();
      status.rv_lag = reflector.rv_lag();
    } else {
      status.served = false;
      status.trouble = discovery_trouble;
    }
    return report;
  }

  void tick() {
    for (auto& [name, each] : watched) each.intake->expire(wall_now());
    // Counts and troubles for who asks for the status.
    std::vector<Report> next;
    next.reserve(watched.size());
    for (const auto& [name, each] : watched) next.push_back(report_of(name, each, sight_of(each)));
    const std::lock_guard lock(mutex);
    reports = std::move(next);
  }

  static Task<void> keep_publishing(std::shared_ptr<Impl> self) {
    Deadline next_tick = Clock::now() + tick_time;
    while (!self->stopping) {
      if (!self->dirty) {
        const bool told = co_await self->wake.wait(next_tick);
        if (!told && Clock::now() < next_tick) co_return;  // cancelled
      }
      if (self->dirty) {
        const bool slept = co_await net::sleep_until(Clock::now() + batch_time);
        if (!slept) co_return;
        self->publish();
      }
      if (Clock::now() < next_tick) continue;
      self->tick();
      next_tick = Clock::now() + tick_time;
    }
  }

  static Task<void> keep_discovering(std::shared_ptr<Impl> self) {
    Backoff backoff;
    while (!self->stopping && wants_discovery(self->wanted)) {
      const Clock::time_point asked = Clock::now();
      Result<ApiResponse> response = co_await self->api.call(self->discovery.request(), asked + discovery_time_max);
      const bool first = !self->discovery.known();
      const Result<bool> changed = self->discovery.answered(std::move(response));
      Deadline again = asked + self->options.discovery_interval;
      if (changed) {
        self->discovered_at = asked;
        self->discovery_trouble.clear();
        if (*changed || first) self->apply();
        self->dirty = true;
        self->wake.notify();
      } else {
        self->discovery_trouble = changed.error().message();
        observe::log_limited(Level::warn, "kube_discovery_trouble", {{"reason", self->discovery_trouble}});
        again = std::min<Deadline>(again, Clock::now() + backoff.next(Clock::now(), self->chance()));
      }
      if (!self->discovery_due) {
        const bool told = co_await self->discover.wait(again);
        if (!told && Clock::now() < again) co_return;  // cancelled
      }
      if (std::exchange(self->discovery_due, false)) {
        const bool slept = co_await net::sleep_until(std::max<Deadline>(asked + discovery_spacing, Clock::now()));
        if (!slept) co_return;
      }
    }
    self->discovering = false;
  }

  ClusterStatus status() const {
    const Clock::time_point now = Clock::now();
    ClusterStatus status;
    const std::lock_guard lock(mutex);
    status.current = wanted_generation > 0 && reported_generation == wanted_generation;
    for (const Report& each : reports) {
      status.resources.push_back(each.status);
      status.resources.back().age = now - each.progress;
    }
    return status;
  }

  void stop() {
    stopping = true;
    for (auto& [name, each] : watched)
      if (each.task) each.task->stop();
    checks.stop();
    wake.notify();
    discover.notify();
  }
};

Cluster::Cluster(net::Background& background, Api& api, ClusterOptions options) : impl_(std::make_shared<Impl>(background, api, options)) {}
Cluster::~Cluster() = default;

void Cluster::want(Wanted wanted) {
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(impl_->mutex);
    generation = ++impl_->wanted_generation;
  }
  impl_->background.post([impl = impl_, generation, wanted = std::move(wanted)]() mutable {
    impl->wanted = std::move(wanted);
    impl->generation = generation;
    impl->apply();
  });
}

void Cluster::observe(UsageObserver& observer) {
  impl_->background.post([impl = impl_, &observer] {
    impl->observers.push_back(&observer);
    for (const auto& [name, each] : impl->watched) {
      if (!each.intake->roles().counted) continue;
      each.intake->usage().each(
          [&observer, &name = name](const ObjectKey& key, std::string_view uid, std::string_view version, const policy::Usage& usage) {
            observer.on_object({name, key, uid, version, &usage, nullptr});
          });
      if (!each.intake->counted()) continue;
      const std::string version = each.task ? each.task->reflector().version() : "";
      observer.on_replaced(name, version);
      if (!version.empty()) observer.on_progress(name, version);
    }
  });
}

void Cluster::start() {
  impl_->background.post([impl = impl_] {
    if (std::exchange(impl->started, true)) return;
    impl->background.spawn("kube_publish", [impl] { return Impl::keep_publishing(impl); });
    impl->background.spawn("kube_self_check", [impl] { return impl->checks.run(); });
    impl->apply();
  });
}

void Cluster::stop() {
  impl_->background.post([impl = impl_] { impl->stop(); });
}

std::shared_ptr<const ClusterSnapshot> Cluster::snapshot() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->snapshot;
}

std::uint64_t Cluster::version() const { return impl_->version.load(std::memory_order_acquire); }

ClusterStatus Cluster::status() const { return impl_->status(); }

void Cluster::publish_budgets(std::shared_ptr<const BudgetTable> budgets, Clock::time_point progress) {
  impl_->background.post([impl = impl_, budgets = std::move(budgets), progress]() mutable {
    {
      const std::lock_guard lock(impl->mutex);
      impl->budgets = std::move(budgets);
      impl->budgets_sight = {true, progress};
    }
    impl->dirty = true;
    impl->wake.notify();
  });
}

void Cluster::each_usage(std::string_view resource, const EachUsage& tell) const {
  const auto found = impl_->watched.find(std::string(resource));
  if (found != impl_->watched.end()) found->second.intake->usage().each(tell);
}

std::optional<Resource> Cluster::resource(std::string_view name) const {
  const auto found = impl_->watched.find(std::string(name));
  return found == impl_->watched.end() ? std::nullopt : found->second.resource;
}

void Cluster::add_metrics(observe::Metrics& metrics) const {
  metrics.add_source([impl = impl_](observe::Scrape& scrape) { sample_status(scrape, impl->status()); });
}

}  // namespace portcullis::kube
