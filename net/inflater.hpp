// gzip (RFC 1952) undone piece by piece, with a bound on what comes out: a few KB can stand for many GB.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.hpp"

struct z_stream_s;

namespace portcullis::net {

class Inflater {
 public:
  // Takes some of what was inflated; false: no more is wanted.
  using Sink = std::function<bool(std::string_view bytes)>;

  explicit Inflater(std::size_t bytes_max);
  // Errors: not gzip (invalid), more than bytes_max (limit_exceeded). After one, and once `sink` said no, it takes nothing.
  Result<void> feed(std::string_view bytes, const Sink& sink);
  [[nodiscard]] bool is_whole() const { return whole_; }  // the checksum at the end of a member was right

 private:
  struct Free {
    void operator()(z_stream_s* stream) const;
  };
  std::unique_ptr<z_stream_s, Free> stream_;
  std::size_t bytes_left_;
  bool whole_ = false, over_ = false;
};

}  // namespace portcullis::net
