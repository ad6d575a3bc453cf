#include "kube/watch_lines.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace portcullis::kube {
namespace {

constexpr std::size_t capacity_min = 64 * 1024;
constexpr std::size_t capacity_kept = 1024 * 1024;  // above it memory is given back after the line that needed it

EventType type_of(std::string_view name) {
  if (name == "ADDED") return EventType::added;
  if (name == "MODIFIED") return EventType::modified;
  if (name == "DELETED") return EventType::deleted;
  if (name == "BOOKMARK") return EventType::bookmark;
  if (name == "ERROR") return EventType::error;
  return EventType::other;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

void WatchLines::reset() {
  size_ = 0;
  if (capacity_ > capacity_kept) {
    bytes_.reset();
    capacity_ = 0;
  }
}

void WatchLines::append(std::string_view bytes) {
  if (size_ + bytes.size() > capacity_) {
    const std::size_t capacity = std::max({capacity_min, capacity_ * 2, size_ + bytes.size()});
    auto larger = std::make_unique<char[]>(capacity + json_padding);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = capacity;
  }
  if (!bytes.empty()) std::memcpy(bytes_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

Result<bool> WatchLines::line(std::string_view padded, const Take& take) {
  if (is_blank(padded)) return true;
  const auto event = reader_.event(padded);
  if (!event) return tl::unexpected(event.error());
  return take(WatchEvent{type_of(event->type), event->type, event->object});
}

Result<bool> WatchLines::feed(std::string_view bytes, const Take& take) {
  std::size_t searched = size_;
  append(bytes);
  std::size_t begin = 0;
  while (begin < size_) {
    const std::size_t from = std::max(begin, searched);
    const char* const found = static_cast<const char*>(std::memchr(bytes_.get() + from, '\n', size_ - from));
    if (!found) break;
    const std::size_t end = static_cast<std::size_t>(found - bytes_.get());
    if (end - begin > line_bytes_max) break;
    Result<bool> went_on = line({bytes_.get() + begin, end - begin}, take);
    begin = end + 1;
    searched = begin;
    if (!went_on || !*went_on) {
      reset();
      return went_on;
    }
  }
  size_ -= begin;
  if (size_ > line_bytes_max) {
    reset();
    return fail(ErrorKind::limit_exceeded, "watch",
                "found a line above " + std::to_string(line_bytes_max) + " bytes (limit line_bytes_max)");
  }
  if (begin > 0 && size_ > 0) std::memmove(bytes_.get(), bytes_.get() + begin, size_);
  if (size_ == 0) reset();
  return true;
}

}  // namespace portcullis::kube
