// The decision log: one JSON line a decision, written off the request's way by one thread, through bounded buffers.
//
// Fields as design/contracts/threats.md D3, in fixed order; the chain and its checkpoints come later. Admissions are never
// dropped: a full buffer makes the writer of the record wait (backpressure). Of the guard only allowed requests may be
// dropped, and a `gap` record says how many. No secret, cookie or query value is ever given to it.
#pragma once

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
  std::string_view verdict;                       // allow, warn, deny, error
  std::span<const std::string_view> rules;        // of findings, each once
  std::string_view exception, reason, policy_hash;
  std::string_view change_ticket, approved_by;    // annotations of the object, as claimed
  std::string_view door;                          // validate, mutate
  std::string_view input;                         // bytes whose keyed hash `in` shows equality later
  std::int64_t microseconds = 0;
  std::int64_t deadline_ms = 0;
  bool dry_run = false, patched = false;
};

// One forward-auth decision. `client` is written as a keyed hash only.
struct GuardRecord {
  std::string_view tenant, route_class, verdict /* pass, slow, refuse */, reason, method, path /* without query */;
  std::span<const std::uint8_t> client;           // address bytes
  int status = 0;
  bool shadow = false;                            // would have been refused
  std::string_view policy_hash;
  std::int64_t microseconds = 0;
};

struct LogOptions {
  std::string origin = "portcullis";              // the stable name of this log
  std::optional<std::filesystem::path> file;      // absent: standard output
  std::string hash_key;                           // for keyed hashes; empty: a random one a start
  std::size_t buffer_bytes_max = 4 * 1024 * 1024; // a loop
};

struct LogStats {
  std::uint64_t records = 0, dropped = 0, write_errors = 0, waits = 0;
};

class Log {
 public:
  static Result<std::unique_ptr<Log>> open(LogOptions options);
  ~Log();  // writes what is buffered

  class Writer;  // one a loop; not thread-safe
  std::unique_ptr<Writer> writer();
  // `event` such as "loaded", "refused"; a change of the documents in force.
  void record_config(std::string_view event, std::string_view policy_hash, std::string_view detail);
  void flush();   // returns when all that was recorded is written
  void reopen();  // after rotation by rename; no-op on standard output
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
