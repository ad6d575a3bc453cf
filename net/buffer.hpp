// Received bytes in one flat piece, so that a request's head and body can be read in place as views. Behind the last byte
// that can be filled there are always body_padding_bytes more to read, for simdjson.
//
// A connection borrows a buffer from its loop when bytes arrive and gives it back when none is left: an idle connection
// holds none, and a busy loop keeps reading into the same warm memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "net/request.hpp"

namespace portcullis::net {

// One TLS record (16 KiB) twice over: a 10 KB review and its head arrive in a single read.
inline constexpr std::size_t buffer_bytes_base = 32 * 1024;

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t capacity) : bytes_(allocate(capacity)), capacity_(capacity) {}

  [[nodiscard]] bool allocated() const { return bytes_ != nullptr; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] char* data() { return bytes_.get() + begin_; }
  [[nodiscard]] const char* data() const { return bytes_.get() + begin_; }
  [[nodiscard]] std::string_view view() const { return {data(), size()}; }

  [[nodiscard]] char* room() { return bytes_.get() + end_; }
  [[nodiscard]] std::size_t room_bytes() const { return capacity_ - end_; }
  void added(std::size_t count) { end_ += count; }

  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void truncate(std::size_t size) { end_ = begin_ + size; }  // keeps the first `size` bytes
  void clear() { begin_ = end_ = 0; }

  // Makes room for `wanted` unread bytes in all, moving what is there to the front: data() changes.
  void reserve(std::size_t wanted) {
    if (capacity_ - begin_ >= wanted) return;
    if (capacity_ >= wanted) {
      std::memmove(bytes_.get(), data(), size());
    } else {
      auto larger = allocate(wanted);
      if (!empty()) std::memcpy(larger.get(), data(), size());
      bytes_ = std::move(larger);
      capacity_ = wanted;
    }
    end_ = size();
    begin_ = 0;
  }

 private:
  static std::unique_ptr<char[]> allocate(std::size_t capacity) {
    auto bytes = std::unique_ptr<char[]>(new char[capacity + body_padding_bytes]);  // not zeroed: it is written before it is read
    std::memset(bytes.get() + capacity, 0, body_padding_bytes);
    return bytes;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

// A loop's spare buffers. Grown ones are freed on return; only the base size is worth keeping.
class BufferPool {
 public:
  Buffer take() {
    if (spare_.empty()) return Buffer(buffer_bytes_base);
    Buffer buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }
  void give_back(Buffer&& buffer) {
    Buffer mine = std::move(buffer);
    buffer = Buffer{};
    if (mine.capacity() != buffer_bytes_base || spare_.size() >= spare_max) return;
    mine.clear();
    spare_.push_back(std::move(mine));
  }

 private:
  static constexpr std::size_t spare_max = 16;  // 512 KiB a loop
  std::vector<Buffer> spare_;
};

}  // namespace portcullis::net
