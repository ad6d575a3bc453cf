// Base64 (RFC 4648 4), by OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace portcullis::net {

// With padding, without line breaks.
std::string base64(std::string_view bytes);
// The bytes of such a text; none for anything else.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace portcullis::net
