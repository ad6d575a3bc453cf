// What was held of a resource at each version since the journal was opened, as digests: so that a list, which is of a version that is
// only known when it comes, can be compared with what was held at just that version, whatever has changed since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kube/digest.hpp"

namespace portcullis::kube {

// One resource's objects, by what is kept of them; what its roles do not ask for is not there.
struct Holding {
  std::optional<Digest> facts, usage;
  [[nodiscard]] bool is(const Digest& all) const { return (!facts || *facts == all) && (!usage || *usage == all); }
};

class StateJournal {
 public:
  static constexpr std::size_t entries_max = 100'000;  // changes; with more it is given up, and takes 5 MB until then

  // `counted`: of the objects one by one, just now; `kept`: what the digests that are kept up with the changes say.
  StateJournal(std::string_view version, const Holding& counted, const Holding& kept);

  void note(std::string_view version, const Holding& kept);
  // What is held is not that state with changes any more.
  void spoil() { spoiled_ = true; }

  [[nodiscard]] bool spoiled() const { return spoiled_; }
  // None: older than the journal, or no version of this server.
  [[nodiscard]] std::optional<Holding> at(std::string_view version) const;
  [[nodiscard]] Holding last() const { return corrected(entries_.back().kept); }

 private:
  struct Entry {
    std::uint64_t revision = 0;
    Holding kept;
  };
  [[nodiscard]] Holding corrected(Holding kept) const;

  std::vector<Entry> entries_;  // by revision
  Digest facts_off_, usage_off_;
  bool spoiled_ = false;
};

}  // namespace portcullis::kube
