// The coroutine around SelfChecks: each watched resource about every ten minutes, one at a time, at times that differ from replica to
// replica. What was found to differ twice in a row is logged, counted, and listed anew.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "kube/intake.hpp"
#include "kube/reflector_task.hpp"
#include "kube/self_check.hpp"

namespace portcullis::kube {

class SelfChecks {
 public:
  struct Target {
    std::shared_ptr<Intake> intake;
    std::shared_ptr<ReflectorTask> task;
  };
  using Targets = std::map<std::string, Target>;  // by resource
  struct Counts {
    std::uint64_t checks = 0, failures = 0, inconsistencies = 0;  // failures: without a verdict; inconsistencies: among the checks
  };

  // `targets`: those that are watched now. `chance`: in [0, 1). `api` and `gate` outlive it, and it its task.
  SelfChecks(Api& api, ListGate& gate, SelfCheckOptions options, std::function<double()> chance, std::function<Targets()> targets);

  Task<void> run();  // until stop(), or the Background's
  void stop();
  [[nodiscard]] Counts counts(const std::string& resource) const;  // since the start

 private:
  Deadline plan(const Targets& targets, Clock::time_point now);
  Task<void> check(std::string name, Target target);
  Task<SelfCheck::Verdict> compare(Target target);
  Task<bool> list(SelfCheck& check, ReflectorTask& task);
  void conclude(const std::string& name, const Target& target, SelfCheck::Verdict verdict);

  Api& api_;
  ListGate& gate_;
  const SelfCheckOptions options_;
  std::function<double()> chance_;
  std::function<Targets()> targets_;
  std::map<std::string, Deadline> due_;
  std::map<std::string, Counts> counts_;
  net::Event wake_;
  bool stopping_ = false;
};

}  // namespace portcullis::kube
