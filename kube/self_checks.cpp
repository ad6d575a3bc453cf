#include "kube/self_checks.hpp"

#include <algorithm>
#include <utility>

#include "observe/log.hpp"

namespace portcullis::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds look_time{1};        // for resources that are new
constexpr milliseconds wait_step{20};  // between two looks at a watch that has not reached a list, doubled
constexpr milliseconds wait_step_max{1'000};
constexpr seconds page_time_max{30};

// What is held is written down as long as it lives.
class Recording {
 public:
  Recording(Intake& intake, std::string_view version) : intake_(intake), journal_(intake.record(version)) {}
  ~Recording() { intake_.end_record(); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  [[nodiscard]] const StateJournal& journal() const { return *journal_; }

 private:
  Intake& intake_;
  std::shared_ptr<const StateJournal> journal_;
};

}  // namespace

SelfChecks::SelfChecks(Api& api, ListGate& gate, SelfCheckOptions options, std::function<double()> chance, std::function<Targets()> targets)
    : api_(api), gate_(gate), options_(options), chance_(std::move(chance)), targets_(std::move(targets)) {}

void SelfChecks::stop() {
  stopping_ = true;
  wake_.notify();
}

SelfChecks::Counts SelfChecks::counts(const std::string& resource) const {
  const auto found = counts_.find(resource);
  return found == counts_.end() ? Counts{} : found->second;
}

// When the first of them is due. A new one by chance between half an interval and one and a half: replicas that start together stay
// apart from then on.
Deadline SelfChecks::plan(const Targets& targets, Clock::time_point now) {
  std::erase_if(due_, [&](const auto& each) { return !targets.contains(each.first); });
  Deadline first = now + look_time;
  for (const auto& [name, target] : targets) {
    const auto [at, fresh] = due_.try_emplace(name);
    if (fresh) at->second = now + std::chrono::duration_cast<Clock::duration>(options_.interval * (0.5 + chance_()));
    first = std::min(first, at->second);
  }
  return first;
}

Task<void> SelfChecks::run() {
  while (!stopping_) {
    const Targets targets = targets_();
    const Clock::time_point now = Clock::now();
    const Deadline first = plan(targets, now);
    if (now < first) {
      const bool told = co_await wake_.wait(first);
      if (!told && Clock::now() < first) co_return;  // cancelled
      continue;
    }
    for (const auto& [name, target] : targets) {
      if (stopping_ || due_[name] > Clock::now()) continue;
      co_await check(name, target);
    }
  }
}

Task<void> SelfChecks::check(std::string name, Target target) {
  SelfCheck::Verdict verdict = co_await compare(target);
  if (verdict == SelfCheck::Verdict::different && !stopping_) {
    // Once more, since what follows costs a list of everything.
    const SelfCheck::Verdict again = co_await compare(target);
    verdict = again;
  }
  if (!stopping_) conclude(name, target, verdict);
}

Task<SelfCheck::Verdict> SelfChecks::compare(Target target) {
  const Reflector& reflector = target.task->reflector();
  if (!reflector.synced() || !reflector.served() || !target.intake->settled()) co_return SelfCheck::Verdict::unknown;
  SelfCheck check(reflector.resource(), options_);
  const Recording recording(*target.intake, reflector.version());
  const bool whole = co_await list(check, *target.task);
  if (!whole) co_return SelfCheck::Verdict::unknown;
  milliseconds step = wait_step;
  for (;;) {
    const SelfCheck::Verdict verdict = check.judge(recording.journal(), reflector.version(), reflector.progress(), Clock::now());
    if (verdict != SelfCheck::Verdict::pending) co_return verdict;
    const Deadline look_again = Clock::now() + step;
    const bool told = co_await wake_.wait(look_again);
    if (told || stopping_ || Clock::now() < look_again) co_return SelfCheck::Verdict::unknown;  // the end
    step = std::min(step * 2, wait_step_max);
  }
}

Task<bool> SelfChecks::list(SelfCheck& check, ReflectorTask& task) {
  SelfCheck::Listing listing = SelfCheck::Listing::more;
  while (listing == SelfCheck::Listing::more && !stopping_) {
    const bool entered = co_await gate_.enter();
    if (!entered) co_return false;
    ApiRequest request = check.request();
    const bool is_first = check.version().empty();
    Result<ApiResponse> response = co_await api_.call(std::move(request), Clock::now() + page_time_max);
    gate_.leave();
    listing = check.listed(std::move(response), Clock::now());
    if (is_first && listing != SelfCheck::Listing::failed) task.server_is_at(check.version());
  }
  co_return listing == SelfCheck::Listing::whole;
}

void SelfChecks::conclude(const std::string& name, const Target& target, SelfCheck::Verdict verdict) {
  Counts& counts = counts_[name];
  const milliseconds retry = std::min(options_.retry, options_.interval);
  if (verdict == SelfCheck::Verdict::unknown) {
    ++counts.failures;
    due_[name] = Clock::now() + std::chrono::duration_cast<Clock::duration>(retry * (1 + chance_()));
    return;
  }
  ++counts.checks;
  due_[name] = Clock::now() + std::chrono::duration_cast<Clock::duration>(options_.interval * (0.9 + 0.2 * chance_()));
  if (verdict == SelfCheck::Verdict::same) return;
  ++counts.inconsistencies;
  observe::log(observe::Level::error, "kube_inconsistent",
               {{"resource", name},
                {"version", target.task->reflector().version()},
                {"objects", static_cast<std::uint64_t>(target.intake->objects())},
                {"reason", "what is held is not what the API server has; listed anew"}});
  target.task->start_over(target.intake->roles().metadata_only);
}

}  // namespace portcullis::kube
