#include "guard/access_log_line.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "guard/planted_ids.hpp"

namespace portcullis::guard {
namespace {

using Json = nlohmann::json;

constexpr std::string_view marker = R"("ClientUsername":")";
constexpr std::uint64_t status_max = 999;

// Keeps the wanted fields of the outermost object, and ends the parsing when it has them all. nlohmann's own stack is a bit a
// level, and the line has its bound.
class Fields {
 public:
  Fields(std::string& id, std::string& method, std::string& path) : texts_{&id, &method, &path} {}

  bool null() { return other(); }
  bool boolean(bool /*value*/) { return other(); }
  bool number_integer(std::int64_t /*value*/) { return other(); }  // below zero
  bool number_unsigned(std::uint64_t value) {
    if (depth_ != 1 || wanted_ < first_number || wanted_ >= names.size()) return other();
    numbers_[wanted_ - first_number] = value;
    return have();
  }
  bool number_float(double /*value*/, const std::string& /*text*/) { return other(); }
  bool string(std::string& value) {
    if (depth_ != 1 || wanted_ >= first_number) return other();
    texts_[wanted_]->swap(value);
    return have();
  }
  bool binary(Json::binary_t& /*value*/) { return false; }
  bool start_object(std::size_t /*size*/) { return enter(); }
  bool key(const std::string& name) {
    if (depth_ != 1) return true;
    wanted_ = 0;
    while (wanted_ < names.size() && names[wanted_] != name) ++wanted_;
    return true;
  }
  bool end_object() { return --depth_, true; }
  bool start_array(std::size_t /*size*/) { return enter(); }
  bool end_array() { return --depth_, true; }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const nlohmann::detail::exception& /*error*/) { return false; }

  [[nodiscard]] bool has(std::size_t field) const { return (seen_ >> field & 1) != 0; }
  [[nodiscard]] bool has_all() const { return seen_ == (1U << names.size()) - 1; }
  [[nodiscard]] std::uint64_t number(std::size_t field) const { return numbers_[field - first_number]; }

  static constexpr std::size_t id = 0, first_number = 3, downstream_status = 3, origin_status = 4, duration = 5;

 private:
  static constexpr std::array<std::string_view, 6> names{"ClientUsername",   "RequestMethod", "RequestPath",
                                                         "DownstreamStatus", "OriginStatus",  "Duration"};
  bool other() {
    // A wanted field of another kind than it ever has.
    return depth_ != 1 || wanted_ >= names.size();
  }
  bool enter() {
    if (depth_ == 1 && wanted_ < names.size()) return false;
    ++depth_;
    return true;
  }
  bool have() {
    const unsigned bit = 1U << wanted_;
    if ((seen_ & bit) != 0) return false;  // twice: nobody can say which counts
    seen_ |= bit;
    return !has_all();
  }

  std::array<std::string*, first_number> texts_;
  std::array<std::uint64_t, 3> numbers_{};
  unsigned seen_ = 0;
  std::size_t depth_ = 0, wanted_ = names.size();
};

}  // namespace

AccessLogParser::Line AccessLogParser::read(std::string_view line, FinishedRequest& request) {
  if (line.size() < 2 || line.front() != '{' || line.back() != '}') return Line::bad;
  const std::size_t at = line.find(marker);
  if (at == std::string_view::npos || !line.substr(at + marker.size()).starts_with(planted_id_prefix)) return Line::others;
  method_.clear();
  path_.clear();
  Fields fields(id_, method_, path_);
  const bool whole = Json::sax_parse(line.begin(), line.end(), &fields);
  if (!whole && !fields.has_all()) return Line::bad;
  if (!fields.has(Fields::id) || !fields.has(Fields::downstream_status)) return Line::bad;
  if (!looks_planted(id_)) return Line::others;
  if (fields.number(Fields::downstream_status) > status_max || fields.number(Fields::origin_status) > status_max) return Line::bad;
  constexpr std::uint64_t longest = std::numeric_limits<std::int64_t>::max();
  request = {.id = id_,
             .downstream_status = static_cast<int>(fields.number(Fields::downstream_status)),
             .origin_status = static_cast<int>(fields.number(Fields::origin_status)),
             .duration = std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(fields.number(Fields::duration), longest))),
             .method = method_,
             .path = path_};
  return Line::ours;
}

void LineSplitter::feed(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!skipping_ && begun_.size() + piece.size() > log_line_bytes_max) {
      ++too_long_;
      skip_begun_line();
    }
    if (end == std::string_view::npos) {
      if (!skipping_) begun_ += piece;
      return;
    }
    if (skipping_) {
      skipping_ = false;
    } else if (begun_.empty()) {
      take(piece);
    } else {
      begun_ += piece;
      take(begun_);
      begun_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace portcullis::guard
