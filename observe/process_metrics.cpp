#include "observe/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

namespace portcullis::observe {
namespace {

double ticks_a_second() {
  static const long ticks = sysconf(_SC_CLK_TCK);
  return static_cast<double>(ticks);
}

struct Stat {
  double cpu_seconds, start_seconds_after_boot;
};

// proc(5): fields 14 (utime), 15 (stime) and 22 (starttime), counted after the last `)`, for a command may hold spaces.
std::optional<Stat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const std::size_t after_command = line.rfind(')');
  if (after_command == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(after_command + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0, start = 0;
  fields >> user >> system;
  for (int field = 16; field < 22; ++field) fields >> skipped;
  if (!(fields >> start)) return std::nullopt;
  return Stat{(user + system) / ticks_a_second(), start / ticks_a_second()};
}

std::optional<double> read_boot_time() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> read_resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0, resident_pages = 0;
  if (!(file >> total_pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::optional<double> count_open_files() {
  std::error_code error;
  double count = -1;  // the descriptor that reads the directory is none of ours
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) ++count;
  if (error || count < 0) return std::nullopt;
  return count;
}

void report(Scrape& scrape) {
  static const std::optional<double> boot_time = read_boot_time();
  if (const auto stat = read_stat()) {
    scrape.sample("process_cpu_seconds_total", "Processor time spent, user and system.", MetricType::counter, {}, stat->cpu_seconds);
    if (boot_time) {
      scrape.sample("process_start_time_seconds", "When the process started, Unix time.", MetricType::gauge, {},
                    *boot_time + stat->start_seconds_after_boot);
    }
  }
  if (const auto bytes = read_resident_bytes()) {
    scrape.sample("process_resident_memory_bytes", "Memory in RAM.", MetricType::gauge, {}, *bytes);
  }
  if (const auto count = count_open_files()) {
    scrape.sample("process_open_fds", "Open file descriptors.", MetricType::gauge, {}, *count);
  }
  if (rlimit limit{}; getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    scrape.sample("process_max_fds", "Bound on open file descriptors.", MetricType::gauge, {}, static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace

void add_process_metrics(Metrics& metrics) { metrics.add_source(report); }

void add_build_info(Metrics& metrics, std::string version) {
  metrics.add_source([version = std::move(version)](Scrape& scrape) {
    scrape.sample("portcullis_build_info", "Always 1; the label says which build this is.", MetricType::gauge, {{"version", version}}, 1);
  });
}

}  // namespace portcullis::observe
