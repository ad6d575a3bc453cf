// What fuzz targets share. A target is a function of bytes that must neither crash nor break a promise; promises are written
// with must(), which ends the process so that libFuzzer keeps the input. scripts/fuzz.sh runs them all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::fuzz {

inline void must(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}
inline void must(bool holds, const char* promise, std::string_view shown) {
  if (!holds) std::fprintf(stderr, "%.*s\n", static_cast<int>(shown.size()), shown.data());
  must(holds, promise);
}

inline std::string_view text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// A copy with exactly as many readable bytes behind it as the doors promise.
class Padded {
 public:
  explicit Padded(std::string_view bytes) : size_(bytes.size()), bytes_(std::make_unique<char[]>(bytes.size() + padding)) {
    if (!bytes.empty()) std::memcpy(bytes_.get(), bytes.data(), bytes.size());
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  static constexpr std::size_t padding = 64;
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

// The pieces of an input between `mark`s.
inline std::vector<std::string_view> split(std::string_view input, char mark) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t end = input.find(mark);
    pieces.push_back(input.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    input.remove_prefix(end + 1);
  }
}

// The first byte, taken off the input; 0 when there is none.
inline std::uint8_t take(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  return byte;
}

}  // namespace portcullis::fuzz

#define PORTCULLIS_FUZZ_TARGET(input)                                                 \
  static void fuzz_one(std::string_view input);                                       \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    fuzz_one(portcullis::fuzz::text(data, size));                                     \
    return 0;                                                                         \
  }                                                                                   \
  static void fuzz_one(std::string_view input)
