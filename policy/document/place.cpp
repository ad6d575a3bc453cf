#include "policy/document/place.hpp"

namespace portcullis::policy {

std::string Place::text() const {
  std::string name = file ? *file : std::string();
  if (span.line == 0) return name;
  return name + ":" + std::to_string(span.line) + ":" + std::to_string(span.column);
}

}  // namespace portcullis::policy
