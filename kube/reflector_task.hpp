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
  // All three outlive the task's coroutines: `owner` of start() sees to that.
  ReflectorTask(Api& api, ListGate& gate, Sink& sink, Resource resource, ReflectorOptions options);

  // Until stop(), or the Background's. `owner` is held as long.
  static void start(net::Background& background, const std::shared_ptr<ReflectorTask>& task, std::shared_ptr<void> owner);
  void stop();
  void start_over(bool metadata_only);
  void retry_now();
  void server_is_at(std::string_view version) { reflector_.server_is_at(version); }
  [[nodiscard]] const Reflector& reflector() const { return reflector_; }

 private:
  static Task<void> run(std::shared_ptr<ReflectorTask> self);
  static Task<void> look(std::shared_ptr<ReflectorTask> self);  // once a second: what silence means
  Task<void> list(Reflector::Action action);
  Task<void> watch(Reflector::Action action);
  Task<void> probe();

  Api& api_;
  ListGate& gate_;
  Reflector reflector_;
  net::Event wake_, end_stream_;
  std::optional<Result<StreamEnd>> ended_;  // how the stream under way ended
  bool stopping_ = false;
};

}  // namespace portcullis::kube
