// docs/odoo-routes.md says what the table says.
#include <fstream>
#include <sstream>
#include <string>

#include "guard/route_class.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::guard;

namespace {

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string rate(const policy::Rate& rate) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rate.per).count();
  return number(rate.count) + (seconds == 1 ? "/s" : seconds == 60 ? "/min" : "/h");
}

std::string store_loss(policy::StoreLoss mode) {
  return mode == policy::StoreLoss::closed ? "closed" : mode == policy::StoreLoss::open ? "open" : "local";
}

std::string row(const RouteClassInfo& info) {
  std::string limits;
  for (const auto& limit : info.limits) {
    limits += limits.empty() ? "" : "; ";
    switch (limit.key) {
      case policy::LimitKey::address:
        limits += "address ";
        break;
      case policy::LimitKey::session:
        limits += "session ";
        break;
      case policy::LimitKey::api_key:
        limits += "api-key ";
        break;
      case policy::LimitKey::tenant:
        limits += "tenant ";
        break;
      case policy::LimitKey::login:
        limits += "login ";
        break;
    }
    limits += rate(limit.rate) + " burst " + std::to_string(limit.burst);
  }
  for (const auto& quota : info.quotas) {
    limits += "; " + std::string(policy::limit_key_name(quota.key)) + " " + std::to_string(quota.count) +
              (quota.per == policy::QuotaPeriod::day ? " a day" : " a month");
  }
  for (const auto& concurrency : info.concurrency) {
    limits += "; " + std::string(policy::limit_key_name(concurrency.key)) + " " +
              (concurrency.max == concurrency_by_workers ? "workers/4" : std::to_string(concurrency.max)) + " at once";
  }
  std::string shape;
  switch (info.shape) {
    case DenialShape::negotiate:
      shape = "by caller";
      break;
    case DenialShape::page:
      shape = "page";
      break;
    case DenialShape::json_rpc:
      shape = "JSON-RPC error";
      break;
    case DenialShape::xml_rpc:
      shape = "XML-RPC fault";
      break;
    case DenialShape::problem:
      shape = "problem+json";
      break;
    case DenialShape::empty:
      shape = "empty";
      break;
  }
  const std::string off = info.off == OffUnlessOpened::never ? "" : info.off == OffUnlessOpened::always ? "off" : "off in tier 1";
  return "| `" + std::string(route_class_name(info.id)) + "` | " + std::to_string(info.strictness) + " | " + limits + " | " +
         (info.cost > 0 ? number(info.cost) : "–") + " | " + (off.empty() ? "" : off + " ") + "| " + shape + " | " +
         store_loss(info.on_store_loss) + " |";
}

}  // namespace

TEST_CASE("docs: the class table of docs/odoo-routes.md", "[guard][docs]") {
  std::ifstream file(std::string(PORTCULLIS_SOURCE_DIR) + "/docs/odoo-routes.md");
  std::stringstream text;
  text << file.rdbuf();
  REQUIRE_FALSE(text.str().empty());
  for (std::size_t i = 0; i < route_class_count; ++i) {
    const std::string wanted = row(route_class_info(static_cast<RouteClass>(i)));
    INFO("want this row:\n" << wanted);
    CHECK(text.str().find(wanted + "\n") != std::string::npos);
  }
}
