// logfmt over spdlog: one thin function renders and escapes, spdlog's sink writes whole lines under its own lock.
#include "observe/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/clock.hpp"
#include "observe/escape.hpp"

namespace portcullis::observe {
namespace {

constexpr std::size_t value_bytes_max = 1024;    // a value longer than this tells a reader of a log nothing more
constexpr std::size_t limited_events_max = 512;  // event names are words of our source; the bound is for a bug that makes them up
constexpr auto limit_window = std::chrono::seconds(1);

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view word_of(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "error";
}

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(LogSink sink) : sink_(std::move(sink)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override { sink_({message.payload.data(), message.payload.size()}); }
  void flush_() override {}

 private:
  LogSink sink_;
};

// Never destroyed: threads may still log while the program's statics go.
struct Output {
  Output() { use(std::make_shared<spdlog::sinks::stderr_sink_mt>()); }

  void use(spdlog::sink_ptr sink) {
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
    const auto fresh = std::make_shared<spdlog::logger>("portcullis", std::move(sink));
    fresh->set_level(spdlog::level::trace);  // what is below the level never gets here
    const std::lock_guard lock(mutex);
    logger = fresh;
  }
  std::shared_ptr<spdlog::logger> current() {
    const std::lock_guard lock(mutex);
    return logger;
  }

  std::atomic<Level> level{Level::info};

 private:
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;
};

Output& output() {
  static auto& only = *new Output;
  return only;
}

void append_time(std::string& line) {
  const auto now = std::chrono::time_point_cast<std::chrono::microseconds>(WallClock::now());
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  const std::time_t time = WallClock::to_time_t(second);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[64];
  const int written = std::snprintf(text, sizeof text, "time=%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                                    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>((now - second).count()));
  line.append(text, static_cast<std::size_t>(written));
}

bool needs_quotes(std::string_view escaped) {
  if (escaped.empty()) return true;
  for (const char c : escaped) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c > '~') return true;  // bytes above 0x7f are negative
  }
  return false;
}

void append_value(std::string& line, std::string_view value) {
  char escaped[value_bytes_max];
  const std::string_view shown(escaped, escape_json(escaped, sizeof escaped, value, Marks::escape));
  const bool quote = needs_quotes(shown);
  if (quote) line += '"';
  line += shown;
  if (quote) line += '"';
}

void append_field(std::string& line, std::string_view name, std::string_view value) {
  line += ' ';
  line += name;
  line += '=';
  append_value(line, value);
}

void write(Level level, std::string_view event, std::initializer_list<LogField> fields, std::uint64_t left_out) {
  std::string line;
  line.reserve(256);
  append_time(line);
  append_field(line, "level", word_of(level));
  append_field(line, "event", event);
  for (const LogField& field : fields) append_field(line, field.name, field.value);
  if (left_out > 0) append_field(line, "left_out", std::to_string(left_out));
  output().current()->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

// How often an event was said in the current window, and how often it was not.
struct Allowance {
  Clock::time_point window_start;
  unsigned lines = 0;
  std::uint64_t left_out = 0;
};

}  // namespace

bool log_enabled(Level level) { return level >= output().level.load(std::memory_order_relaxed); }

void log(Level level, std::string_view event, std::initializer_list<LogField> fields) {
  if (log_enabled(level)) write(level, event, fields, 0);
}

void log_limited(Level level, std::string_view event, std::initializer_list<LogField> fields, unsigned lines_max) {
  static auto& mutex = *new std::mutex;
  static auto& allowances = *new std::map<std::string, Allowance, std::less<>>;
  if (!log_enabled(level)) return;
  std::uint64_t left_out = 0;
  {
    const std::lock_guard lock(mutex);
    auto found = allowances.find(event);
    if (found == allowances.end()) {
      if (allowances.size() >= limited_events_max) allowances.clear();
      found = allowances.emplace(std::string(event), Allowance{Clock::now()}).first;
    }
    Allowance& allowance = found->second;
    if (const auto now = Clock::now(); now - allowance.window_start >= limit_window) {
      allowance.window_start = now;
      allowance.lines = 0;
    }
    if (allowance.lines >= lines_max) {
      ++allowance.left_out;
      return;
    }
    ++allowance.lines;
    left_out = std::exchange(allowance.left_out, 0);
  }
  write(level, event, fields, left_out);
}

void set_level(Level level) { output().level.store(level, std::memory_order_relaxed); }

bool parse_level(std::string_view word, Level& level) {
  for (const Level candidate : {Level::debug, Level::info, Level::warn, Level::error}) {
    if (word == word_of(candidate)) {
      level = candidate;
      return true;
    }
  }
  return false;
}

void set_log_sink(LogSink sink) {
  if (sink) {
    output().use(std::make_shared<FunctionSink>(std::move(sink)));
  } else {
    output().use(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  }
}

}  // namespace portcullis::observe
