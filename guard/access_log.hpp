// Follows Traefik's JSON access log as it is written, and tells of each request that carries an id in the shape of ours. One
// thread; a line is told within some milliseconds of its writing.
//
// A file that is there at the start is followed from its end; one that comes later is read from its beginning. Rotation by
// rename is followed to the new file, and the former one is read on for a while, since logrotate may make the new one before
// Traefik has let go of the old; copytruncate begins at the front again; a deleted file is read on until another takes its
// name. inotify says when there is something new; every poll_time we look anyhow, so that nothing hangs on an event that
// never came (a network file system, a directory that is not there yet).
// Only whole lines are read. What a restart missed is not made up for: leases end by their own time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "guard/access_log_line.hpp"
#include "observe/metrics.hpp"

namespace portcullis::guard {

struct AccessLogStats {
  std::uint64_t lines = 0;     // whole ones, of every kind
  std::uint64_t requests = 0;  // told: with an id in our shape
  std::uint64_t bad = 0;       // no JSON, or without what every line has
  std::uint64_t too_long = 0;
  std::uint64_t rotations = 0, truncations = 0;
  std::uint64_t bytes_behind = 0;  // of the file, not yet read
  bool is_open = false;
  Clock::time_point last_line;  // the epoch: none yet
};

class AccessLogReader {
 public:
  struct Options {
    std::filesystem::path file;
    // Both on the reader's thread. `tick`: about every poll_time, for what is to be done now and then.
    std::function<void(const FinishedRequest&)> finished;
    std::function<void()> tick{};
    std::chrono::milliseconds poll_time{200};
    std::chrono::milliseconds former_time{10'000};  // how long a rotated file is read on
    bool use_inotify = true;
  };
  // The file need not be there. Errors: no descriptors left.
  static Result<std::unique_ptr<AccessLogReader>> start(Options options);
  ~AccessLogReader();  // within some milliseconds, whatever is left to read

  [[nodiscard]] AccessLogStats stats() const;
  void expose(observe::Scrape& scrape) const;

 private:
  struct Impl;
  explicit AccessLogReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::guard
