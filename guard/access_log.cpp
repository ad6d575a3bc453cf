#include "guard/access_log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "net/descriptor.hpp"
#include "observe/log.hpp"

namespace portcullis::guard {
namespace {

constexpr std::size_t read_bytes = 256 * 1024;
constexpr int reads_a_turn = 16;  // then whoever wants us to end is heard, and the name is looked at
constexpr std::uint32_t folder_events = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;

// An open log, and how much of it was read.
struct File {
  net::Descriptor descriptor;
  dev_t device = 0;
  ino_t inode = 0;
  off_t offset = 0;
  LineSplitter lines;
};

}  // namespace

struct AccessLogReader::Impl {
  Options options;
  net::Descriptor stop, inotify;
  int folder_watch = -1, file_watch = -1;
  std::optional<File> file, former;
  Clock::time_point former_until, next_tick;
  AccessLogParser parser;
  std::unique_ptr<char[]> buffer = std::make_unique_for_overwrite<char[]>(read_bytes);
  LineSplitter::Take take = [this](std::string_view line) { read_line(line); };
  std::uint64_t too_long_before = 0;  // in files that are closed
  std::thread thread;

  std::atomic<std::uint64_t> lines{0}, requests{0}, bad{0}, too_long{0}, rotations{0}, truncations{0}, bytes_behind{0};
  std::atomic<bool> is_open{false}, stopping{false};
  std::atomic<Clock::rep> last_line{0};

  void read_line(std::string_view line) {
    lines.fetch_add(1, std::memory_order_relaxed);
    last_line.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    FinishedRequest request;
    switch (parser.read(line, request)) {
      case AccessLogParser::Line::ours:
        requests.fetch_add(1, std::memory_order_relaxed);
        options.finished(request);
        break;
      case AccessLogParser::Line::others:
        break;
      case AccessLogParser::Line::bad:
        bad.fetch_add(1, std::memory_order_relaxed);
        break;
    }
  }

