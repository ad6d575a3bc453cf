// Where lines end up: a file opened for appending, or standard output. Writes that are interrupted go on, writes that would
// block wait no longer than they are told, errors come back as a number. No policy here: what to keep and when to try again
// is the writing thread's.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace portcullis::audit {

class Output {
 public:
  // Absent: standard output. A file that ends in the middle of a line (a crash) gets a newline first, so that the torn line
  // stands alone.
  static Result<Output> open(const std::optional<std::filesystem::path>& file);
  Output(Output&& other) noexcept;
  Output& operator=(Output&& other) noexcept;
  ~Output();

  struct Written {
    std::size_t bytes = 0;
    int error = 0;  // errno; 0 also when `wait_max` passed without room in a pipe
  };
  Written write(std::string_view bytes, std::chrono::milliseconds wait_max);

 private:
  Output(int descriptor, bool is_owned, bool is_regular) : descriptor_(descriptor), is_owned_(is_owned), is_regular_(is_regular) {}
  int descriptor_;
  bool is_owned_, is_regular_;
};

}  // namespace portcullis::audit
