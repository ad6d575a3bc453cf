#include "webhook/dead_replicas.hpp"

#include <algorithm>

namespace portcullis::webhook {

std::optional<DeadReplicas::Verdict> DeadReplicas::look(const Holds& holds, std::string_view own, const SilentSince& silent_since,
                                                        Times times, Clock::time_point now) {
  Verdict verdict;
  std::erase_if(stood_, [&](const auto& each) { return !holds.contains(each.first); });
  for (const auto& [key, hold] : holds) {
    if (key == own) continue;
    Stood& stood = stood_.try_emplace(key, Stood{hold.granted, now}).first->second;
    if (stood.granted != hold.granted) stood = {hold.granted, now};
    // Who has just come may be seen here before its lease is; and whose lease is seen late may have granted meanwhile.
    const Clock::duration silent = now - std::max(stood.since, silent_since(key));
    if (silent > times.lapse) verdict.lapsed.insert(key);
    if (silent > times.death) verdict.dead.emplace(key, stood.granted);
  }
  if (verdict.dead.empty() && last_.dead.empty() && verdict.lapsed == last_.lapsed) return std::nullopt;
  last_ = verdict;
  return verdict;
}

}  // namespace portcullis::webhook
