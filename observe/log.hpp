// A log line is an event name and fields: event=connection_closed peer=10.0.0.7:51322 requests=14. To standard error,
// logfmt, values escaped and cut. Repeated lines are rate-limited and say how many were left out.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace portcullis::observe {

enum class Level { debug, info, warn, error };

struct LogField {
  std::string_view name;
  std::string value;
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(v) {}
  LogField(std::string_view n, std::int64_t v) : name(n), value(std::to_string(v)) {}
  LogField(std::string_view n, std::uint64_t v) : name(n), value(std::to_string(v)) {}
  LogField(std::string_view n, int v) : name(n), value(std::to_string(v)) {}
  LogField(std::string_view n, unsigned v) : name(n), value(std::to_string(v)) {}
};

// `error` needs a person, `warn` will if it goes on, `info` is a change of state, `debug` is per request.
void log(Level level, std::string_view event, std::initializer_list<LogField> fields = {});
// At most `lines_max` lines of this event a second; the next line says how many were left out.
void log_limited(Level level, std::string_view event, std::initializer_list<LogField> fields = {}, unsigned lines_max = 10);
void set_level(Level level);
bool log_enabled(Level level);                          // for fields that are dear to make
bool parse_level(std::string_view word, Level& level);  // debug, info, warn, error

// Lines (without the newline) go to `sink` instead of standard error, one at a time; an empty one restores standard error.
// For tests, and for what wants its own words back.
using LogSink = std::function<void(std::string_view line)>;
void set_log_sink(LogSink sink);

}  // namespace portcullis::observe
