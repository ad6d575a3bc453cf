// The real redis-server as a child process on a Unix socket in a directory of its own, a hand on it, and one who asks a store.
#pragma once

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "guard/redis_reply.hpp"
#include "guard/redis_script.hpp"
#include "guard/shared_store.hpp"
#include "tests/catch.hpp"
#include "tests/temp_dir.hpp"

namespace portcullis::guard::testing {

using namespace std::chrono_literals;

inline constexpr std::chrono::seconds patience{30};  // a condition that takes longer has failed; sanitizers are slow

inline bool becomes(const std::function<bool()>& holds, std::chrono::milliseconds within = patience) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(500us);
  }
  return true;
}

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> options = {}) : options_(std::move(options)) { start(); }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  [[nodiscard]] std::string socket_path() const { return (directory_.path() / "redis.sock").string(); }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }
  [[nodiscard]] RedisUrl url() const {
    RedisUrl url;
    url.path = socket_path();
    return url;
  }

  void start() {
    std::vector<std::string> words{"redis-server",
                                   "--port",
                                   "0",
                                   "--unixsocket",
                                   socket_path(),
                                   "--save",
                                   "",
                                   "--appendonly",
                                   "no",
                                   "--dir",
                                   directory_.path().string(),
                                   "--enable-debug-command",
                                   "yes",
                                   "--loglevel",
                                   "warning",
                                   "--logfile",
                                   (directory_.path() / "log").string()};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    REQUIRE(becomes([this] { return say({"PING"}).text == "PONG"; }));
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void restart() {
    kill();
    start();
  }
  void signal(int number) const { ::kill(pid_, number); }

  // One command on a connection of its own; kind error with an empty text when there is no server.
  [[nodiscard]] RedisReply say(std::initializer_list<std::string_view> words) const {
    std::string command;
    RedisCommand out(command, words.size());
    for (const std::string_view word : words) out.add(word);
    RedisReply reply{.kind = RedisReply::Kind::error, .text = {}, .items = {}};
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, socket_path().c_str(), sizeof at.sun_path - 1);
    RedisReader reader;
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
        ::send(socket, command.data(), command.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(command.size())) {
      char room[4096];
      while (reader.next(reply) == RedisReader::Next::more) {
        const auto count = ::recv(socket, room, sizeof room, 0);
        if (count <= 0) break;
        reader.feed({room, static_cast<std::size_t>(count)});
      }
    }
    ::close(socket);
    return reply;
  }

 private:
  tests::TempDir directory_;
  std::vector<std::string> options_;
  pid_t pid_ = 0;
};

// Budgets of a second: what is counted is tested apart from how fast.
inline StoreOptions patient(const RedisServer& server) {
  StoreOptions options;
  options.url = server.url();
  options.budget = 1s;
  return options;
}

inline std::unique_ptr<SharedStore> open(StoreOptions options) {
  auto store = SharedStore::open(std::move(options));
  REQUIRE(store);
  return std::move(*store);
}
inline std::unique_ptr<SharedStore> open_up(StoreOptions options) {
  auto store = open(std::move(options));
  REQUIRE(becomes([&] { return store->state() == StoreState::up; }));
  return store;
}

inline std::int64_t now_ns() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

inline SharedCharge rate(std::uint64_t fingerprint, std::chrono::nanoseconds interval, std::int64_t burst, double cost = 1) {
  SharedCharge charge;
  charge.fingerprint = fingerprint;
  charge.limit = {interval.count(), interval.count() * burst};
  charge.cost = cost;
  return charge;
}
inline SharedCharge quota(std::uint64_t fingerprint, std::int64_t count, std::chrono::nanoseconds left, double cost = 1) {
  SharedCharge charge;
  charge.fingerprint = fingerprint;
  charge.limit = {1, count};
  charge.window_left = left.count();
  charge.cost = cost;
  return charge;
}
inline SharedCharge soft(SharedCharge charge) {
  charge.soft = true;
  return charge;
}

// A loop that asks and waits.
class Asker {
 public:
  enum class Said { admitted, refused, unknown, not_asked };
  struct Heard {
    Said said = Said::not_asked;
    SharedVerdict verdict;
    std::chrono::nanoseconds took{};
  };

  Heard ask(SharedStore& store, std::uint64_t tenant, const std::vector<SharedCharge>& charges) {
    const auto verdict = std::make_shared<SharedVerdict>();
    const auto begun = std::chrono::steady_clock::now();
    if (!store.ask(tenant, charges, waker_, ++ticket_, verdict)) return {};
    if (!wait_for(ticket_)) return {};  // no assertion: threads ask too
    Heard heard;
    heard.took = std::chrono::steady_clock::now() - begun;
    heard.verdict = *verdict;
    heard.said = verdict->kind == SharedVerdict::Kind::admitted  ? Said::admitted
                 : verdict->kind == SharedVerdict::Kind::refused ? Said::refused
                                                                 : Said::unknown;
    return heard;
  }
  Said say(SharedStore& store, std::uint64_t tenant, const std::vector<SharedCharge>& charges) { return ask(store, tenant, charges).said; }

  bool wait_for(std::uint64_t ticket) {
    std::vector<std::uint64_t> tickets;
    for (;;) {
      pollfd poll{waker_->descriptor(), POLLIN, 0};
      if (::poll(&poll, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) != 1) return false;
      waker_->take(tickets);
      for (const std::uint64_t got : tickets) {
        if (got == ticket) return true;
      }
    }
  }
  [[nodiscard]] const std::shared_ptr<net::Waker>& waker() const { return waker_; }

 private:
  std::shared_ptr<net::Waker> waker_ = std::make_shared<net::Waker>();
  std::uint64_t ticket_ = 0;
};

inline std::uint64_t fault(const SharedStore& store, StoreFault which) { return store.stats().faults[static_cast<std::size_t>(which)]; }

}  // namespace portcullis::guard::testing
