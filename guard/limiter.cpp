#include "guard/limiter.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <new>
#include <thread>

namespace portcullis::guard {
namespace {

constexpr double century_nanoseconds = 100.0 * 365 * 86'400 * 1e9;  // 3e18: twice that and the clock fit into 63 bits
constexpr unsigned spins_max = 64;  // a bucket is held for tens of nanoseconds; longer means its holder was put to sleep

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Gcra Gcra::make(double count, double per, double burst, double factor) {
  const double interval = std::clamp(std::ceil(per / (count * factor)), 1.0, century_nanoseconds);
  const double requests = std::max(1.0, std::round(burst * factor));
  const double tolerance = std::min(requests * interval, century_nanoseconds);
  return {static_cast<std::int64_t>(interval), static_cast<std::int64_t>(tolerance)};
}

void Charge::set_quota(std::uint64_t count, std::int64_t end) {
  const double held = std::min(static_cast<double>(count), century_nanoseconds);
  limit = {1, std::max<std::int64_t>(1, static_cast<std::int64_t>(held))};
  window_end = end;
}

void Limiter::Bucket::lock() {
  for (unsigned spins = 0; (head.fetch_or(lock_bit, std::memory_order_acquire) & lock_bit) != 0; ++spins) {
    while ((head.load(std::memory_order_relaxed) & lock_bit) != 0) {
      if (++spins > spins_max) {
        std::this_thread::yield();
      } else {
        pause();
      }
    }
  }
}

std::uint64_t Limiter::Bucket::fingerprint(int slot) const {
  return slot == 0 ? head.load(std::memory_order_relaxed) & ~lock_bit : fingerprints[slot - 1];
}

void Limiter::Bucket::set_fingerprint(int slot, std::uint64_t value) {
  if (slot == 0) {
    head.store(value | lock_bit, std::memory_order_relaxed);
  } else {
    fingerprints[slot - 1] = value;
  }
}

Limiter::Limiter(std::size_t bytes_max) {
  const std::size_t buckets = std::bit_floor(std::max<std::size_t>(bytes_max / sizeof(Bucket), 1));
  // Zero pages from the kernel: an empty slot is all zeros, and what no key ever touched is no memory.
  void* memory = ::mmap(nullptr, buckets * sizeof(Bucket), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  buckets_ = static_cast<Bucket*>(memory);
  mask_ = buckets - 1;
}

Limiter::~Limiter() { ::munmap(buckets_, (mask_ + 1) * sizeof(Bucket)); }

bool Limiter::charge(std::span<Charge> charges, std::int64_t now) { return settle(charges, now, true); }

bool Limiter::look(std::span<Charge> charges, std::int64_t now) { return settle(charges, now, false); }

bool Limiter::settle(std::span<Charge> charges, std::int64_t now, bool store_them) {
  for (Charge& charge : charges) {
    charge.fingerprint = kept_bits(charge.fingerprint);
    charge.work.bucket = &buckets_[index_of(charge.fingerprint)];
    prefetch(charge.fingerprint);
  }
  // A handful: insertion sort, in the one order in which everybody locks.
  for (std::size_t i = 1; i < charges.size(); ++i) {
    for (std::size_t j = i; j > 0 && std::less<>{}(charges[j].work.bucket, charges[j - 1].work.bucket); --j)
      std::swap(charges[j], charges[j - 1]);
  }
  const auto each_bucket = [&](auto&& act) {
    const void* last = nullptr;
    for (const Charge& charge : charges) {
      if (charge.work.bucket != last) act(*static_cast<Bucket*>(charge.work.bucket));
      last = charge.work.bucket;
    }
  };
  each_bucket([](Bucket& bucket) { bucket.lock(); });
  bool admitted = true;
  for (Charge& charge : charges) {
    find(charge, now);
    admitted = admitted && charge.wait == 0;
  }
  if (admitted && store_them) {
    // Keys that have a slot first: a new one may then take any, even one of these, and never half of it.
    for (const Charge& charge : charges) {
      if (charge.work.slot >= 0) store(charge, now);
    }
    for (const Charge& charge : charges) {
      if (charge.work.slot < 0) store(charge, now);
    }
  }
  each_bucket([](Bucket& bucket) { bucket.unlock(); });
  return admitted;
}

namespace {

// What a charge moves its key's time by.
std::int64_t step_of(const Charge& charge) {
  const auto [interval, tolerance] = charge.limit;
  if (charge.cost == 1) return std::min(interval, tolerance);
  return static_cast<std::int64_t>(std::min(std::ceil(charge.cost * static_cast<double>(interval)), static_cast<double>(tolerance)));
}

}  // namespace

int Limiter::slot_of(const Bucket& bucket, std::uint64_t fingerprint) {
  for (int slot = 0; slot < static_cast<int>(limiter_keys_a_bucket); ++slot) {
    if (bucket.fingerprint(slot) == fingerprint) return slot;
  }
  return -1;
}

void Limiter::refund(const Charge& charge) {
  const std::uint64_t fingerprint = kept_bits(charge.fingerprint);
  Bucket& bucket = buckets_[index_of(fingerprint)];
  bucket.lock();
  if (const int slot = slot_of(bucket, fingerprint); slot >= 0)
    bucket.tats[slot] = std::max(charge.window_end, bucket.tats[slot] - step_of(charge));
  bucket.unlock();
}

// Reads the key's TAT and works out what this charge would make of it.
void Limiter::find(Charge& charge, std::int64_t now) const {
  const Bucket& bucket = *static_cast<const Bucket*>(charge.work.bucket);
  const std::int64_t origin = charge.window_end == 0 ? now : charge.window_end;
  std::int64_t tat = origin;
  charge.work.slot = slot_of(bucket, charge.fingerprint);
  if (charge.work.slot >= 0) tat = std::max(tat, bucket.tats[charge.work.slot]);
  const auto [interval, tolerance] = charge.limit;
  // A limit that became tighter by a reload must not keep a key out for longer than its own burst takes.
  tat = std::min(tat, origin + tolerance + charge.debt_max);
  const std::int64_t step = step_of(charge);
  const std::int64_t ahead = tat - origin;
  charge.wait = charge.soft ? 0 : std::max<std::int64_t>(0, ahead + step - tolerance);
  if (charge.wait > 0 && charge.window_end != 0) charge.wait = std::max<std::int64_t>(1, charge.window_end - now);
  charge.work.tat = tat + step;
  charge.remaining = std::max<std::int64_t>(0, (tolerance - ahead - (charge.wait == 0 ? step : 0)) / interval);
}

void Limiter::store(const Charge& charge, std::int64_t now) {
  Bucket& bucket = *static_cast<Bucket*>(charge.work.bucket);
  int slot = charge.work.slot;
  if (slot < 0) {
    // An empty slot has TAT 0 and goes first; then the key that has paid longest ago, or is nearest to it.
    slot = 0;
    for (int other = 1; other < static_cast<int>(limiter_keys_a_bucket); ++other) {
      if (bucket.tats[other] < bucket.tats[slot]) slot = other;
    }
    if (bucket.fingerprint(slot) == 0) {
      keys_.fetch_add(1, std::memory_order_relaxed);
    } else if (bucket.tats[slot] > now) {
      forgotten_.fetch_add(1, std::memory_order_relaxed);
    }
    bucket.set_fingerprint(slot, charge.fingerprint);
  }
  bucket.tats[slot] = charge.work.tat;
}

Limiter::Stats Limiter::stats() const {
  const std::size_t buckets = mask_ + 1;
  return {keys_.load(std::memory_order_relaxed), forgotten_.load(std::memory_order_relaxed), buckets * sizeof(Bucket),
          buckets * limiter_keys_a_bucket};
}

}  // namespace portcullis::guard
