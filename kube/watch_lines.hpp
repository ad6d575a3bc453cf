// The bytes of a watch -> its events. Fed with pieces of any size; a line is parsed in place as soon as its end has come.
//
// RFC: {"type": "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR", "object": {...}}\n, as `kubectl get --watch` reads it
// (Kubernetes API concepts, "efficient detection of changes"). A line above line_bytes_max, or one that is no event, ends the
// watch: what was in it is lost, so that only a new list can tell.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "kube/object_reader.hpp"

namespace portcullis::kube {

inline constexpr std::size_t line_bytes_max = 8 * 1024 * 1024;  // an object has 1.5 MiB at most, 3 with what admission lets through

enum class EventType { added, modified, deleted, bookmark, error, other };

struct WatchEvent {
  EventType type = EventType::other;
  std::string_view type_name;
  policy::Value object;
};

class WatchLines {
 public:
  // `take` is told of each event; false stops reading.
  using Take = std::function<bool(const WatchEvent& event)>;
  Result<bool> feed(std::string_view bytes, const Take& take);  // false: `take` said so
  void reset();                                                 // a new stream begins
  // Bytes of a line that has not ended.
  [[nodiscard]] std::size_t pending() const { return size_; }

 private:
  void append(std::string_view bytes);
  Result<bool> line(std::string_view padded, const Take& take);
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0, capacity_ = 0;
  ObjectReader reader_;
};

}  // namespace portcullis::kube
