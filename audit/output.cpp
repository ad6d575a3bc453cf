#include "audit/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

namespace portcullis::audit {
namespace {

constexpr mode_t file_mode = 0640;  // names of users and tenants: the group's collector may read them, others not

bool ends_in_torn_line(const std::filesystem::path& file, off_t size) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  char last = '\n';
  const ssize_t got = ::pread(descriptor, &last, 1, size - 1);
  ::close(descriptor);
  return got == 1 && last != '\n';
}

}  // namespace

Result<Output> Output::open(const std::optional<std::filesystem::path>& file) {
  if (!file) return Output(STDOUT_FILENO, false, false);
  // O_NONBLOCK: a named pipe without a reader is an error at once, not a start that hangs. Regular files ignore it.
  const int descriptor = ::open(file->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, file_mode);
  if (descriptor < 0)
    return fail(ErrorKind::unavailable, file->string(), "cannot be opened for writing: " + std::generic_category().message(errno));
  struct stat status {};
  const bool is_regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  Output output(descriptor, true, is_regular);
  if (is_regular && status.st_size > 0 && ends_in_torn_line(*file, status.st_size)) {
    if (output.write("\n", std::chrono::milliseconds(0)).error != 0)
      return fail(ErrorKind::unavailable, file->string(), "ends in a torn line and cannot be written");
  }
  return output;
}

Output::Output(Output&& other) noexcept
    : descriptor_(other.descriptor_), is_owned_(std::exchange(other.is_owned_, false)), is_regular_(other.is_regular_) {}

Output& Output::operator=(Output&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(is_owned_, other.is_owned_);
  std::swap(is_regular_, other.is_regular_);
  return *this;
}

Output::~Output() {
  if (is_owned_) ::close(descriptor_);
}

Output::Written Output::write(std::string_view bytes, std::chrono::milliseconds wait_max) {
  Written written;
  while (written.bytes < bytes.size()) {
    std::string_view rest = bytes.substr(written.bytes);
    if (!is_regular_) {
      // A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)); standard output is shared with others,
      // so its flags are not ours to change.
      pollfd ready{descriptor_, POLLOUT, 0};
      const int polled = ::poll(&ready, 1, static_cast<int>(wait_max.count()));
      if (polled < 0 && errno != EINTR) return {written.bytes, errno};
      if (polled < 0) continue;
      if (polled == 0) return written;
      rest = rest.substr(0, PIPE_BUF);
    }
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count > 0) {
      written.bytes += static_cast<std::size_t>(count);
    } else if (count == 0) {
      return {written.bytes, EIO};  // never for what we write to; without this line a loop
    } else if (errno == EAGAIN) {
      return written;
    } else if (errno != EINTR) {
      return {written.bytes, errno};
    }
  }
  return written;
}

}  // namespace portcullis::audit
