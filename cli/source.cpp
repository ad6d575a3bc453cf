#include "cli/source.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace portcullis::cli {
namespace {

constexpr std::string_view bom = "\xEF\xBB\xBF";

// The code point at the start of `text`: its bytes. A broken byte counts as one.
std::size_t code_point_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t wanted = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
  return std::min(wanted, text.size());
}

std::uint32_t code_point(std::string_view bytes) {
  std::uint32_t value = static_cast<unsigned char>(bytes.front());
  if (bytes.size() == 1) return value;
  value &= 0x7FU >> bytes.size();
  for (const char each : bytes.substr(1)) value = value << 6U | (static_cast<unsigned char>(each) & 0x3FU);
  return value;
}

// Columns of a terminal (Unicode UAX #11: wide and fullwidth take two, combining marks none).
std::size_t columns_of(std::uint32_t c) {
  if ((c >= 0x300 && c <= 0x36F) || (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F)) return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
                    (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

struct Cell {
  std::string text;
  std::size_t columns = 1;
  bool marked = false;
};

bool covers(const policy::Span& span, std::uint32_t line, std::uint32_t column) {
  const bool begun = line > span.line || (line == span.line && column >= span.column);
  const bool over = line > span.end_line || (line == span.end_line && column >= span.end_column);
  return begun && !over;
}

Cell cell_of(std::string_view bytes) {
  if (bytes == "\t") return {" ", 1, false};
  const std::string shown = printable(bytes);
  return shown == bytes ? Cell{shown, columns_of(code_point(bytes)), false} : Cell{shown, shown.size(), false};
}

}  // namespace

Source::Source(std::string name, std::string bytes) : name_(std::move(name)), bytes_(std::move(bytes)) {
  starts_.push_back(std::string_view(bytes_).starts_with(bom) ? bom.size() : 0);  // columns do not count a BOM
  for (std::size_t at = 0; at < bytes_.size(); ++at) {
    if (bytes_[at] == '\n') starts_.push_back(at + 1);
    if (bytes_[at] == '\r' && at + 1 < bytes_.size() && bytes_[at + 1] != '\n') starts_.push_back(at + 1);  // YAML 1.1 5.4
  }
}

std::string_view Source::line(std::uint32_t number) const {
  if (number == 0 || number > starts_.size()) return {};
  const std::size_t start = starts_[number - 1];
  const std::size_t end = number < starts_.size() ? starts_[number] : bytes_.size();
  std::string_view line = std::string_view(bytes_).substr(start, end - start);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

std::string_view Source::origin_of(std::uint32_t line) const {
  constexpr std::string_view mark = "# Source: ";
  for (std::uint32_t above = line; above-- > 1;) {
    const std::string_view text = this->line(above);
    if (text.starts_with(mark)) return text.substr(mark.size());
    if (text.starts_with("---")) break;
  }
  return {};
}

policy::Span Source::first_line_of(policy::Span span) const {
  if (span.end_line == span.line && span.end_column > span.column) return span;
  std::string_view text = line(span.line);
  if (const auto last = text.find_last_not_of(" \t"); last != std::string_view::npos) text = text.substr(0, last + 1);
  std::uint32_t columns = 1;
  for (; !text.empty(); ++columns) text.remove_prefix(code_point_bytes(text));
  return {span.line, span.column, span.line, std::max(columns, span.column + 1)};
}

Excerpt excerpt(const Source& source, policy::Span span, const std::vector<policy::Span>& masked, std::size_t width) {
  span = source.first_line_of(span);
  std::vector<Cell> cells;
  std::uint32_t column = 1;
  std::size_t first = std::string::npos, last = 0;
  for (std::string_view rest = source.line(span.line); !rest.empty(); ++column) {
    const std::size_t bytes = code_point_bytes(rest);
    Cell cell = cell_of(rest.substr(0, bytes));
    rest.remove_prefix(bytes);
    if (std::any_of(masked.begin(), masked.end(), [&](const policy::Span& each) { return covers(each, span.line, column); }))
      cell = {"*", 1, false};
    cell.marked = column >= span.column && column < span.end_column;
    if (cell.marked) {
      first = std::min(first, cells.size());
      last = cells.size();
    }
    cells.push_back(std::move(cell));
  }
  if (first == std::string::npos) {  // an empty value at the end of its line: a caret behind it
    first = last = cells.size();
    cells.push_back({" ", 1, true});
  }

  // A window of `width` columns that begins early enough to show the span's start with some of what stands before it.
  std::size_t columns = 0;
  for (const Cell& cell : cells) columns += cell.columns;
  std::size_t begin = 0, end = cells.size();
  if (columns > width) {
    begin = first > width / 3 ? first - width / 3 : 0;
    std::size_t used = 2;  // both ellipses
    for (end = begin; end < cells.size() && used + cells[end].columns <= width; ++end) used += cells[end].columns;
  }
  Excerpt shown;
  if (begin > 0) {
    shown.text += "…";
    shown.carets += ' ';
  }
  for (std::size_t at = begin; at < end; ++at) {
    shown.text += cells[at].text;
    shown.carets.append(cells[at].columns, cells[at].marked ? '^' : ' ');
  }
  if (end < cells.size()) shown.text += "…";
  while (!shown.text.empty() && shown.text.back() == ' ') shown.text.pop_back();
  while (!shown.carets.empty() && shown.carets.back() == ' ') shown.carets.pop_back();
  return shown;
}

}  // namespace portcullis::cli
