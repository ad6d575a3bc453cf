// Sums of the shards, and the page: the sources' samples gathered into families, which prometheus-cpp serialises.
#include "observe/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "observe/log.hpp"

namespace portcullis::observe {
namespace {

class Gathered final : public Scrape {
 public:
  void sample(std::string_view name, std::string_view help, MetricType type, const Labels& labels, double value) override {
    const bool is_counter = type == MetricType::counter;
    prometheus::ClientMetric* metric =
        add(name, help, is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge, labels);
    if (metric == nullptr) return;
    if (is_counter) {
      metric->counter.value = value;
    } else {
      metric->gauge.value = value;
    }
  }

  void histogram(std::string_view name, std::string_view help, const Labels& labels, const Histogram::Totals& totals) override {
    prometheus::ClientMetric* metric = add(name, help, prometheus::MetricType::Histogram, labels);
    if (metric == nullptr) return;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < totals.counts.size(); ++i) {
      cumulative += totals.counts[i];
      const bool is_last = i == Histogram::bounds_seconds.size();
      metric->histogram.bucket.push_back({cumulative, is_last ? std::numeric_limits<double>::infinity() : Histogram::bounds_seconds[i]});
    }
    metric->histogram.sample_count = cumulative;
    metric->histogram.sample_sum = totals.sum;
  }

  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  // Null, and said in the log, where a name comes twice with different types or a series comes twice: Prometheus would
  // refuse the whole page for it.
  prometheus::ClientMetric* add(std::string_view name, std::string_view help, prometheus::MetricType type, const Labels& labels) {
    auto found = places_.find(name);
    if (found == places_.end()) {
      found = places_.emplace(std::string(name), families_.size()).first;
      families_.push_back({std::string(name), std::string(help), type, {}});
    }
    prometheus::MetricFamily& family = families_[found->second];
    prometheus::ClientMetric metric;
    for (const auto& [label, value] : labels) metric.label.push_back({label, value});
    const auto is_same = [&](const prometheus::ClientMetric& other) { return other.label == metric.label; };
    if (family.type != type || std::any_of(family.metric.begin(), family.metric.end(), is_same)) {
      log_limited(Level::error, "metric_refused", {{"metric", name}, {"reason", family.type != type ? "two types" : "series twice"}});
      return nullptr;
    }
    return &family.metric.emplace_back(std::move(metric));
  }

  std::vector<prometheus::MetricFamily> families_;
  std::map<std::string, std::size_t, std::less<>> places_;
};

}  // namespace

unsigned metric_shard() {
  static std::atomic<unsigned> next{0};
  thread_local const unsigned mine = next.fetch_add(1, std::memory_order_relaxed) % metric_shards;
  return mine;
}

std::uint64_t Counter::value() const {
  std::uint64_t sum = 0;
  for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return sum;
}

void Histogram::observe(double seconds) {
  // A bound belongs to its bucket (`le`). Comparing with all twelve costs no mispredicted branch.
  std::size_t bucket = 0;
  for (const double bound : bounds_seconds) bucket += static_cast<std::size_t>(seconds > bound);
  Cell& cell = cells_[metric_shard()];
  cell.counts[bucket].fetch_add(1, std::memory_order_relaxed);
  if (seconds > 0) cell.sum_nanoseconds.fetch_add(static_cast<std::uint64_t>(std::llround(seconds * 1e9)), std::memory_order_relaxed);
}

Histogram::Totals Histogram::totals() const {
  Totals totals;
  std::uint64_t nanoseconds = 0;
  for (const Cell& cell : cells_) {
    for (std::size_t i = 0; i < totals.counts.size(); ++i) totals.counts[i] += cell.counts[i].load(std::memory_order_relaxed);
    nanoseconds += cell.sum_nanoseconds.load(std::memory_order_relaxed);
  }
  totals.sum = static_cast<double>(nanoseconds) * 1e-9;
  return totals;
}

void Metrics::add_source(Source source) {
  const std::lock_guard lock(mutex_);
  sources_.push_back(std::move(source));
}

std::string Metrics::expose() const {
  Gathered gathered;
  const std::lock_guard lock(mutex_);
  for (const Source& source : sources_) source(gathered);
  return gathered.text();
}

}  // namespace portcullis::observe
