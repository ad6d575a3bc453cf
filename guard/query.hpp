// What a query says that the path does not: which database, a session that is no cookie, how much is asked for. Names and
// values are percent-decoded as WSGI decodes them, `+` being a space; a broken escape stands for itself.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "guard/route_class.hpp"

namespace portcullis::guard {

inline constexpr std::size_t query_databases_max = 4;  // more than one is odd; more than these are refused as foreign
inline constexpr double query_cost_max = 20;

// One a loop; keeps its memory.
struct QueryFacts {
  std::array<std::string, query_databases_max> databases;  // each value of `db`
  std::size_t database_count = 0;                          // of all, also of those beyond the array
  bool names_session = false;                              // `session_id=`, which old Odoo took for the cookie
  double limit = 0, width = 0, height = 0;                 // 0: not asked for
  bool searches = false;                                   // `search`, `order`, `attrib...`: the database sorts and filters
};

void read_query(std::string_view query, QueryFacts& facts);

// How many times the class's cost a request is worth by what it asks for, and for the web client's calls by the method in
// the path, which only honest clients name. From 0.5 to query_cost_max; `path` as decoded.
double cost_factor(RouteClass route_class, std::string_view path, const QueryFacts& facts);

}  // namespace portcullis::guard
