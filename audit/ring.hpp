// The way of a record from its loop to the writing thread: a bounded ring of bytes with one producer and one consumer, no
// lock and no system call. A frame is a finished line cut in two (what the writing thread knows goes in front and between)
// and the bytes that leave it only as a keyed hash.
//
// A frame never wraps: the rest of the ring is skipped by a frame of padding. A ring found empty in its second quarter or
// later starts again at its beginning, so that a quiet loop never touches most of its pages however long it lives. The
// padding counts as used until the consumer has passed it; a quarter of the ring is room enough until then.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace portcullis::audit {

inline constexpr std::size_t frame_text_bytes_max = 16 * 1024;   // a line, less what stands in front
inline constexpr std::size_t frame_secret_bytes_max = 4 * 1024;  // longer inputs are hashed before they get here
inline constexpr std::size_t ring_bytes_min = 128 * 1024;        // some frames of the greatest size

enum class Secret : std::uint8_t { none, input, hashed_input /* hex digits already */, client };

struct Frame {
  std::string_view before, after;  // of the line, around the hash
  std::string_view secret;
  Secret kind = Secret::none;
};

class Ring {
 public:
  explicit Ring(std::size_t bytes)
      : capacity_(std::max(bytes, ring_bytes_min) / alignment * alignment), bytes_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

  // Producer: room for one frame's text and secret, side by side, or null when the ring is full. Nothing is taken until publish().
  char* reserve();
  void publish(std::size_t before, std::size_t after, std::size_t secret, Secret kind);
  [[nodiscard]] bool is_half_full() const {
    return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed) > capacity_ / 2;
  }

  // Consumer: gives each frame to `take` until it returns false or none is left; then the room is free again. Returns
  // false when `take` ended it.
  template <class Take>
  bool consume(Take&& take);
  [[nodiscard]] bool is_empty() const { return head_.load() == tail_.load(std::memory_order_relaxed); }

  // INVARIANT: written by the producer, read and reset by the consumer.
  std::atomic<std::uint64_t> lost_full{0}, lost_waiting{0};
  std::atomic<bool> stalled{false};    // a wait for room was in vain; no other is tried until there is room
  std::atomic<bool> nudged{false};     // the consumer was woken for a half full ring
  std::atomic<bool> abandoned{false};  // the producer is gone

 private:
  static constexpr std::size_t alignment = 16;
  struct Header {
    std::uint32_t frame_bytes;  // with this header, a multiple of `alignment`
    std::uint32_t before, after;
    std::uint16_t secret;
    Secret kind;
    bool is_padding;
  };
  static_assert(sizeof(Header) == alignment);
  static constexpr std::size_t frame_bytes_max = sizeof(Header) + frame_text_bytes_max + frame_secret_bytes_max;
  static_assert(frame_bytes_max % alignment == 0 && ring_bytes_min >= 4 * frame_bytes_max);

  void put(const Header& header) {
    std::memcpy(bytes_.get() + offset_, &header, sizeof header);
    offset_ += header.frame_bytes;
    if (offset_ == capacity_) offset_ = 0;
    produced_ += header.frame_bytes;
    // Sequentially consistent with the consumer's announcement that it falls asleep (Log::Impl::sleep): one of the two sees the other.
    head_.store(produced_);
  }

  const std::size_t capacity_;
  const std::unique_ptr<char[]> bytes_;
  alignas(64) std::atomic<std::uint64_t> head_{0};  // bytes ever published
  std::uint64_t produced_ = 0, freed_ = 0;          // the producer's own: head_, and tail_ as last seen
  std::size_t offset_ = 0;
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // bytes ever consumed
  std::size_t consumer_offset_ = 0;
};

inline char* Ring::reserve() {
  std::size_t padding = offset_ + frame_bytes_max > capacity_ ? capacity_ - offset_ : 0;
  if (padding + frame_bytes_max > capacity_ - (produced_ - freed_) || offset_ >= capacity_ / 4) {
    freed_ = tail_.load(std::memory_order_acquire);
    if (freed_ == produced_ && offset_ >= capacity_ / 4) padding = capacity_ - offset_;
    if (padding + frame_bytes_max > capacity_ - (produced_ - freed_)) return nullptr;
  }
  if (padding > 0) put({static_cast<std::uint32_t>(padding), 0, 0, 0, Secret::none, true});
  return bytes_.get() + offset_ + sizeof(Header);
}

inline void Ring::publish(std::size_t before, std::size_t after, std::size_t secret, Secret kind) {
  const std::size_t used = sizeof(Header) + before + after + secret;
  const std::size_t frame_bytes = (used + alignment - 1) / alignment * alignment;
  put({static_cast<std::uint32_t>(frame_bytes), static_cast<std::uint32_t>(before), static_cast<std::uint32_t>(after),
       static_cast<std::uint16_t>(secret), kind, false});
}

template <class Take>
bool Ring::consume(Take&& take) {
  const std::uint64_t head = head_.load();
  const std::uint64_t start = tail_.load(std::memory_order_relaxed);
  std::uint64_t at = start;
  bool goes_on = true;
  while (goes_on && at != head) {
    Header header;
    const char* const frame = bytes_.get() + consumer_offset_;
    std::memcpy(&header, frame, sizeof header);
    if (!header.is_padding) {
      const char* const text = frame + sizeof header;
      goes_on = take(Frame{
          {text, header.before}, {text + header.before, header.after}, {text + header.before + header.after, header.secret}, header.kind});
      if (!goes_on) break;
    }
    at += header.frame_bytes;
    consumer_offset_ += header.frame_bytes;
    if (consumer_offset_ == capacity_) consumer_offset_ = 0;
  }
  if (at != start) {
    tail_.store(at, std::memory_order_release);
    stalled.store(false, std::memory_order_relaxed);
    nudged.store(false, std::memory_order_relaxed);
  }
  return goes_on;
}

}  // namespace portcullis::audit
