// Base64 (RFC 4648 4), by OpenSSL.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::net {

// With padding, without line breaks.
std::string base64(std::string_view bytes);

}  // namespace portcullis::net
