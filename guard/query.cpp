#include "guard/query.hpp"

#include <algorithm>
#include <charconv>

#include "guard/text.hpp"

namespace portcullis::guard {
namespace {

constexpr std::size_t value_bytes_max = 256;  // of what is looked at; longer ones name nothing of ours

double number(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value > 0 ? value : 0;  // not what is no number, and not NaN
}

class Reader {
 public:
  explicit Reader(QueryFacts& facts) : facts_(facts) {}
  void read(std::string_view parameter) {
    const std::size_t equals = parameter.find('=');
    decode_form(parameter.substr(0, equals), name_, value_bytes_max);
    const std::string_view value = equals == std::string_view::npos ? std::string_view{} : parameter.substr(equals + 1);
    if (name_ == "db") {
      if (facts_.database_count < query_databases_max) decode_form(value, facts_.databases[facts_.database_count], value_bytes_max);
      ++facts_.database_count;
    } else if (name_ == "session_id") {
      facts_.names_session = true;
    } else if (name_ == "limit" || name_ == "ppg") {
      facts_.limit = std::max(facts_.limit, number(value));
    } else if (name_ == "width") {
      facts_.width = std::max(facts_.width, number(value));
    } else if (name_ == "height") {
      facts_.height = std::max(facts_.height, number(value));
    } else if (name_ == "search" || name_ == "order" || name_.starts_with("attrib")) {
      facts_.searches = facts_.searches || !value.empty();
    }
  }

 private:
  QueryFacts& facts_;
  std::string name_;
};

bool has_method(std::string_view path, std::string_view method) {
  if (!path.empty() && path.back() == '/') path.remove_suffix(1);
  return path.size() > method.size() && path.ends_with(method) && path[path.size() - method.size() - 1] == '/';
}

double method_factor(std::string_view path) {
  for (const std::string_view light : {"name_search", "name_get"}) {
    if (has_method(path, light)) return 0.5;
  }
  for (const std::string_view grouped : {"read_group", "web_read_group", "formatted_read_group"}) {
    if (has_method(path, grouped)) return 3;
  }
  for (const std::string_view bulk : {"export_data", "load", "create_multi"}) {
    if (has_method(path, bulk)) return 10;
  }
  return 1;
}

}  // namespace

void read_query(std::string_view query, QueryFacts& facts) {
  facts.database_count = 0;
  facts.names_session = facts.searches = false;
  facts.limit = facts.width = facts.height = 0;
  Reader reader(facts);
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    reader.read(query.substr(0, end));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
}

double cost_factor(RouteClass route_class, std::string_view path, const QueryFacts& facts) {
  double factor = 1;
  switch (route_class) {
    case RouteClass::barcode:
    case RouteClass::image:
      factor = std::max(1.0, facts.width * facts.height / 1e6);  // a megapixel is what a screen shows
      break;
    case RouteClass::shop:
    case RouteClass::open_pages:
      factor = facts.searches ? 3 : 1;
      break;
    case RouteClass::rpc_web:
      if (path.starts_with("/web/dataset/")) factor = method_factor(path);
      break;
    default:
      break;
  }
  if (facts.limit > 1000) factor *= facts.limit / 1000;
  return std::clamp(factor, 0.5, query_cost_max);
}

}  // namespace portcullis::guard