  // The file of our name as it is now; none where there is none, or nothing that can be followed.
  std::optional<File> open_file() const {
    File opened;
    opened.descriptor = net::Descriptor(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat facts {};
    if (!opened.descriptor.is_open()) {
      if (errno != ENOENT) complain(std::strerror(errno));
      return std::nullopt;
    }
    if (::fstat(opened.descriptor.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
      complain("no plain file");
      return std::nullopt;
    }
    opened.device = facts.st_dev;
    opened.inode = facts.st_ino;
    return opened;
  }

  void complain(std::string_view why) const {
    observe::log_limited(observe::Level::warn, "access_log_unreadable", {{"file", options.file.string()}, {"reason", why}}, 1);
  }

  // What was there before us is not ours to judge.
  static void go_to_end(File& opened) {
    opened.offset = std::max<off_t>(::lseek(opened.descriptor.get(), 0, SEEK_END), 0);
    char last = '\n';
    if (opened.offset > 0 && ::pread(opened.descriptor.get(), &last, 1, opened.offset - 1) == 1 && last != '\n')
      opened.lines.skip_begun_line();
  }

  // Another file may have taken the name.
  void look_at_name() {
    struct stat facts {};
    if (::stat(options.file.c_str(), &facts) != 0) return;
    if (file && file->device == facts.st_dev && file->inode == facts.st_ino) return;
    std::optional<File> next = open_file();
    if (!next) return;
    if (file) {
      close_former();
      former = std::move(file);
      former_until = Clock::now() + options.former_time;
      rotations.fetch_add(1, std::memory_order_relaxed);
    }
    file = std::move(next);
    watch_file();
  }

  void close_former() {
    if (former) too_long_before += former->lines.too_long();
    former.reset();
  }

  // True when there may be more at once.
  bool read_some(File& from) {
    struct stat facts {};
    if (::fstat(from.descriptor.get(), &facts) == 0 && facts.st_size < from.offset) {
      from.offset = 0;
      from.lines.forget();
      truncations.fetch_add(1, std::memory_order_relaxed);
    }
    for (int reads = 0; reads < reads_a_turn && !stopping.load(std::memory_order_relaxed); ++reads) {
      const ssize_t count = ::pread(from.descriptor.get(), buffer.get(), read_bytes, from.offset);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) complain(std::strerror(errno));
      if (count <= 0) return false;
      from.offset += count;
      from.lines.feed({buffer.get(), static_cast<std::size_t>(count)}, take);
    }
    return true;
  }

  void measure() {
    struct stat facts {};
    const bool open = file && ::fstat(file->descriptor.get(), &facts) == 0;
    bytes_behind.store(open && facts.st_size > file->offset ? static_cast<std::uint64_t>(facts.st_size - file->offset) : 0,
                       std::memory_order_relaxed);
    too_long.store(too_long_before + (file ? file->lines.too_long() : 0) + (former ? former->lines.too_long() : 0),
                   std::memory_order_relaxed);
    is_open.store(open, std::memory_order_relaxed);
  }

  void watch_folder() {
    if (!inotify.is_open() || folder_watch >= 0) return;
    const std::filesystem::path folder = options.file.has_parent_path() ? options.file.parent_path() : std::filesystem::path(".");
    folder_watch = inotify_add_watch(inotify.get(), folder.c_str(), folder_events);
  }
  // By its name, which may be another's by now: then look_at_name() sees that, and comes here again.
  void watch_file() {
    if (!inotify.is_open() || !file) return;
    if (file_watch >= 0) inotify_rm_watch(inotify.get(), file_watch);
    file_watch = inotify_add_watch(inotify.get(), options.file.c_str(), IN_MODIFY);
  }

  void take_events() {
    alignas(inotify_event) std::array<char, 16 * 1024> events;
    for (ssize_t count; (count = ::read(inotify.get(), events.data(), events.size())) > 0;) {
      for (ssize_t at = 0; at < count;) {
        const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        if ((event->mask & IN_IGNORED) == 0) continue;
        if (event->wd == folder_watch) folder_watch = -1;  // the folder has gone
        if (event->wd == file_watch) file_watch = -1;
      }
    }
  }

  void run() {
    std::array<pollfd, 2> polled{{{stop.get(), POLLIN, 0}, {inotify.get(), POLLIN, 0}}};
    while (!stopping.load(std::memory_order_relaxed)) {
      watch_folder();
      bool more = former && read_some(*former);
      if (former && !more && Clock::now() >= former_until) close_former();
      more = (file && read_some(*file)) || more;
      look_at_name();
      measure();
      if (options.tick && Clock::now() >= next_tick) {
        next_tick = Clock::now() + options.poll_time;
        options.tick();
      }
      const int wait = more ? 0 : static_cast<int>(options.poll_time.count());
      if (::poll(polled.data(), polled.size(), wait) > 0 && polled[1].revents != 0) take_events();
    }
  }
};

AccessLogReader::AccessLogReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<AccessLogReader>> AccessLogReader::start(Options options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->stop = net::Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!impl->stop.is_open()) return fail(ErrorKind::unavailable, impl->options.file.string(), std::strerror(errno));
  // Where a user's inotify instances have run out, looking every poll_time has to do.
  if (impl->options.use_inotify) impl->inotify = net::Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  // Here, not on the thread: what is written once start() has returned is told.
  impl->file = impl->open_file();
  if (impl->file) Impl::go_to_end(*impl->file);
  impl->watch_file();
  Impl* const state = impl.get();
  impl->thread = std::thread([state] { state->run(); });
  return std::unique_ptr<AccessLogReader>(new AccessLogReader(std::move(impl)));
}

AccessLogReader::~AccessLogReader() {
  impl_->stopping.store(true, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(impl_->stop.get(), &one, sizeof one);
  impl_->thread.join();
}

AccessLogStats AccessLogReader::stats() const {
  const auto value = [](const auto& count) { return count.load(std::memory_order_relaxed); };
  return {.lines = value(impl_->lines),
          .requests = value(impl_->requests),
          .bad = value(impl_->bad),
          .too_long = value(impl_->too_long),
          .rotations = value(impl_->rotations),
          .truncations = value(impl_->truncations),
          .bytes_behind = value(impl_->bytes_behind),
          .is_open = value(impl_->is_open),
          .last_line = Clock::time_point(Clock::duration(value(impl_->last_line)))};
}

void AccessLogReader::expose(observe::Scrape& scrape) const {
  using observe::MetricType;
  const AccessLogStats stats = this->stats();
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    scrape.sample(name, help, MetricType::counter, {}, static_cast<double>(value));
  };
  counter("portcullis_guard_access_log_lines_total", "Lines of the access log that were read.", stats.lines);
  counter("portcullis_guard_access_log_requests_total", "Lines that carried an id in the guard's shape.", stats.requests);
  counter("portcullis_guard_access_log_bad_lines_total", "Lines that are no JSON, lack what every line has, or are too long.",
          stats.bad + stats.too_long);
  counter("portcullis_guard_access_log_rotations_total", "Times another file took the log's name, or the log was cut to nothing.",
          stats.rotations + stats.truncations);
  scrape.sample("portcullis_guard_access_log_behind_bytes", "Bytes of the access log that are not read yet.", MetricType::gauge, {},
                static_cast<double>(stats.bytes_behind));
  const bool any = stats.last_line != Clock::time_point{};
  scrape.sample("portcullis_guard_access_log_silence_seconds", "Time since the last line of the access log; -1 before the first.",
                MetricType::gauge, {}, any ? std::chrono::duration<double>(Clock::now() - stats.last_line).count() : -1);
}

}  // namespace portcullis::guard
