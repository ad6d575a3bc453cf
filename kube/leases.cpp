#include "kube/leases.hpp"

#include <mutex>
#include <utility>

#include "kube/reflector_task.hpp"

namespace portcullis::kube {
namespace {

constexpr std::size_t gone_max = 4'096;  // leases remembered after they went

}  // namespace

struct Lease::Impl {
  Impl(net::Background& background_, Api& api_, LeaseOptions options) : background(background_), api(api_), machine(std::move(options)) {}

  net::Background& background;
  Api& api;
  LeaseMachine machine;  // of the kube thread, like what follows
  bool stopping = false;
  net::Event wake;
  std::atomic<bool> went_back{false};
  std::atomic<BootClock::rep> valid_until{0};
  mutable std::mutex mutex;
  std::string trouble;

  void say() {
    went_back.store(machine.went_back(), std::memory_order_release);
    valid_until.store(machine.valid_until().time_since_epoch().count(), std::memory_order_release);
    const std::lock_guard lock(mutex);
    trouble = machine.trouble();
  }

  static Task<void> keep(std::shared_ptr<Impl> self) {
    while (!self->stopping) {
      LeaseMachine::Action action = self->machine.next(BootClock::now(), WallClock::now());
      if (action.step == LeaseMachine::Step::wait) {
        const Deadline until = Clock::now() + std::chrono::ceil<Clock::duration>(action.wait);
        const bool told = co_await self->wake.wait(until);
        if (!told && Clock::now() < until) co_return;  // cancelled
        continue;
      }
      Result<ApiResponse> response = co_await self->api.call(std::move(action.request), Clock::now() + LeaseMachine::answer_time_max);
      if (self->stopping) co_return;
      self->machine.answered(BootClock::now(), std::move(response));
      self->say();
    }
  }
};

Lease::Lease(net::Background& background, Api& api, LeaseOptions options)
    : impl_(std::make_shared<Impl>(background, api, std::move(options))) {}

Lease::~Lease() {
  impl_->background.post([impl = impl_] {
    impl->stopping = true;
    impl->wake.notify();
  });
}

void Lease::start() {
  impl_->background.spawn("kube_lease", [impl = impl_] { return Impl::keep(impl); });
}

BootClock::time_point Lease::valid_until() const {
  return BootClock::time_point(BootClock::duration(impl_->valid_until.load(std::memory_order_acquire)));
}

bool Lease::went_back() const { return impl_->went_back.load(std::memory_order_acquire); }

std::string Lease::trouble() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->trouble;
}

Task<void> Lease::release(Release how, Deadline deadline) {
  const std::shared_ptr<Impl> impl = impl_;
  impl->stopping = true;
  impl->wake.notify();
  std::optional<ApiRequest> request = impl->machine.release(how == Release::remove, WallClock::now());
  impl->say();
  if (!request) co_return;
  const Result<ApiResponse> response = co_await impl->api.call(*std::move(request), deadline);
  (void)response;  // what was not given back ends by itself
}

struct LeaseWatch::Impl final : public Sink {
  struct Seen {
    std::string version;
    Clock::time_point changed_at{};
    bool there = false, in_list = false;
  };

  net::Background* background = nullptr;
  ListGate gate;
  std::shared_ptr<ReflectorTask> task;
  std::map<std::string, Seen, std::less<>> leases;
  Clock::time_point synced_at{};
  bool was_synced = false;

  void see(policy::Value object, bool in_list) {
    const std::string_view name = metadata_text(object, "name"), version = metadata_text(object, "resourceVersion");
    if (name.empty()) return;
    Seen& seen = leases[std::string(name)];
    if (!seen.there || seen.version != version) seen.changed_at = Clock::now();
    seen.there = true;
    seen.in_list = in_list;
    seen.version = version;
  }
  void lose(Seen& seen) {
    if (seen.there) seen.changed_at = Clock::now();
    seen.there = false;
  }
  void begin() override {
    for (auto& [name, seen] : leases) seen.in_list = false;
  }
  void take(policy::Value object) override { see(object, true); }
  void replaced(std::string_view) override {
    if (!std::exchange(was_synced, true)) synced_at = Clock::now();
    for (auto& [name, seen] : leases)
      if (!seen.in_list) lose(seen);
    if (leases.size() > gone_max) std::erase_if(leases, [](const auto& each) { return !each.second.there; });
  }
  void changed(const WatchEvent& event) override {
    if (event.type != EventType::deleted) return see(event.object, true);
    const auto found = leases.find(metadata_text(event.object, "name"));
    if (found != leases.end()) lose(found->second);
  }
  void progressed(std::string_view) override {}
  void not_served() override { replaced(""); }
};

LeaseWatch::LeaseWatch(net::Background& background, Api& api, std::string name_space, std::string label_selector)
    : impl_(std::make_shared<Impl>()) {
  impl_->background = &background;
  ReflectorOptions options;
  options.name_space = std::move(name_space);
  options.label_selector = std::move(label_selector);
  options.chance = [] { return static_cast<double>(Clock::now().time_since_epoch().count() % 1'000) / 1'000; };
  const Resource leases{"coordination.k8s.io", "v1", "leases", "Lease"};
  impl_->task = std::make_shared<ReflectorTask>(api, impl_->gate, *impl_, leases, std::move(options));
}

LeaseWatch::~LeaseWatch() {
  impl_->background->post([impl = impl_] { impl->task->stop(); });
}

void LeaseWatch::start() { ReflectorTask::start(*impl_->background, impl_->task, impl_); }

bool LeaseWatch::synced() const { return impl_->was_synced; }

Clock::time_point LeaseWatch::progress() const { return impl_->task->reflector().progress(); }

Clock::time_point LeaseWatch::silent_since(std::string_view name) const {
  const auto found = impl_->leases.find(name);
  return found == impl_->leases.end() ? impl_->synced_at : found->second.changed_at;
}

std::vector<std::string> LeaseWatch::names() const {
  std::vector<std::string> names;
  for (const auto& [name, seen] : impl_->leases)
    if (seen.there) names.push_back(name);
  return names;
}

}  // namespace portcullis::kube
