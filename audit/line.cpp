#include "audit/line.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "observe/escape.hpp"

namespace portcullis::audit {
namespace {

// Bytes a value may take, escaped. Names of Kubernetes objects end at 253; the rest is longer than anything useful.
constexpr std::size_t short_bytes_max = 64;  // words of ours: verdicts, doors, operations, kinds
constexpr std::size_t name_bytes_max = 256;
constexpr std::size_t resource_bytes_max = 512;
constexpr std::size_t user_bytes_max = 1024;
constexpr std::size_t rules_bytes_max = 2048;
constexpr std::size_t path_bytes_max = 1024;
constexpr std::size_t reason_bytes_max = 4096;
// Names, braces, times, numbers, `boot`, the hash and the start of the line come to less than 1 KiB.
constexpr std::size_t frame_work_bytes_max = 1024;
static_assert(6 * short_bytes_max + 7 * name_bytes_max + resource_bytes_max + user_bytes_max + rules_bytes_max + reason_bytes_max +
                  origin_bytes_max + frame_work_bytes_max <=
              line_bytes_max);
static_assert(line_bytes_max <= frame_text_bytes_max);

constexpr std::int64_t integer_max = (std::int64_t{1} << 53) - 1;  // what every JSON reader holds exactly

std::string second_text(std::int64_t second) {
  using namespace std::chrono;
  const sys_seconds time{seconds(second)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[64];
  const int written =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                    static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()));
  return {text, static_cast<std::size_t>(written)};
}

// Six digits.
void put_microseconds(char* out, std::int64_t microseconds) {
  for (int i = 5; i >= 0; --i) {
    out[i] = static_cast<char>('0' + microseconds % 10);
    microseconds /= 10;
  }
}

std::string time_text(const Moment& moment) {
  const std::int64_t second = moment.unix_microseconds / 1'000'000;
  char digits[6];
  put_microseconds(digits, moment.unix_microseconds % 1'000'000);
  return second_text(second).append(digits, sizeof digits) + "Z";
}

// Appends without asking for room: the bounds above are the proof that it is there.
struct Pen {
  char* at;

  void raw(std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  }
  // `lead` is `,"name":"`; left out when there is no value.
  void text(std::string_view lead, std::string_view value, std::size_t bytes_max) {
    if (value.empty()) return;
    raw(lead);
    at += observe::escape_json(at, bytes_max, value);
    *at++ = '"';
  }
  void integer(std::string_view lead, std::int64_t value) {
    raw(lead);
    at = std::to_chars(at, at + 20, std::clamp(value, -integer_max, integer_max)).ptr;
  }
  void boolean(std::string_view lead, bool value) {
    raw(lead);
    raw(value ? "true" : "false");
  }
  // A list that would pass its bound ends in "...".
  void list(std::string_view lead, std::span<const std::string_view> values) {
    raw(lead);
    *at++ = '[';
    const char* const end = at + rules_bytes_max - 8;  // quotes, commas, `"..."` and the bracket
    const char* const first = at;
    for (const std::string_view value : values) {
      if (at != first) *at++ = ',';
      if (static_cast<std::size_t>(end - at) < short_bytes_max + 3) {
        raw("\"...\"");
        break;
      }
      *at++ = '"';
      at += observe::escape_json(at, short_bytes_max, value);
      *at++ = '"';
    }
    *at++ = ']';
  }
};

std::string dump_without_brace(const nlohmann::ordered_json& record) {
  std::string text = record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.erase(0, 1);
  return text;
}

std::string_view cut(std::string_view text, std::size_t bytes_max) { return text.substr(0, bytes_max); }

}  // namespace

Moment Moment::now() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return {duration_cast<microseconds>(WallClock::now().time_since_epoch()).count(),
          duration_cast<microseconds>(Clock::now().time_since_epoch()).count()};
}

LineFormat::LineFormat(std::string_view boot) : boot_field_(",\"boot\":\"" + std::string(boot) + "\",") {}

// `"t":"2026-11-23T14:46:27.123456Z","mono":9123456789,"boot":"...",` and what comes next.
char* LineFormat::open_line(char* at, const Moment& moment, std::string_view after_boot) {
  const std::int64_t second = moment.unix_microseconds / 1'000'000;
  if (second != second_) {
    const std::string text = second_text(second);
    std::memcpy(second_text_, text.data(), sizeof second_text_);
    second_ = second;
  }
  Pen pen{at};
  pen.raw("\"t\":\"");
  pen.raw({second_text_, sizeof second_text_});
  put_microseconds(pen.at, moment.unix_microseconds % 1'000'000);
  pen.at += 6;
  pen.integer("Z\",\"mono\":", moment.steady_microseconds);
  pen.raw(boot_field_);
  pen.raw(after_boot);
  return pen.at;
}

