// Which of the replicas that hold something of a tenant's budget are gone: those whose lease has been silent so long that nothing
// they let through can be stored any more. Without I/O and by the caller's clock; one a tenant.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "webhook/quota_core.hpp"

namespace portcullis::webhook {

class DeadReplicas {
 public:
  // Silence after which a replica grants nothing any more, and after which nothing of its is under way either.
  struct Times {
    Clock::duration lapse, death;
  };
  using SilentSince = std::function<Clock::time_point(std::string_view key)>;
  struct Verdict {
    QuotaCore::Dead dead;
    std::set<std::string, std::less<>> lapsed;
  };

  // What is to be told of the keys in `holds` but `own`. Told each time as long as anybody is dead, since what was taken away may be
  // written again by a patch that comes late; else when it is news.
  std::optional<Verdict> look(const Holds& holds, std::string_view own, const SilentSince& silent_since, Times times,
                              Clock::time_point now);
  // Somebody was dead at the last look.
  [[nodiscard]] bool any() const { return !last_.dead.empty(); }

 private:
  struct Stood {
    Amounts granted;
    Clock::time_point since;
  };
  std::map<std::string, Stood, std::less<>> stood_;  // others' `granted`, and since when it has been that
  Verdict last_;
};

}  // namespace portcullis::webhook
