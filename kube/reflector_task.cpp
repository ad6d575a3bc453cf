#include "kube/reflector_task.hpp"

#include <utility>

#include "net/until.hpp"

namespace portcullis::kube {
namespace {

constexpr std::chrono::seconds tick_time{1};

}  // namespace

Task<bool> ListGate::enter() {
  while (inside_ >= lists_max) {
    const Deadline deadline = Clock::now() + Reflector::list_time_max;
    const bool told = co_await left_.wait(deadline);
    if (!told && Clock::now() < deadline) co_return false;
  }
  ++inside_;
  co_return true;
}

void ListGate::leave() {
  --inside_;
  left_.notify();
}

ReflectorTask::ReflectorTask(Api& api, ListGate& gate, Sink& sink, Resource resource, ReflectorOptions options)
    : api_(api), gate_(gate), reflector_(std::move(resource), sink, std::move(options), Clock::now()) {}

Task<void> ReflectorTask::run(std::shared_ptr<ReflectorTask> self) {
  while (!self->stopping_) {
    Reflector::Action action = self->reflector_.next(Clock::now());
    if (action.step == Reflector::Step::wait) {
      const bool told = co_await self->wake_.wait(action.until);
      if (!told && Clock::now() < action.until) co_return;  // cancelled
    } else if (action.step == Reflector::Step::list) {
      co_await self->list(std::move(action));
    } else {
      self->ended_.reset();
      Task<void> work = self->watch(std::move(action));
      co_await net::until(self->end_stream_, std::move(work));
      if (self->stopping_) co_return;
      if (!self->ended_) self->ended_ = fail(ErrorKind::unavailable, self->reflector_.resource().name(), "called off");
      self->reflector_.watch_ended(Clock::now(), *self->ended_);
    }
  }
}

Task<void> ReflectorTask::list(Reflector::Action action) {
  const bool entered = co_await gate_.enter();
  if (!entered) co_return;
  // The time to answer begins when it is asked.
  Result<ApiResponse> response = co_await api_.call(std::move(action.request), Clock::now() + Reflector::list_time_max);
  gate_.leave();
  if (!stopping_) reflector_.listed(Clock::now(), std::move(response));
}

Task<void> ReflectorTask::watch(Reflector::Action action) {
  const std::function<bool(const ApiResponse&)> on_head = [this](const ApiResponse& head) {
    return !stopping_ && reflector_.watch_head(Clock::now(), head);
  };
  const std::function<bool(std::string_view)> on_bytes = [this](std::string_view bytes) {
    return !stopping_ && reflector_.watch_bytes(Clock::now(), bytes);
  };
  Result<StreamEnd> end = co_await api_.stream(std::move(action.request), on_head, on_bytes, action.until);
  ended_ = std::move(end);
}

Task<void> ReflectorTask::probe() {
  ApiRequest request = reflector_.probe(Clock::now());
  Result<ApiResponse> response = co_await api_.call(std::move(request), Clock::now() + Reflector::probe_time_max);
  if (!stopping_) reflector_.probed(Clock::now(), std::move(response));
}

Task<void> ReflectorTask::look(std::shared_ptr<ReflectorTask> self) {
  for (;;) {
    const bool slept = co_await net::sleep_until(Clock::now() + tick_time);
    if (!slept || self->stopping_) co_return;
    switch (self->reflector_.tick(Clock::now())) {
      case Reflector::Advice::none:
        break;
      case Reflector::Advice::probe:
        co_await self->probe();
        break;
      case Reflector::Advice::end_stream:
        self->end_stream_.notify();
        break;
    }
  }
}

void ReflectorTask::start(net::Background& background, const std::shared_ptr<ReflectorTask>& task, std::shared_ptr<void> owner) {
  background.spawn("kube_watch", [task, owner] { return run(task); });
  background.spawn("kube_watch_look", [task, owner = std::move(owner)] { return look(task); });
}

void ReflectorTask::stop() {
  stopping_ = true;
  wake_.notify();
  end_stream_.notify();
}

void ReflectorTask::start_over(bool metadata_only) {
  reflector_.start_over(metadata_only, Clock::now());
  wake_.notify();
  end_stream_.notify();
}

void ReflectorTask::retry_now() {
  reflector_.retry_now(Clock::now());
  wake_.notify();
}

}  // namespace portcullis::kube
