// Bytes of the API server's answers -> the objects in them: the envelope of a watch event and of a list is taken apart without
// building it, each object then becomes a policy::Value on its own, so that metadata.managedFields (half of the bytes) is
// stepped over. Reads what it can of hostile bytes and says when it cannot; never trusts a length.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "policy/object/value.hpp"

namespace portcullis::kube {

inline constexpr std::size_t json_padding = 64;             // readable bytes behind every text given here
inline constexpr std::size_t object_nodes_max = 1'000'000;  // values of one object; what lies beyond is missing in it
inline constexpr std::uint32_t object_depth_max = 256;

// Keeps memory between calls; one a thread of work.
class ObjectReader {
 public:
  ObjectReader();
  ~ObjectReader();
  ObjectReader(ObjectReader&&) noexcept;
  ObjectReader& operator=(ObjectReader&&) noexcept;

  struct Event {
    std::string_view type;
    policy::Value object;  // good until the next call
  };
  // One line of a watch: {"type": ..., "object": ...}.
  Result<Event> event(std::string_view padded);

  struct ListHead {
    std::string version;  // metadata.resourceVersion of the list
    std::string next;     // metadata.continue; "" on the last page
  };
  // {"metadata": {...}, "items": [...]}: `take` is told of each item, in order. An item that is no object is an error of the list.
  Result<ListHead> list(std::string_view padded, const std::function<void(policy::Value item)>& take);

  // One object: an answer to a GET or a write.
  Result<policy::Value> object(std::string_view padded);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `text` with json_padding bytes behind it, as the members above want theirs.
std::string padded_copy(std::string_view text);
// The same without a copy where there is room; the text proper is the view.
std::string_view pad(std::string& text);

// metadata.resourceVersion, metadata.uid, ... of an object; "" when it is absent or no string.
std::string_view metadata_text(policy::Value object, std::string_view field);

}  // namespace portcullis::kube
