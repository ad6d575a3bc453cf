#include "kube/status.hpp"

#include "kube/object_reader.hpp"

namespace portcullis::kube {
namespace {

constexpr std::size_t shown_bytes_max = 200;

bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

}  // namespace

StatusText read_status(std::string_view body) {
  StatusText text;
  if (body.find('{') != std::string_view::npos) {
    ObjectReader reader;
    const std::string padded = padded_copy(body);
    if (const auto status = reader.object({padded.data(), body.size()}); status && (*status)["kind"].text() == "Status") {
      text.reason = (*status)["reason"].text();
      text.message = (*status)["message"].text();
      if (const auto code = (*status)["code"].integer(); code && *code > 0 && *code < 1'000) text.code = static_cast<int>(*code);
      return text;
    }
  }
  text.message = body.substr(0, std::min(body.find('\n'), shown_bytes_max));
  return text;
}

std::string query_escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char each : text) {
    const auto c = static_cast<unsigned char>(each);
    if (is_unreserved(c)) {
      out += each;
    } else {
      out += '%';
      out += digits[c >> 4U];
      out += digits[c & 15U];
    }
  }
  return out;
}

}  // namespace portcullis::kube
