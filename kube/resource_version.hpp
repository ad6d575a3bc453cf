// Resource versions as a client may read them (KEP-5504): decimal without leading zero, above zero; comparable only within one
// resource type, by length and then by digits. Anything else (aggregated API servers) is opaque: equal or not.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace portcullis::kube {

// The number behind a comparable version; none for an opaque one or one that 64 bits do not hold. For arithmetic of distance
// alone: what is sent back is always the text.
std::optional<std::uint64_t> revision_of(std::string_view version);

enum class VersionOrder { older, same, newer, unknown };

// How `a` stands to `b`. unknown: they differ and one of them is opaque or absent.
VersionOrder compare_versions(std::string_view a, std::string_view b);

}  // namespace portcullis::kube
