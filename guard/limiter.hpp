// How fast each key may go on: GCRA, one 64-bit time a key, in bounded memory, shared by all loops.
//
// The generic cell rate algorithm (ITU-T I.371, here in its virtual scheduling form) keeps the theoretical arrival time of a
// key (TAT): the moment at which it will have paid for all it took. A charge of `cost` moves it by cost * interval; the
// charge is refused when that would put it further ahead of now than `tolerance`. So in every span of time t, wherever it
// begins, at most burst + t / interval is admitted: no window has an edge. A TAT in the past says the same as no entry.
//
// Memory is one table of 64-byte buckets of four keys, found by a keyed hash that no stranger can aim (guard/siphash.hpp);
// one cache miss a key. When the four of a bucket are taken, a key that has paid goes first, which loses nothing; else the
// one that is nearest to it, and `forgotten` counts it: that key has its burst again. The table never grows.
//
// A quota of a calendar window is the same thing in a time of its own: it begins at the window's end, every request costs one
// nanosecond, and the tolerance is the quota. Until the window has ended such a key looks as one that owes, so it is kept.
//
// All charges of one request are made, or none, under the locks of their buckets, taken in order: a thousand requests at
// once are admitted exactly as often as a thousand in turn. Time is the caller's steady clock, in nanoseconds.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace portcullis::guard {

inline constexpr std::size_t limiter_bytes_max_default = 64 * 1024 * 1024;  // a million buckets; pages are taken as they fill
inline constexpr std::size_t limiter_keys_a_bucket = 4;

// A rate and a burst as the limiter counts them.
struct Gcra {
  std::int64_t interval = 1;   // nanoseconds that one request costs: 1 / rate, rounded up, so never faster than asked
  std::int64_t tolerance = 1;  // burst * interval

  // `count` requests every `per` nanoseconds, `burst` at once; factor multiplies both. What would not fit is held within a
  // century: slower than that is never.
  static Gcra make(double count, double per, double burst, double factor = 1);
};

// One key's share of a request. The first part is the caller's, `taken` and `wait` are the answer, the rest is the limiter's.
struct Charge {
  std::uint64_t fingerprint = 0;  // keyed hash of the key; no two charges of one request have the same
  Gcra limit;
  double cost = 1;              // in requests; more than the burst is charged as the burst, or it could never pass
  std::uint32_t tag = 0;        // what the caller knows it by
  bool soft = false;            // is charged if the others are, and refuses nothing
  std::int64_t debt_max = 0;    // nanoseconds beyond the tolerance that soft charges of this key may owe; the same for all of them
  std::int64_t window_end = 0;  // of a quota, on the caller's clock and the same for each charge of that window; 0: a rate

  // A quota of `count` until `end`.
  void set_quota(std::uint64_t count, std::int64_t end);

  std::int64_t wait = 0;       // nanoseconds until this charge would have been admitted; 0: it would now
  std::int64_t remaining = 0;  // whole requests that this key has left at once

  struct Work {
    void* bucket = nullptr;
    std::int64_t tat = 0;
    int slot = -1;
  } work;
};

class Limiter {
 public:
  // Takes the largest power of two of buckets that fits; at least one.
  explicit Limiter(std::size_t bytes_max = limiter_bytes_max_default);
  ~Limiter();
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  // Charges all or none at time `now`. True when all were admitted. Reorders `charges`.
  bool charge(std::span<Charge> charges, std::int64_t now);

  // What charge() would answer, without charging. Reorders `charges`.
  bool look(std::span<Charge> charges, std::int64_t now);

  // Takes back what a charge took, as far as it is still owed; nothing where the key is forgotten.
  void refund(const Charge& charge);

  // Starts fetching a key's bucket, so that it is near when charge() comes.
  void prefetch(std::uint64_t fingerprint) const { __builtin_prefetch(&buckets_[index_of(fingerprint)], 1); }

  struct Stats {
    std::uint64_t keys = 0;       // slots that hold a key, paid or not
    std::uint64_t forgotten = 0;  // keys that had not paid when their slot was needed
    std::size_t bytes = 0;        // of address space; only touched pages are memory
    std::uint64_t keys_max = 0;
  };
  [[nodiscard]] Stats stats() const;

 private:
  // `head` is the first fingerprint and, in its lowest bit, the bucket's lock; fingerprints leave that bit clear.
  struct alignas(64) Bucket {
    std::atomic<std::uint64_t> head;
    std::uint64_t fingerprints[limiter_keys_a_bucket - 1];
    std::int64_t tats[limiter_keys_a_bucket];

    void lock();
    void unlock() { head.store(head.load(std::memory_order_relaxed) & ~lock_bit, std::memory_order_release); }
    [[nodiscard]] std::uint64_t fingerprint(int slot) const;
    void set_fingerprint(int slot, std::uint64_t value);  // locked
  };
  static_assert(sizeof(Bucket) == 64);
  static constexpr std::uint64_t lock_bit = 1;
  static constexpr std::uint64_t kept_bits(std::uint64_t fingerprint) {
    const std::uint64_t kept = fingerprint & ~lock_bit;
    return kept != 0 ? kept : 2;  // 0 is an empty slot
  }
  // The high bits find the bucket; the fingerprint is kept whole, so equal ones in one bucket still differ below.
  [[nodiscard]] std::size_t index_of(std::uint64_t fingerprint) const { return (fingerprint >> 20) & mask_; }

  bool settle(std::span<Charge> charges, std::int64_t now, bool store_them);
  [[nodiscard]] static int slot_of(const Bucket& bucket, std::uint64_t fingerprint);
  void find(Charge& charge, std::int64_t now) const;
  void store(const Charge& charge, std::int64_t now);

  Bucket* buckets_ = nullptr;
  std::size_t mask_ = 0;
  std::atomic<std::uint64_t> keys_{0}, forgotten_{0};
};

}  // namespace portcullis::guard
