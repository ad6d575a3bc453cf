// The coroutine around a Reflector: does what it says, tells it what came of it.
#pragma once

#include <memory>
#include <optional>

#include "kube/api.hpp"
#include "kube/reflector.hpp"
#include "net/background.hpp"

namespace portcullis::kube {

// So many lists at a time, whatever the number of resources: a list costs the API server memory.
class ListGate {
 public:
  static constexpr unsigned lists_max = 8;
  Task<bool> enter();  // false when cancelled
  void leave();

 private:
  unsigned inside_ = 0;
  net::Event left_;
};

class ReflectorTask {
 public:
  // `api` and `gate` outlive the Background; the sink lives as long as the task.
  ReflectorTask(Api& api, ListGate& gate, std::shared_ptr<Sink> sink, Resource resource, ReflectorOptions options);

  static Task<void> run(std::shared_ptr<ReflectorTask> self);    // until stop() or cancelled
  static Task<void> probe(std::shared_ptr<ReflectorTask> self);  // when tick() says so
  // Once a second. True: spawn probe().
  bool tick(Clock::time_point now);
  void stop();
  void start_over(bool metadata_only);
  void retry_now();
  [[nodiscard]] const Reflector& reflector() const { return reflector_; }

 private:
  Task<void> list(Reflector::Action action);
  Task<void> watch(Reflector::Action action);

  Api& api_;
  ListGate& gate_;
  std::shared_ptr<Sink> sink_;
  Reflector reflector_;
  net::Event wake_, end_stream_;
  std::optional<Result<StreamEnd>> ended_;  // how the stream under way ended
  bool stopping_ = false;
};

}  // namespace portcullis::kube
