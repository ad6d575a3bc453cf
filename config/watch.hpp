// Tells when files change: inotify on directories (Kubernetes swaps `..data` by rename), settled for a moment so that a
// burst of writes is one call. One thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.hpp"

namespace portcullis::config {

class Watch {
 public:
  struct Target {
    std::filesystem::path path;     // a directory (with everything below it) or a file
    std::function<void()> changed;  // called on the watching thread, after `settle` without a further change
  };
  static Result<std::unique_ptr<Watch>> start(std::vector<Target> targets,
                                              std::chrono::milliseconds settle = std::chrono::milliseconds(500));
  ~Watch();

 private:
  struct Impl;
  explicit Watch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::config
