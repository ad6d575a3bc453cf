// The documents in force: a directory, or the custom resources of a cluster, read whole, compiled, and swapped whole. A set that does not
// validate is refused, the old one stays, and it is said loudly: log, metric, readiness detail.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "policy/document/load.hpp"
#include "policy/engine.hpp"

namespace portcullis::config {

// Every *.yaml and *.yml below `directory`, several documents a file, sorted by name; names beginning with `.` skipped,
// symbolic links followed (a link that leads back up ends there), other files left alone. Errors: unreadable, too large.
tl::expected<std::vector<policy::DocumentFile>, policy::DocumentErrors> read_directory(const std::filesystem::path& directory,
                                                                                       const policy::DocumentLimits& limits = {});

struct StoreStatus {
  std::uint64_t loads = 0, failures = 0;
  std::int64_t loaded_at = 0;  // Unix seconds of the set in force
  std::string last_error;      // of the last reload; empty when it went well
};

class Store {
 public:
  using Snapshot = std::shared_ptr<const policy::PolicySnapshot>;
  // The first load must succeed.
  static tl::expected<std::unique_ptr<Store>, policy::DocumentErrors> open(std::filesystem::path directory, bool needs_guard_policy);
  // The same for a set that comes from elsewhere; replace() brings the next one.
  static tl::expected<std::unique_ptr<Store>, policy::DocumentErrors> open(std::vector<policy::DocumentFile> files,
                                                                           bool needs_guard_policy);

  // Reads the directory again; of a store without one, the set that was given last. Returns the errors that refused it, if any.
  policy::DocumentErrors reload();
  // Another set in place of the one in force, or none of it. Returns the errors that refused it, if any.
  policy::DocumentErrors replace(std::vector<policy::DocumentFile> files);
  [[nodiscard]] Snapshot current() const;
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  [[nodiscard]] StoreStatus status() const;
  // Called after every swap and refusal, on the reloading thread.
  using Listener = std::function<void(const Snapshot& in_force, const policy::DocumentErrors& refused)>;
  void on_reload(Listener listener);

 private:
  using Compiled = tl::expected<Snapshot, policy::DocumentErrors>;
  Store(std::filesystem::path directory, bool needs_guard_policy);
  policy::DocumentErrors adopt(Compiled loaded);  // under reload_mutex_
  std::filesystem::path directory_;               // empty: the sets are given
  std::vector<policy::DocumentFile> given_;
  bool needs_guard_policy_;
  mutable std::mutex mutex_;
  Snapshot current_;
  StoreStatus status_;
  std::vector<Listener> listeners_;
  std::mutex reload_mutex_;
  std::atomic<std::uint64_t> version_{0};
};

// A loop's own pointer to the snapshot, renewed under a mutex only when the version moved (std::atomic<shared_ptr> of g++ 12
// is a data race to TSan).
class Reader {
 public:
  explicit Reader(const Store& store) : store_(store), version_(store.version()), snapshot_(store.current()) {}
  const Store::Snapshot& snapshot() {
    if (const auto version = store_.version(); version != version_) {
      snapshot_ = store_.current();
      version_ = version;
    }
    return snapshot_;
  }

 private:
  const Store& store_;
  std::uint64_t version_;  // read before the snapshot, so that a swap between the two is seen the next time
  Store::Snapshot snapshot_;
};

}  // namespace portcullis::config
