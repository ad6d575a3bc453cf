#include "net/http1_head.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/field.hpp>
#include <charconv>
#include <cstring>

namespace portcullis::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

// The longest method of the IANA registry has 17 bytes (UPDATEREDIRECTREF).
constexpr std::size_t method_bytes_max = 32;

std::string_view view(BeastText text) { return {text.data(), text.size()}; }

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_folded(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_case[i]) return false;
  }
  return true;
}

// Collects views; judges the fields that decide where a request ends.
class HeadParser final : public http::basic_parser<true> {
 public:
  HeadParser(const Limits& limits, Http1Head& head) : limits_(limits), head_(head) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    body_limit(boost::none);  // judged by us, with the right status
  }

  std::optional<Refusal> refusal;
  unsigned hosts = 0, lengths = 0, codings = 0;

 private:
  void on_request_impl(http::verb, BeastText method, BeastText target, int version, error_code&) override {
    head_.method = view(method);
    head_.target = view(target);
    head_.http11 = version == 11;
  }
  void on_field_impl(http::field name, BeastText name_text, BeastText value_text, error_code& error) override {
    const std::string_view value = view(value_text);
    head_.fields.push_back({view(name_text), value});
    switch (name) {
      case http::field::host:
        if (++hosts > 1) refuse(400, "more than one Host field", error);
        break;
      case http::field::content_length:
        if (++lengths > 1) return refuse(400, "more than one Content-Length field", error);
        read_length(value, error);
        break;
      case http::field::transfer_encoding:
        if (++codings > 1) return refuse(400, "more than one Transfer-Encoding field", error);
        if (!is_folded(value, "chunked")) return refuse(501, "only Transfer-Encoding: chunked is understood", error);
        head_.chunked = true;
        break;
      case http::field::expect:
        if (!is_folded(value, "100-continue")) return refuse(417, "only Expect: 100-continue is understood", error);
        head_.expects_continue = true;
        break;
      default:
        break;
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastText body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, BeastText, int, error_code&) override {}

  void read_length(std::string_view value, error_code& error) {
    // RFC 9110 8.6: 1*DIGIT. from_chars takes no sign and no space for an unsigned type; a list stops it at the comma.
    const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), head_.content_length);
    if (bad == std::errc::result_out_of_range) return refuse(413, "the body is too large", error);
    if (value.empty() || bad != std::errc{} || end != value.data() + value.size()) {
      return refuse(400, "Content-Length is not a number", error);
    }
    if (head_.content_length > limits_.body_bytes_max) refuse(413, "the body is too large", error);
  }
  void refuse(int status, std::string_view why, error_code& error) {
    refusal = Refusal{status, why};
    error = http::error::bad_value;  // any: it only stops the parser
  }

  const Limits& limits_;
  Http1Head& head_;
};

std::optional<Refusal> judge_target(const Http1Head& head) {
  if (head.method.size() > method_bytes_max) return Refusal{501, "the method is not known"};
  if (head.method == "CONNECT") return Refusal{501, "CONNECT is not offered"};
  if (head.target.empty() || head.target.front() != '/') return Refusal{400, "the request target must begin with a slash"};
  for (const char c : head.target) {
    if (c <= 0x20 || c >= 0x7f) return Refusal{400, "the request target is not ASCII"};
  }
  return std::nullopt;
}

}  // namespace

void Http1Head::rebase(const char* from, const char* to) {
  if (from == to) return;
  const auto move = [&](std::string_view& text) { text = {to + (text.data() - from), text.size()}; };
  move(method);
  move(target);
  for (Field& field : fields) {
    move(field.name);
    move(field.value);
  }
}

std::size_t HeadScan::find_end(std::string_view text, const Limits& limits, std::optional<Refusal>& refusal) {
  while (at_ < text.size()) {
    const void* found = std::memchr(text.data() + at_, '\n', text.size() - at_);
    const std::size_t end = found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : text.size();
    // The request line holds the method and the version besides the target.
    if (lines_ == 0 && end > limits.target_bytes_max + method_bytes_max + sizeof " HTTP/1.1\r ") {
      refusal = Refusal{414, "the request target is too long"};
      return 0;
    }
    if (end > limits.header_bytes_max) {
      refusal = Refusal{431, "the header is too large"};
      return 0;
    }
    at_ = end;
    if (!found) return 0;
    if (end == 0 || text[end - 1] != '\r') {
      refusal = Refusal{400, "a line ends without CR"};
      return 0;
    }
    ++at_;
    if (lines_ > 0 && end == line_begin_ + 1) return at_;  // the empty line
    if (lines_ > 0 && (text[line_begin_] == ' ' || text[line_begin_] == '\t')) {
      refusal = Refusal{400, "a field is folded over two lines"};
      return 0;
    }
    if (lines_++ > limits.header_fields_max) {  // the request line is one of them
      refusal = Refusal{431, "too many header fields"};
      return 0;
    }
    line_begin_ = at_;
  }
  return 0;
}

std::optional<Refusal> parse_head(std::string_view text, const Limits& limits, Http1Head& head) {
  head.fields.clear();
  head.content_length = 0;
  head.chunked = head.expects_continue = head.keep_alive = false;

  HeadParser parser(limits, head);
  error_code error;
  parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
  if (parser.refusal) return parser.refusal;
  if (error == http::error::bad_version) return Refusal{505, "this version of HTTP is not understood here"};
  if (error == http::error::bad_target) return Refusal{400, "the request target is not ASCII"};
  if (error == http::error::header_limit) return Refusal{431, "the header is too large"};
  if (error || !parser.is_header_done()) return Refusal{400, "the header is malformed"};

  if (auto refusal = judge_target(head)) return refusal;
  if (head.target.size() > limits.target_bytes_max) return Refusal{414, "the request target is too long"};
  if (head.http11 && parser.hosts == 0) return Refusal{400, "the Host field is missing"};
  if (parser.codings > 0 && !head.http11) return Refusal{400, "Transfer-Encoding came with HTTP/1.0"};
  if (parser.codings > 0 && parser.lengths > 0) return Refusal{400, "Transfer-Encoding came with Content-Length"};
  head.keep_alive = parser.keep_alive();
  if (!head.http11) head.expects_continue = false;  // RFC 9110 10.1.1
  return std::nullopt;
}

}  // namespace portcullis::net
