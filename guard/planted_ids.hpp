// Ids that the guard plants in what passes and knows again in Traefik's access log: `X-Guard-Id` becomes `ClientUsername`
// there (forwardAuth `headerField`), and so the outcome of a request finds back to what was decided about it.
//
// A client can put a name of its own into `ClientUsername`, by Basic authentication. So an id is "pg-", 16 hexadecimal digits
// of its number, and 16 of a keyed hash of it: who does not know this start's secret can make none. The number is mixed by
// a keyed permutation, so that no two ids tell how much came between them. Each id is taken once.
//
// Bounded: a ring of slots. What is overwritten before its log line came, and what no line came for in time, is given back
// (`lost`), because it may hold something that must be released. Planting and taking may happen on any thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "guard/siphash.hpp"

namespace portcullis::guard {

inline constexpr std::string_view planted_id_prefix = "pg-";
inline constexpr std::size_t planted_id_bytes = planted_id_prefix.size() + 2 * 16;
inline constexpr std::size_t planted_slots_default = 65'536;     // 10,000 requests a second that take 6 s each
inline constexpr std::chrono::minutes planted_time_default{10};  // a request that takes longer is not heard of

class PlantedId {
 public:
  [[nodiscard]] std::string_view text() const { return {chars.data(), chars.size()}; }
  std::array<char, planted_id_bytes> chars{};
};

// Numbers as ids, and back.
class PlantedIdCode {
 public:
  explicit PlantedIdCode(const SipKey& mixing = SipKey::random(), const SipKey& proving = SipKey::random())
      : mixing_(mixing), proving_(proving) {}
  [[nodiscard]] PlantedId write(std::uint64_t number) const;
  // None for what write() did not make.
  [[nodiscard]] std::optional<std::uint64_t> read(std::string_view id) const;

 private:
  [[nodiscard]] std::uint64_t mix(std::uint64_t number) const;
  [[nodiscard]] std::uint64_t unmix(std::uint64_t mixed) const;
  [[nodiscard]] std::uint32_t round(std::uint32_t half, unsigned number) const;

  SipKey mixing_, proving_;
};

// How it looks; nothing says that it is one of ours.
inline bool looks_planted(std::string_view id) { return id.size() == planted_id_bytes && id.starts_with(planted_id_prefix); }

struct PlantedStats {
  std::uint64_t planted = 0, taken = 0;
  std::uint64_t overwritten = 0, expired = 0;  // given back as lost
  std::uint64_t forged = 0;                    // looked like an id, and was none of ours
  std::uint64_t late = 0;                      // was ours, and had been taken or lost before
};

// `Payload`: default constructible and movable; what was decided about a request.
template <class Payload>
class PlantedIds {
 public:
  using Lost = std::function<void(Payload)>;  // without a lock; on the thread that noticed

  explicit PlantedIds(Lost lost = {}, std::size_t slots = planted_slots_default, std::chrono::nanoseconds time_max = planted_time_default)
      : lost_(std::move(lost)), slots_a_shard_(std::max<std::size_t>(slots / shards, 1)), time_max_(time_max) {}
  PlantedIds(const PlantedIds&) = delete;
  PlantedIds& operator=(const PlantedIds&) = delete;

  PlantedId plant(Payload payload, Clock::time_point now) {
    const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
    std::optional<Payload> displaced;
    bool was_due = false;
    {
      Shard& shard = shard_of(number);
      const std::lock_guard lock(shard.mutex);
      if (shard.slots.empty()) shard.slots.resize(slots_a_shard_);
      Slot& slot = slot_of(shard, number);
      if (slot.number > number) {  // the ring went round while this thread slept
        displaced = std::move(payload);
      } else {
        was_due = slot.planted + time_max_ <= now;
        if (slot.waits) displaced = std::move(slot.payload);
        slot.number = number;
        slot.planted = now;
        slot.payload = std::move(payload);
        slot.waits = true;
      }
    }
    if (displaced) lose(was_due ? expired_ : overwritten_, *std::move(displaced));
    return code_.write(number);
  }

  // The payload of an id of ours, once; none for any other text, and for what was lost.
  std::optional<Payload> take(std::string_view id, Clock::time_point now) {
    if (!looks_planted(id)) return std::nullopt;
    const auto number = code_.read(id);
    if (!number) {
      forged_.fetch_add(1, std::memory_order_relaxed);
      return std::nullopt;
    }
    std::optional<Payload> payload;
    bool in_time = false;
    {
      Shard& shard = shard_of(*number);
      const std::lock_guard lock(shard.mutex);
      if (!shard.slots.empty()) {
        Slot& slot = slot_of(shard, *number);
        in_time = now < slot.planted + time_max_;
        if (slot.number == *number && std::exchange(slot.waits, false)) payload = std::move(slot.payload);
      }
    }
    if (payload && in_time) {
      taken_.fetch_add(1, std::memory_order_relaxed);
      return payload;
    }
    late_.fetch_add(1, std::memory_order_relaxed);
    if (payload) lose(expired_, *std::move(payload));
    return std::nullopt;
  }

  // Gives back what no line came for in time. Looks only at what is due: worth a call a second.
  void expire(Clock::time_point now) {
    const std::lock_guard one_at_a_time(expire_mutex_);
    for (const std::uint64_t end = next_.load(std::memory_order_relaxed); oldest_ < end; ++oldest_) {
      std::optional<Payload> payload;
      {
        Shard& shard = shard_of(oldest_);
        const std::lock_guard lock(shard.mutex);
        if (shard.slots.empty()) return;  // its number is given out, and it is about to be planted
        Slot& slot = slot_of(shard, oldest_);
        if (slot.number < oldest_) return;
        if (slot.number > oldest_ || !slot.waits) continue;  // overwritten or taken
        if (now < slot.planted + time_max_) return;
        slot.waits = false;
        payload = std::move(slot.payload);
      }
      lose(expired_, *std::move(payload));
    }
  }

  [[nodiscard]] PlantedStats stats() const {
    const auto value = [](const std::atomic<std::uint64_t>& count) { return count.load(std::memory_order_relaxed); };
    return {.planted = value(next_) - 1,
            .taken = value(taken_),
            .overwritten = value(overwritten_),
            .expired = value(expired_),
            .forged = value(forged_),
            .late = value(late_)};
  }

 private:
  static constexpr std::size_t shards = 64;
  struct Slot {
    std::uint64_t number = 0;
    Clock::time_point planted;
    Payload payload{};
    bool waits = false;  // for its line
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    std::vector<Slot> slots;  // made when they are first wanted
  };

  Shard& shard_of(std::uint64_t number) { return shards_[number % shards]; }
  Slot& slot_of(Shard& shard, std::uint64_t number) { return shard.slots[number / shards % slots_a_shard_]; }
  void lose(std::atomic<std::uint64_t>& count, Payload payload) {
    count.fetch_add(1, std::memory_order_relaxed);
    if (lost_) lost_(std::move(payload));
  }

  Lost lost_;
  std::size_t slots_a_shard_;
  std::chrono::nanoseconds time_max_;
  PlantedIdCode code_;
  std::unique_ptr<Shard[]> shards_ = std::make_unique<Shard[]>(shards);
  std::atomic<std::uint64_t> next_{1};
  std::mutex expire_mutex_;
  std::uint64_t oldest_ = 1;  // everything before it was looked at
  std::atomic<std::uint64_t> taken_{0}, overwritten_{0}, expired_{0}, forged_{0}, late_{0};
};

}  // namespace portcullis::guard
