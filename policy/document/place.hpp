// Where something stands in a file: what a caret points at.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace portcullis::policy {

// Lines and columns count from 1, columns in code points. The end is exclusive.
struct Span {
  std::uint32_t line = 0, column = 0, end_line = 0, end_column = 0;
};

struct Place {
  std::shared_ptr<const std::string> file;
  Span span;
  [[nodiscard]] std::string text() const;  // "policies/limits.yaml:14:9"
};

}  // namespace portcullis::policy
