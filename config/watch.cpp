#include "config/watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "base/clock.hpp"
#include "observe/log.hpp"

namespace portcullis::config {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t events =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::size_t folders_max = 1'000;       // watched below one target
constexpr int settles_max = 10;                  // without end, who writes all the time would never be heard
constexpr std::chrono::seconds rewatch_time{5};  // how often a folder that went away is looked for

struct Watched {
  Watch::Target target;
  std::optional<Clock::time_point> due;    // when to call, if nothing further changes
  std::optional<Clock::time_point> since;  // of the first change not yet told
};

}  // namespace

struct Watch::Impl {
  Impl(std::vector<Target> targets, std::chrono::milliseconds wait) : settle(wait) {
    for (Target& target : targets) watched.push_back({std::move(target), std::nullopt, std::nullopt});
  }
  ~Impl() {
    if (inotify >= 0) close(inotify);
    if (stop >= 0) close(stop);
  }

  std::vector<Watched> watched;
  std::chrono::milliseconds settle;
  int inotify = -1, stop = -1;
  bool started = false;                         // before the thread runs: nothing is a change yet
  std::map<int, std::set<std::size_t>> owners;  // watch descriptor -> targets it stands for
  std::thread thread;

  // A folder that is new after the start may have been filled before it was watched.
  void add_folder(const fs::path& folder, std::size_t target) {
    const int descriptor = inotify_add_watch(inotify, folder.c_str(), events | IN_ONLYDIR);
    if (descriptor >= 0 && owners[descriptor].insert(target).second && started) change(watched[target]);
  }

  void change(Watched& each) const {
    const auto now = Clock::now();
    if (!each.since) each.since = now;
    each.due = std::min(now + settle, *each.since + settles_max * settle);
  }

  // A file is watched through its folder: editors and Kubernetes replace it by rename. A mounted Secret or ConfigMap is a link
  // into `..data`, which is swapped in that same folder.
  void add_target(std::size_t index) {
    const fs::path& path = watched[index].target.path;
    std::error_code error;
    if (!fs::is_directory(path, error)) return add_folder(path.has_parent_path() ? path.parent_path() : fs::path("."), index);
    add_folder(path, index);
    std::size_t folders = 0;
    for (fs::recursive_directory_iterator
             each(path, fs::directory_options::follow_directory_symlink | fs::directory_options::skip_permission_denied, error),
         last;
         !error && each != last && folders < folders_max; each.increment(error)) {
      if (each.depth() > 16) each.disable_recursion_pending();
      std::error_code ignored;
      if (!each->is_directory(ignored)) continue;
      add_folder(each->path(), index);
      ++folders;
    }
  }

  void add_all() {
    for (std::size_t index = 0; index < watched.size(); ++index) add_target(index);
  }

  void read_events() {
    alignas(inotify_event) std::array<char, 16 * 1024> buffer;
    for (;;) {
      const ssize_t got = read(inotify, buffer.data(), buffer.size());
      if (got <= 0) return;
      for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        take(*event);
      }
    }
  }

  void take(const inotify_event& event) {
    if (event.mask & IN_Q_OVERFLOW) {  // some were lost: everything may have changed
      for (Watched& each : watched) change(each);
      return;
    }
    const auto owner = owners.find(event.wd);
    if (owner == owners.end()) return;
    const std::string_view name = event.len > 0 ? std::string_view(event.name) : std::string_view{};
    for (const std::size_t index : owner->second) {
      Watched& each = watched[index];
      std::error_code error;
      const bool is_folder = fs::is_directory(each.target.path, error);
      if (is_folder || name.empty() || name == each.target.path.filename() || name.starts_with("..")) change(each);
    }
    if (event.mask & IN_IGNORED) owners.erase(owner);
  }

  [[nodiscard]] int wait_milliseconds() const {
    auto next = Clock::now() + rewatch_time;
    for (const Watched& each : watched)
      if (each.due) next = std::min(next, *each.due);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(wait.count(), 0));
  }

  void run() {
    std::array<pollfd, 2> polled{{{inotify, POLLIN, 0}, {stop, POLLIN, 0}}};
    for (;;) {
      const int ready = poll(polled.data(), polled.size(), wait_milliseconds());
      if (ready < 0 && errno != EINTR) return observe::log(observe::Level::error, "watch_failed", {{"reason", std::strerror(errno)}});
      if (polled[1].revents != 0) return;
      if (polled[0].revents != 0) read_events();
      bool called = false;
      for (Watched& each : watched) {
        if (!each.due || *each.due > Clock::now()) continue;
        each.due.reset();
        each.since.reset();
        called = true;
        each.target.changed();
      }
      if (called || ready == 0) add_all();  // folders that came with the change, or came back
    }
  }
};

Watch::Watch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Watch>> Watch::start(std::vector<Target> targets, std::chrono::milliseconds settle) {
  auto impl = std::make_unique<Impl>(std::move(targets), settle);
  impl->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  impl->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (impl->inotify < 0 || impl->stop < 0) return fail(ErrorKind::unavailable, "inotify", std::strerror(errno));
  impl->add_all();
  impl->started = true;
  impl->thread = std::thread([state = impl.get()] { state->run(); });
  return std::unique_ptr<Watch>(new Watch(std::move(impl)));
}

Watch::~Watch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(impl_->stop, &one, sizeof one);
  impl_->thread.join();
}

}  // namespace portcullis::config
