// The real program as a child process, and the few bytes of HTTP that a test says to it.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

extern char** environ;

namespace portcullis::cli::test {

inline constexpr std::chrono::seconds patience{30};  // a condition that takes longer has failed; sanitizers are slow

class Process {
 public:
  explicit Process(const std::vector<std::string>& words) {
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    std::vector<char*> argv{const_cast<char*>(PORTCULLIS_PROGRAM)};
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int failed = posix_spawn(&pid_, PORTCULLIS_PROGRAM, &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
    if (failed != 0) throw std::runtime_error(std::string("cannot start ") + PORTCULLIS_PROGRAM);
  }
  ~Process() {
    if (!status_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(out_);
    close(err_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) const { kill(pid_, number); }
  [[nodiscard]] const std::string& err() const { return err_text_; }
  [[nodiscard]] const std::string& out() const { return out_text_; }

  // The rest of the first line of standard error that begins with `start`; throws when it does not come.
  std::string wait_for_line(std::string_view start) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (true) {
      if (const auto line = find_line(start)) return *line;
      if (!pump(end)) throw std::runtime_error("no line `" + std::string(start) + "` in: " + err_text_);
    }
  }
  // Exit code, or 128 + signal; throws when it does not end.
  int wait_for_end() {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (pump(end)) {
    }
    if (std::chrono::steady_clock::now() >= end) throw std::runtime_error("still running: " + err_text_);
    int status = 0;
    waitpid(pid_, &status, 0);  // both pipes are closed: it has ended or is about to
    status_ = status;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  std::optional<std::string> find_line(std::string_view start) const {
    for (std::size_t at = 0; at < err_text_.size();) {
      const auto end = err_text_.find('\n', at);
      if (end == std::string::npos) return std::nullopt;
      const std::string_view line = std::string_view(err_text_).substr(at, end - at);
      if (line.starts_with(start)) return std::string(line.substr(start.size()));
      at = end + 1;
    }
    return std::nullopt;
  }

  // Reads what is there; false once both streams are closed or the time is over.
  bool pump(std::chrono::steady_clock::time_point end) {
    pollfd each[2] = {{out_open_ ? out_ : -1, POLLIN, 0}, {err_open_ ? err_ : -1, POLLIN, 0}};
    if (!out_open_ && !err_open_) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0 || poll(each, 2, static_cast<int>(left)) <= 0) return false;
    read_some(each[0], out_text_, out_open_);
    read_some(each[1], err_text_, err_open_);
    return true;
  }
  static void read_some(const pollfd& from, std::string& into, bool& open) {
    if (from.fd < 0 || from.revents == 0) return;
    char bytes[4096];
    const ssize_t count = read(from.fd, bytes, sizeof bytes);
    if (count > 0)
      into.append(bytes, static_cast<std::size_t>(count));
    else
      open = false;
  }

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  bool out_open_ = true, err_open_ = true;
  std::string out_text_, err_text_;
  std::optional<int> status_;
};

inline std::uint16_t port_of(const std::string& url) { return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))); }

// One request on a connection of its own to 127.0.0.1; the whole answer, "" when nobody answers.
inline std::string http(std::uint16_t port, const std::string& target, const std::string& fields = {}) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval time{patience.count(), 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  std::string answer;
  if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + "\r\n";
    if (send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
      char bytes[4096];
      for (ssize_t count; (count = recv(socket, bytes, sizeof bytes, 0)) > 0;) answer.append(bytes, static_cast<std::size_t>(count));
    }
  }
  close(socket);
  return answer;
}

inline int status_of(const std::string& answer) { return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0; }
inline std::string body_of(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : answer.substr(end + 4);
}

// Asks until `holds`, at most for `patience`.
template <class Condition>
bool eventually(const Condition& holds) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    usleep(20'000);
  }
  return true;
}

}  // namespace portcullis::cli::test
