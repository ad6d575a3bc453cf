// Counters that a hot path may touch, and the page that Prometheus reads.
//
// A Counter is sharded: each thread adds to its own cache line without a lock; reading sums. Exposition is prometheus-cpp's
// text serialiser over what the registered sources give at scrape time. docs/metrics.md has a row for every metric; a test
// compares it with a live scrape.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portcullis::observe {

inline constexpr unsigned metric_shards = 16;
unsigned metric_shard();  // of this thread

class Counter {
 public:
  void add(std::uint64_t amount = 1) { cells_[metric_shard()].value.fetch_add(amount, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Cell, metric_shards> cells_;
};

// Durations in seconds with fixed bucket bounds; sharded like Counter.
class Histogram {
 public:
  static constexpr std::array<double, 12> bounds_seconds{25e-6,  50e-6, 100e-6, 250e-6, 500e-6, 1e-3,
                                                         2.5e-3, 5e-3,  10e-3,  50e-3,  250e-3, 1.0};
  void observe(double seconds);
  struct Totals {
    std::array<std::uint64_t, bounds_seconds.size() + 1> counts{};  // not cumulative; the last is above every bound
    double sum = 0;
  };
  [[nodiscard]] Totals totals() const;

 private:
  struct alignas(64) Cell {
    std::array<std::atomic<std::uint64_t>, bounds_seconds.size() + 1> counts{};
    std::atomic<std::uint64_t> sum_nanoseconds{0};
  };
  std::array<Cell, metric_shards> cells_;
};

using Labels = std::vector<std::pair<std::string, std::string>>;
enum class MetricType { counter, gauge };

// What a source says at scrape time.
class Scrape {
 public:
  virtual ~Scrape() = default;
  virtual void sample(std::string_view name, std::string_view help, MetricType type, const Labels& labels, double value) = 0;
  virtual void histogram(std::string_view name, std::string_view help, const Labels& labels, const Histogram::Totals& totals) = 0;
};

class Metrics {
 public:
  using Source = std::function<void(Scrape&)>;
  void add_source(Source source);            // called on the scraping thread; must outlive use
  [[nodiscard]] std::string expose() const;  // text format 0.0.4

 private:
  mutable std::mutex mutex_;
  std::vector<Source> sources_;
};

}  // namespace portcullis::observe