LineSizes LineFormat::write(const AdmissionRecord& record, const Moment& moment, char* out) {
  Pen pen{open_line(out, moment, "\"kind\":\"admission\"")};
  pen.text(",\"door\":\"", record.door, short_bytes_max);
  pen.text(",\"uid\":\"", record.uid, name_bytes_max);
  pen.text(",\"op\":\"", record.operation, short_bytes_max);
  pen.text(",\"res\":\"", record.resource, resource_bytes_max);
  pen.text(",\"object\":\"", record.kind, short_bytes_max);
  pen.text(",\"ns\":\"", record.name_space, name_bytes_max);
  pen.text(",\"name\":\"", record.name, name_bytes_max);
  pen.text(",\"tenant\":\"", record.tenant, name_bytes_max);
  pen.text(",\"who\":\"", record.user, user_bytes_max);
  pen.text(",\"verdict\":\"", record.verdict, short_bytes_max);
  pen.list(",\"rules\":", record.rules);
  pen.text(",\"exception\":\"", record.exception, name_bytes_max);
  pen.text(",\"reason\":\"", record.reason, reason_bytes_max);
  pen.text(",\"policy\":\"", record.policy_hash, short_bytes_max * 2);
  const std::size_t before = static_cast<std::size_t>(pen.at - out);
  pen.integer(",\"us\":", record.microseconds);
  pen.boolean(",\"dry\":", record.dry_run);
  pen.integer(",\"deadline_ms\":", record.deadline_ms);
  pen.boolean(",\"patched\":", record.patched);
  pen.text(",\"ticket\":\"", record.change_ticket, name_bytes_max);
  pen.text(",\"approved_by\":\"", record.approved_by, name_bytes_max);
  *pen.at++ = '}';
  return {before, static_cast<std::size_t>(pen.at - out) - before};
}

LineSizes LineFormat::write(const GuardRecord& record, const Moment& moment, char* out) {
  Pen pen{open_line(out, moment, "\"kind\":\"guard\"")};
  pen.text(",\"tenant\":\"", record.tenant, name_bytes_max);
  pen.text(",\"class\":\"", record.route_class, short_bytes_max);
  pen.text(",\"verdict\":\"", record.verdict, short_bytes_max);
  pen.text(",\"reason\":\"", record.reason, reason_bytes_max);
  pen.text(",\"method\":\"", record.method, short_bytes_max);
  // The caller cuts the query off; should it ever not, its values still stay out.
  pen.text(",\"path\":\"", record.path.substr(0, record.path.find('?')), path_bytes_max);
  const std::size_t before = static_cast<std::size_t>(pen.at - out);
  pen.integer(",\"status\":", record.status);
  pen.boolean(",\"shadow\":", record.shadow);
  pen.text(",\"policy\":\"", record.policy_hash, short_bytes_max * 2);
  pen.integer(",\"us\":", record.microseconds);
  *pen.at++ = '}';
  return {before, static_cast<std::size_t>(pen.at - out) - before};
}

std::string config_line(const Moment& moment, std::string_view boot, std::string_view event, std::string_view policy_hash,
                        std::string_view detail) {
  nlohmann::ordered_json record;
  record["t"] = time_text(moment);
  record["mono"] = moment.steady_microseconds;
  record["boot"] = boot;
  record["kind"] = "config";
  record["event"] = cut(event, short_bytes_max);
  if (!policy_hash.empty()) record["policy"] = cut(policy_hash, short_bytes_max * 2);
  if (!detail.empty()) {
    // Through escape_json for its bound in escaped bytes, then back, because nlohmann escapes by itself.
    std::array<char, reason_bytes_max> escaped;
    const std::size_t bytes = observe::escape_json(escaped.data(), escaped.size(), detail);
    record["detail"] = nlohmann::ordered_json::parse("\"" + std::string(escaped.data(), bytes) + "\"");
  }
  return dump_without_brace(record);
}

std::string gap_line(const Moment& moment, std::string_view boot, std::uint64_t lost, std::string_view why) {
  nlohmann::ordered_json record;
  record["t"] = time_text(moment);
  record["mono"] = moment.steady_microseconds;
  record["boot"] = boot;
  record["kind"] = "gap";
  record["lost"] = lost;
  record["why"] = why;
  return dump_without_brace(record);
}

std::string line_start(std::string_view origin) {
  std::array<char, origin_bytes_max> escaped;
  const std::size_t bytes = observe::escape_json(escaped.data(), escaped.size(), origin);
  return "{\"v\":1,\"log\":\"" + std::string(escaped.data(), bytes) + "\",\"seq\":";
}

}  // namespace portcullis::audit
