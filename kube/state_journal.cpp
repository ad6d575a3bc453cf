#include "kube/state_journal.hpp"

#include <algorithm>

#include "kube/resource_version.hpp"

namespace portcullis::kube {

StateJournal::StateJournal(std::string_view version, const Holding& counted, const Holding& kept) {
  if (counted.facts && kept.facts) facts_off_ = *counted.facts - *kept.facts;
  if (counted.usage && kept.usage) usage_off_ = *counted.usage - *kept.usage;
  const auto revision = revision_of(version);
  spoiled_ = !revision;
  entries_.push_back({revision.value_or(0), kept});
}

void StateJournal::note(std::string_view version, const Holding& kept) {
  if (spoiled_) return;
  const auto revision = revision_of(version);
  if (!revision || *revision < entries_.back().revision || entries_.size() >= entries_max) return spoil();
  entries_.push_back({*revision, kept});
}

std::optional<Holding> StateJournal::at(std::string_view version) const {
  const auto revision = revision_of(version);
  if (!revision) return std::nullopt;
  const auto behind = std::upper_bound(entries_.begin(), entries_.end(), *revision,
                                       [](std::uint64_t wanted, const Entry& entry) { return wanted < entry.revision; });
  if (behind == entries_.begin()) return std::nullopt;
  return corrected(std::prev(behind)->kept);
}

Holding StateJournal::corrected(Holding kept) const {
  if (kept.facts) kept.facts = *kept.facts + facts_off_;
  if (kept.usage) kept.usage = *kept.usage + usage_off_;
  return kept;
}

}  // namespace portcullis::kube
