// What Redis says, byte by byte (RESP 2), by hiredis' reader: only the shapes that our own calls are answered with, so a
// reply has its bound in bytes, in elements and in depth before any of it is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace portcullis::guard {

inline constexpr std::size_t redis_reply_bytes_max = 16 * 1024;  // our longest is an error's text
inline constexpr std::size_t redis_reply_items_max = 16;         // of an array

struct RedisReply {
  enum class Kind : std::uint8_t { status, error, integer, text, nil, array };
  Kind kind = Kind::nil;
  std::int64_t integer = 0;
  std::string text;                 // of a status, an error or a text
  std::vector<std::int64_t> items;  // of an array: integers, which is all that our scripts answer with

  // The first word of an error: "NOSCRIPT", "WRONGPASS", "ERR". Empty when there is none, or it is not in capitals.
  [[nodiscard]] std::string_view error_code() const;
};

class RedisReader {
 public:
  RedisReader();
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  void feed(std::string_view bytes);
  enum class Next : std::uint8_t {
    reply,   // it is in `reply`
    more,    // feed more bytes
    broken,  // no protocol, or over a bound; for good
  };
  Next next(RedisReply& reply);

 private:
  struct Build;
  struct Free {
    void operator()(redisReader* reader) const;
  };
  RedisReply building_;
  std::unique_ptr<redisReader, Free> reader_;
  bool broken_ = false;
};

}  // namespace portcullis::guard
