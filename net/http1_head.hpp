// The head of an HTTP/1.1 request, read by Beast and then held to RFC 9112 more strictly than Beast does.
//
// Beast alone takes `Transfer-Encoding: xchunked` for "no body", so that the body would be read as the next request; it
// takes two Host fields, none, `Content-Length: 5, 5`, folded lines and a target beyond ASCII. A sender who means well
// writes none of these, and two parsers that read them differently are how requests are smuggled: all are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/limits.hpp"
#include "net/request.hpp"
#include "net/session.hpp"

namespace portcullis::net {

struct Http1Head {
  std::string_view method, target;
  std::vector<Field> fields;  // views into the text given to parse_head
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool expects_continue = false;
  bool http11 = true;  // else HTTP/1.0
  bool keep_alive = false;

  // After the text has moved in memory from `from` to `to`.
  void rebase(const char* from, const char* to);
};

// Looks for the end of a head that arrives in pieces, reading every byte once. Refuses what must not be in a line's ends:
// a bare LF, a folded line.
class HeadScan {
 public:
  // `text` is what there is of the head, from its first byte; only what lies behind the last call is read. Bytes of the
  // head including its empty line, or 0 when it is not whole yet.
  std::size_t find_end(std::string_view text, const Limits& limits, std::optional<Refusal>& refusal);
  void reset() { *this = HeadScan{}; }
  [[nodiscard]] bool untouched() const { return at_ == 0; }

 private:
  std::size_t at_ = 0;  // read so far
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;
};

// `text` is a whole head, as HeadScan found it.
std::optional<Refusal> parse_head(std::string_view text, const Limits& limits, Http1Head& head);

}  // namespace portcullis::net
