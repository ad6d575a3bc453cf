// Whether a door may be sent requests, and what there is to say about it: pieces that each know one reason against. Filled
// while the process starts, asked by probes at any time.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace portcullis::cli {

class Readiness {
 public:
  using Question = std::function<std::string()>;
  // `reason`: why not, in a line; "" when all is well. Called on any thread, until forget().
  void require(Question reason) { add(reasons_, std::move(reason)); }
  // As require(), until all was well once. What is lost later is each review's own affair, by its failure mode: an API server
  // that is away must not take every replica away at once, and with them the judgements that need nothing of it.
  void require_once(Question reason) {
    require([reason = std::move(reason), was_well = std::make_shared<std::atomic<bool>>(false)] {
      if (was_well->load()) return std::string();
      std::string why = reason();
      if (why.empty()) was_well->store(true);
      return why;
    });
  }
  // `line`: for people, "" for none.
  void tell(Question line) { add(lines_, std::move(line)); }
  // What was required and told ends its life now; from here on the door is not ready.
  void forget() {
    const std::lock_guard lock(mutex_);
    reasons_.clear();
    lines_.clear();
    forgotten_ = true;
  }

  struct State {
    bool ready = false;
    std::string text;  // lines, each with its end
  };
  [[nodiscard]] State state() const {
    const std::lock_guard lock(mutex_);
    State state{!forgotten_, {}};
    for (const Question& reason : reasons_) {
      if (const std::string why = reason(); !why.empty()) {
        state.ready = false;
        state.text += why + '\n';
      }
    }
    if (forgotten_) state.text = "ended\n";
    if (state.ready) state.text = "ready\n";
    for (const Question& line : lines_)
      if (const std::string said = line(); !said.empty()) state.text += said + '\n';
    return state;
  }

 private:
  void add(std::vector<Question>& list, Question question) {
    const std::lock_guard lock(mutex_);
    list.push_back(std::move(question));
  }

  mutable std::mutex mutex_;
  std::vector<Question> reasons_, lines_;
  bool forgotten_ = false;
};

}  // namespace portcullis::cli
