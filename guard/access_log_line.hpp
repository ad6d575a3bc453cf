// One line of Traefik's access log in JSON (pkg/middlewares/accesslog/logger.go, read in 3.7): what became of a request that
// the guard let pass or denied. Of its fields these are read: ClientUsername, DownstreamStatus, OriginStatus, Duration (in
// nanoseconds), RequestMethod, RequestPath.
//
// Most lines of a busy proxy are none of ours; they cost a search for `"ClientUsername":"pg-`. No value can hold that text:
// its quotes would be escaped. What has it is parsed, to the last field that is wanted; Traefik sorts them by name.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace portcullis::guard {

inline constexpr std::size_t log_line_bytes_max = 64 * 1024;

// Views are good until the parser reads the next line.
struct FinishedRequest {
  std::string_view id;  // has the shape of a planted id; whoever planted it says whether it is one
  int downstream_status = 0;
  int origin_status = 0;  // 0: Odoo was not asked, or did not answer
  std::chrono::nanoseconds duration{0};
  std::string_view method, path;
};

class AccessLogParser {
 public:
  enum class Line { ours, others, bad };
  // `line` without its end. Fills `request` where the line is ours. Bad: what is no object, or has an id of ours and is no
  // JSON or lacks the status.
  Line read(std::string_view line, FinishedRequest& request);

 private:
  std::string id_, method_, path_;
};

// Bytes as they come from a file, cut into lines. A line above log_line_bytes_max is skipped and counted.
class LineSplitter {
 public:
  using Take = std::function<void(std::string_view line)>;
  void feed(std::string_view bytes, const Take& take);
  void forget() { begun_.clear(), skipping_ = false; }  // what is begun has no end any more
  void skip_begun_line() { begun_.clear(), skipping_ = true; }
  [[nodiscard]] std::uint64_t too_long() const { return too_long_; }

 private:
  std::string begun_;
  bool skipping_ = false;
  std::uint64_t too_long_ = 0;
};

}  // namespace portcullis::guard
