#include "observe/metrics.hpp"

#include <ctime>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "observe/log.hpp"
#include "observe/process_metrics.hpp"
#include "tests/catch.hpp"

namespace portcullis::observe {
namespace {

TEST_CASE("a counter sums what all threads added", "[observe]") {
  Counter counter;
  std::vector<std::thread> threads;
  for (int t = 0; t < 20; ++t) {  // more than there are shards
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) counter.add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  counter.add(5);
  CHECK(counter.value() == 200'005);
}

TEST_CASE("a histogram's bound belongs to its bucket", "[observe]") {
  Histogram histogram;
  histogram.observe(0);
  histogram.observe(25e-6);  // on the first bound
  histogram.observe(26e-6);
  histogram.observe(1.0);  // on the last
  histogram.observe(1.5);
  histogram.observe(-1);  // a clock's mistake: counted, adds nothing
  const Histogram::Totals totals = histogram.totals();
  CHECK(totals.counts[0] == 3);
  CHECK(totals.counts[1] == 1);
  CHECK(totals.counts[11] == 1);
  CHECK(totals.counts[12] == 1);
  CHECK(totals.sum == Approx(2.500051));
}

TEST_CASE("the page", "[observe]") {
  Metrics metrics;
  metrics.add_source([](Scrape& scrape) {
    scrape.sample("portcullis_x_total", "Things.", MetricType::counter, {{"door", "webhook"}}, 3);
    scrape.sample("portcullis_y_seconds", "A time.", MetricType::gauge, {}, 1.5);
  });
  metrics.add_source([](Scrape& scrape) {
    scrape.sample("portcullis_x_total", "Things.", MetricType::counter, {{"door", "a\"b\\c\nd"}}, 4);
  });
  CHECK(metrics.expose() ==
        "# HELP portcullis_x_total Things.\n"
        "# TYPE portcullis_x_total counter\n"
        "portcullis_x_total{door=\"webhook\"} 3\n"
        "portcullis_x_total{door=\"a\\\"b\\\\c\\nd\"} 4\n"
        "# HELP portcullis_y_seconds A time.\n"
        "# TYPE portcullis_y_seconds gauge\n"
        "portcullis_y_seconds 1.5\n");
}

TEST_CASE("a histogram on the page is cumulative", "[observe]") {
  Metrics metrics;
  Histogram histogram;
  histogram.observe(20e-6);
  histogram.observe(20e-6);
  histogram.observe(0.4);
  histogram.observe(2);
  metrics.add_source([&](Scrape& scrape) {
    scrape.histogram("portcullis_d_seconds", "Durations.", {{"door", "guard"}}, histogram.totals());
  });
  const std::string page = metrics.expose();
  CHECK(page.find("# TYPE portcullis_d_seconds histogram\n") != std::string::npos);
  CHECK(page.find("portcullis_d_seconds_bucket{door=\"guard\",le=\"2.5e-05\"} 2\n") != std::string::npos);
  CHECK(page.find("portcullis_d_seconds_bucket{door=\"guard\",le=\"0.25\"} 2\n") != std::string::npos);
  CHECK(page.find("portcullis_d_seconds_bucket{door=\"guard\",le=\"1\"} 3\n") != std::string::npos);
  CHECK(page.find("portcullis_d_seconds_bucket{door=\"guard\",le=\"+Inf\"} 4\n") != std::string::npos);
  CHECK(page.find("portcullis_d_seconds_count{door=\"guard\"} 4\n") != std::string::npos);
  CHECK(page.find("portcullis_d_seconds_sum{door=\"guard\"} 2.40004") != std::string::npos);
}

TEST_CASE("what would spoil the page is left out and said", "[observe]") {
  std::vector<std::string> said;
  set_log_sink([&](std::string_view line) { said.emplace_back(line); });
  Metrics metrics;
  metrics.add_source([](Scrape& scrape) {
    scrape.sample("portcullis_x_total", "Things.", MetricType::counter, {}, 1);
    scrape.sample("portcullis_x_total", "Things.", MetricType::counter, {}, 2);
    scrape.sample("portcullis_x_total", "Things.", MetricType::gauge, {{"a", "b"}}, 2);
  });
  const std::string page = metrics.expose();
  set_log_sink({});
  CHECK(page == "# HELP portcullis_x_total Things.\n# TYPE portcullis_x_total counter\nportcullis_x_total 1\n");
  CHECK(said.size() == 2);
}

// `name value` of the page.
double value_of(const std::string& page, const std::string& series) {
  const std::size_t at = page.find("\n" + series + " ");
  return at == std::string::npos ? std::numeric_limits<double>::quiet_NaN() : std::stod(page.substr(at + series.size() + 2));
}

TEST_CASE("the process tells of itself", "[observe]") {
  Metrics metrics;
  add_process_metrics(metrics);
  add_build_info(metrics, "1.2.3");
  const std::string page = metrics.expose();
  CAPTURE(page);
  const double now = static_cast<double>(std::time(nullptr));
  CHECK(value_of(page, "process_start_time_seconds") > now - 3600);
  CHECK(value_of(page, "process_start_time_seconds") < now + 5);
  CHECK(value_of(page, "process_resident_memory_bytes") > 1e6);
  CHECK(value_of(page, "process_cpu_seconds_total") >= 0);
  CHECK(value_of(page, "process_max_fds") > 0);
  CHECK(value_of(page, "portcullis_build_info{version=\"1.2.3\"}") == 1);
  const double before = value_of(page, "process_open_fds");
  const std::ifstream one_more("/proc/self/stat");
  CHECK(value_of(metrics.expose(), "process_open_fds") == before + 1);
}

TEST_CASE("every metric of the process has its row in docs/metrics.md", "[observe][docs]") {
  Metrics metrics;
  add_process_metrics(metrics);
  add_build_info(metrics, "1.2.3");
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/docs/metrics.md");
  const std::string docs((std::istreambuf_iterator<char>(file)), {});
  std::istringstream page(metrics.expose());
  std::string line;
  unsigned metrics_seen = 0;
  while (std::getline(page, line)) {
    if (line.rfind("# TYPE ", 0) != 0) continue;
    const std::size_t type_at = line.rfind(' ');
    const std::string name = line.substr(7, type_at - 7), type = line.substr(type_at + 1);
    CAPTURE(name, type);
    CHECK(docs.find("| `" + name + "` | " + type + " |") != std::string::npos);
    ++metrics_seen;
  }
  CHECK(metrics_seen == 6);
}

}  // namespace
}  // namespace portcullis::observe
