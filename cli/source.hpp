// The text of a file that findings point into, and how a line of it is shown to a person: escaped, cut to a width, with the
// faulty columns underlined. Values that a rule calls secret are masked, whichever finding shows their line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document/place.hpp"

namespace portcullis::cli {

class Source {
 public:
  Source(std::string name, std::string bytes);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  // Without its line end; "" past the last one. Lines count from 1.
  [[nodiscard]] std::string_view line(std::uint32_t number) const;
  // What Helm says above a document it has rendered, `# Source: chart/templates/x.yaml`, for the one that `line` is in; "" else.
  [[nodiscard]] std::string_view origin_of(std::uint32_t line) const;
  // The part of `span` in its first line.
  [[nodiscard]] policy::Span first_line_of(policy::Span span) const;

 private:
  std::string name_, bytes_;
  std::vector<std::size_t> starts_;
};

// One line as a terminal shows it: `text`, and the carets that underline columns [span.column, span.end_column) of it.
struct Excerpt {
  std::string text, carets;
};
// `masked`: columns shown as `*`. At most `width` columns, around the span; what is cut is shown as "…".
Excerpt excerpt(const Source& source, policy::Span span, const std::vector<policy::Span>& masked, std::size_t width);

}  // namespace portcullis::cli
