// What the guard would say to a request, and why, without charging anybody for the question.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "guard/guard.hpp"

namespace portcullis::guard {

struct Question {
  std::string host, uri = "/", method = "GET", address;
  std::string tenant;   // as a Middleware's address names it; "": the host decides
  std::string session;  // a session id, 84 characters or more; "": none
  std::string login;    // who wants to log in; "": not told
  std::string accept;
};

inline constexpr std::size_t question_bytes_max = 64 * 1024;
// {"host", "path", "address", "method", "tenant", "session", "login", "accept"}; host and address are required. Errors: no JSON,
// a field that is unknown, missing or no string.
Result<Question> parse_question(std::string_view json);
nlohmann::json to_json(const Question& question);

// {"verdict", "reason", "status", "shadow", "why", "tenant", "class", "path", "address", "lists", "session", "profiles", "ban",
// "cost", "limits": [{"key", "burst", "rate" or "window", "cost", "left", "waitSeconds"}]}: as much of it as was found out.
nlohmann::json explain(Guard& guard, const Question& question);

}  // namespace portcullis::guard
