// How long a review may take: the caller's `?timeout=` less a margin, since the API server rounds it up to the next second
// and gives up as much as a second earlier (apiserver pkg/admission/plugin/webhook/validating/dispatcher.go).
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace portcullis::webhook {

inline constexpr std::chrono::milliseconds timeout_default{10'000};  // Kubernetes' timeoutSeconds
inline constexpr std::chrono::milliseconds timeout_min{1'000}, timeout_max{30'000};

// A Go duration ("10s", "1m30s", "1.5s", "500ms"; time.ParseDuration). None when it is none or negative.
std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text);

// The time to answer in, from a request's query. An absent, doubled, zero or unreadable timeout counts as the default; the
// rest is clamped to 1..30 s. Budget: max(0.5 t, min(t - 1 s, 0.8 t)).
std::chrono::milliseconds answer_budget(std::string_view query);

}  // namespace portcullis::webhook
