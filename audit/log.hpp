// The decision log: one JSON line a decision, written off the request's way by one thread, through bounded buffers.
//
// Fields in fixed order, all described in docs/decision-log.md; the chain and its checkpoints come later. A full buffer
// makes the giver of an admission or of a guard's refusal wait (backpressure) for at most room_wait_max; only the guard's
// passes are dropped at once. What is lost is counted, and a `gap` record says how many. No secret, cookie or query value
// is ever given to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace portcullis::audit {

// One admission. Views need only live until record() returns.
struct AdmissionRecord {
  std::string_view uid, operation, resource /* "apps/v1/deployments/scale" */, kind, name_space, name, tenant, user;
  std::string_view verdict;                 // allow, warn, deny, error
  std::span<const std::string_view> rules;  // of findings, each once
  std::string_view exception, reason, policy_hash;
  std::string_view change_ticket, approved_by;  // annotations of the object, as claimed
  std::string_view door;                        // validate, mutate
  std::string_view input;                       // bytes whose keyed hash `in` shows equality later. Up to 4 KiB cost
                                                // the caller a copy; larger ones he hashes himself, 1 us a KiB
  std::int64_t microseconds = 0;
  std::int64_t deadline_ms = 0;
  bool dry_run = false, patched = false;
};

// One forward-auth decision. `client` is written as a keyed hash only.
struct GuardRecord {
  std::string_view tenant, route_class, verdict /* pass, slow, refuse */, reason, method, path /* without query */;
  std::span<const std::uint8_t> client;  // address bytes
  int status = 0;
  bool shadow = false;  // would have been refused
  std::string_view policy_hash;
  std::int64_t microseconds = 0;
};

struct LogOptions {
  std::string origin = "portcullis";               // the stable name of this log
  std::optional<std::filesystem::path> file;       // absent: standard output
  std::string hash_key;                            // for keyed hashes, 16 bytes or more; empty: a random one a start
  std::size_t buffer_bytes_max = 4 * 1024 * 1024;  // a loop; at least 128 KiB
  // A waiting loop answers nobody; the API server's shortest useful timeout leaves no more. After one wait in vain the next
  // records of that loop do not wait until there is room again.
  std::chrono::milliseconds room_wait_max{2000};
  // For flush(), reopen() and the destructor: a disk that is full must not keep the program from stopping.
  std::chrono::milliseconds disk_wait_max{5000};
};

struct LogStats {
  std::uint64_t records = 0;       // given a `seq`, of every kind
  std::uint64_t dropped = 0;       // lost, whatever the reason
  std::uint64_t write_errors = 0;  // writes that failed; what was to be written is kept and tried again
  std::uint64_t waits = 0;         // a loop waited for room
};

class Log {
 public:
  static Result<std::unique_ptr<Log>> open(LogOptions options);
  ~Log();  // writes what is buffered

  class Writer;                      // one a loop; not thread-safe
  std::unique_ptr<Writer> writer();  // must not be used once the Log is gone
  // `event` such as "loaded", "refused"; a change of the documents in force.
  void record_config(std::string_view event, std::string_view policy_hash, std::string_view detail);
  bool flush();   // returns when all that was recorded is written, false after disk_wait_max
  void reopen();  // after rotation by rename, flushes first; no-op on standard output
  [[nodiscard]] LogStats stats() const;

 private:
  struct Impl;
  explicit Log(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Log::Writer {
 public:
  virtual ~Writer() = default;
  virtual void record(const AdmissionRecord& record) = 0;
  virtual void record(const GuardRecord& record) = 0;
};

}  // namespace portcullis::audit
