// Records as JSON text, in the fixed order of docs/decision-log.md. Hand-written because this is on every request's way
// (bench/audit_bench.cpp compares it with nlohmann/json); what is rare goes through nlohmann.
//
// A line begins with `{"v":1,"log":...,"seq":N,`, which only the writing thread knows; what is made here goes on after it
// and ends with the brace. Each value has a bound in bytes, so that no line passes line_bytes_max.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "audit/log.hpp"
#include "audit/ring.hpp"

namespace portcullis::audit {

inline constexpr std::size_t line_bytes_max = 16 * 1024;
inline constexpr std::size_t origin_bytes_max = 256;

struct Moment {
  std::int64_t unix_microseconds = 0;    // `t`
  std::int64_t steady_microseconds = 0;  // `mono`
  static Moment now();
};

struct LineSizes {
  std::size_t before = 0, after = 0;  // of the place where the keyed hash goes
};

// One a loop: it remembers how the current second is written.
class LineFormat {
 public:
  explicit LineFormat(std::string_view boot);
  // Write at most frame_text_bytes_max bytes.
  LineSizes write(const AdmissionRecord& record, const Moment& moment, char* out);
  LineSizes write(const GuardRecord& record, const Moment& moment, char* out);

 private:
  char* open_line(char* at, const Moment& moment, std::string_view after_boot);
  std::string boot_field_;  // `,"boot":"...",`
  std::int64_t second_ = -1;
  char second_text_[20];  // 2026-11-23T14:46:27.
};

// Cold records.
std::string config_line(const Moment& moment, std::string_view boot, std::string_view event, std::string_view policy_hash,
                        std::string_view detail);
std::string gap_line(const Moment& moment, std::string_view boot, std::uint64_t lost, std::string_view why);
std::string line_start(std::string_view origin);  // `{"v":1,"log":"...","seq":`

}  // namespace portcullis::audit
