#include "guard/query.hpp"

#include "tests/guard/support.hpp"

using namespace portcullis::guard;

TEST_CASE("query: databases, sessions and amounts, however they are escaped (B12, B16)", "[guard][query]") {
  QueryFacts facts;
  read_query("db=other&x=1&%64b=sec%6fnd", facts);
  REQUIRE(facts.database_count == 2);
  CHECK(facts.databases[0] == "other");
  CHECK(facts.databases[1] == "second");
  read_query("DB=x&adb=y&db", facts);
  CHECK(facts.database_count == 1);
  CHECK(facts.databases[0].empty());
  read_query("session%5Fid=abc", facts);
  CHECK(facts.names_session);
  read_query("session_idx=abc&limit=100000&width=9999&height=-1&search=%20a", facts);
  CHECK_FALSE(facts.names_session);
  CHECK(facts.limit == 100'000);
  CHECK(facts.width == 9999);
  CHECK(facts.height == 0);
  CHECK(facts.searches);
  for (const char* odd : {"", "&&&", "=", "%", "%zz=%", "limit=nan&width=inf&height=1e400", "db=%00"}) {
    INFO(odd);
    read_query(odd, facts);
    CHECK(facts.limit == 0);
    CHECK(cost_factor(RouteClass::barcode, "/report/barcode", facts) <= query_cost_max);
  }
}

TEST_CASE("query: what is asked for costs (B27, B30)", "[guard][query]") {
  QueryFacts facts;
  const auto factor = [&](RouteClass route_class, std::string_view path, std::string_view query) {
    read_query(query, facts);
    return cost_factor(route_class, path, facts);
  };
  CHECK(factor(RouteClass::barcode, "/report/barcode", "width=300&height=100") == 1);
  CHECK(factor(RouteClass::barcode, "/report/barcode", "width=9999&height=9999") == query_cost_max);
  CHECK(factor(RouteClass::barcode, "/report/barcode", "width=2000&height=2000") == 4);
  CHECK(factor(RouteClass::shop, "/shop", "search=chair") == 3);
  CHECK(factor(RouteClass::shop, "/shop", "search=") == 1);
  CHECK(factor(RouteClass::rpc_json2, "/json/2/res.partner/search_read", "limit=5000") == 5);
  CHECK(factor(RouteClass::rpc_web, "/web/dataset/call_kw/res.partner/web_read_group", "") == 3);
  CHECK(factor(RouteClass::rpc_web, "/web/dataset/call_kw/res.partner/name_search", "") == 0.5);
  CHECK(factor(RouteClass::rpc_web, "/web/dataset/call_kw/res.partner/export_data/", "") == 10);
  CHECK(factor(RouteClass::rpc_web, "/web/dataset/call_kw/res.partner/download", "") == 1);
  CHECK(factor(RouteClass::other, "/load", "") == 1);
}
