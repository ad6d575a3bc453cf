#include "policy/object/content.hpp"

#include <algorithm>
#include <functional>
#include <vector>

namespace portcullis::policy {
namespace {

// Members that are there: one that is null counts as absent.
std::vector<Value> members_of(Value object, std::span<const std::string_view> but) {
  std::vector<Value> members;
  if (!object.is(ValueKind::object)) return members;
  members.reserve(object.size());
  for (const Value member : object)
    if (member.present() && std::find(but.begin(), but.end(), member.key()) == but.end()) members.push_back(member);
  return members;
}

}  // namespace

// Sorted where their order differs, so that comparing objects of 100,000 members stays cheap. (The API server writes maps in
// order.) Names first: comparing contents twice would double the work at every level.
bool same_members(Value a, Value b, std::span<const std::string_view> but) {
  std::vector<Value> left = members_of(a, but), right = members_of(b, but);
  if (left.size() != right.size()) return false;
  const auto same_name = [](Value x, Value y) { return x.key() == y.key(); };
  if (!std::equal(left.begin(), left.end(), right.begin(), same_name)) {
    const auto before = [](Value x, Value y) { return x.key() < y.key(); };
    std::sort(left.begin(), left.end(), before);
    std::sort(right.begin(), right.end(), before);
    if (!std::equal(left.begin(), left.end(), right.begin(), same_name)) return false;
  }
  return std::equal(left.begin(), left.end(), right.begin(), same_content);
}

std::uint64_t content_hash(Value value) {
  constexpr std::uint64_t factor = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio: spreads neighbours
  const auto mix = [](std::uint64_t a, std::uint64_t b) { return ((a * factor) ^ b) * factor; };
  const std::hash<std::string_view> hash;
  std::uint64_t all = static_cast<std::uint64_t>(value.present() ? value.kind() : ValueKind::null);
  switch (value.kind()) {
    case ValueKind::string:
      return mix(all, hash(value.text()));
    case ValueKind::number:
    case ValueKind::boolean:
      return mix(all, hash(value.token()));
    case ValueKind::array:
      for (const Value item : value) all = mix(all, content_hash(item));
      return all;
    case ValueKind::object:  // a sum: in any order
      for (const Value member : value)
        if (member.present()) all += mix(hash(member.key()), content_hash(member));
      return all;
    default:
      return all;
  }
}

}  // namespace portcullis::policy
