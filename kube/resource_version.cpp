#include "kube/resource_version.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace portcullis::kube {
namespace {

bool is_comparable(std::string_view version) {
  return !version.empty() && version.front() != '0' &&
         std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::uint64_t> revision_of(std::string_view version) {
  if (!is_comparable(version)) return std::nullopt;
  std::uint64_t revision = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), revision);
  if (error != std::errc{}) return std::nullopt;
  return revision;
}

VersionOrder compare_versions(std::string_view a, std::string_view b) {
  if (a == b) return VersionOrder::same;
  if (!is_comparable(a) || !is_comparable(b)) return VersionOrder::unknown;
  if (a.size() != b.size()) return a.size() < b.size() ? VersionOrder::older : VersionOrder::newer;
  return a < b ? VersionOrder::older : VersionOrder::newer;
}

}  // namespace portcullis::kube
