// A number that stands for a set of objects as they are: the sum of one hash an object, of its key, uid and version. Kept up with
// each change of the set, whatever its order; two sets with one digest are the same set, but for a chance of 1 in 2^64.
#pragma once

#include <cstdint>
#include <string_view>

#include "policy/object/value.hpp"

namespace portcullis::kube {

// Of one object; 0, which no object with a name and a uid has, stands for none.
using Mark = std::uint64_t;
Mark mark_of(std::string_view name_space, std::string_view name, std::string_view uid, std::string_view version);
Mark mark_of(policy::Value object);  // 0: it has no name or no uid

struct Digest {
  std::uint64_t sum = 0, objects = 0;  // both modulo 2^64

  void add(Mark mark) {
    sum += mark;
    objects += mark == 0 ? 0 : 1;
  }
  void drop(Mark mark) {
    sum -= mark;
    objects -= mark == 0 ? 0 : 1;
  }
  friend Digest operator+(Digest a, const Digest& b) { return {a.sum + b.sum, a.objects + b.objects}; }
  friend Digest operator-(Digest a, const Digest& b) { return {a.sum - b.sum, a.objects - b.objects}; }
  friend bool operator==(const Digest&, const Digest&) = default;
};

// What is kept of an object, and the mark of the object it was read from.
template <class Fact>
struct Marked : Fact {
  Mark mark = 0;
};

}  // namespace portcullis::kube
