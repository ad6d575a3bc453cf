// Odoo's routes by class: paths that share limits, cost, the shape of a denial and how strictly they are taken.
//
// classify() looks at every form of the path that Odoo might route (guard/path.hpp), with and without a leading language,
// and takes the strictest class found; the order is RouteClassInfo::strictness. Only GET and HEAD read: any other method,
// known or not, takes the stricter class of its path. docs/odoo-routes.md shows the table to people.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "guard/path.hpp"
#include "policy/document/documents.hpp"
#include "policy/document/route_classes.hpp"

namespace portcullis::guard {

// In the order of policy::route_class_names.
enum class RouteClass : std::uint8_t {
  db_admin,
  login,
  login_page,
  signup_reset,
  rpc_legacy,
  rpc_json2,
  rpc_web,
  exports,
  report,
  barcode,
  upload,
  image,
  statics,
  ws_connect,
  poll,
  discuss,
  shop,
  open_pages,
  form,
  pay_client,
  pay_hook,
  health,
  dev,
  pos,
  scan,
  other,
};
inline constexpr std::size_t route_class_count = policy::route_class_names.size();
constexpr std::size_t index_of(RouteClass route_class) { return static_cast<std::size_t>(route_class); }
constexpr std::string_view route_class_name(RouteClass route_class) { return policy::route_class_names[index_of(route_class)]; }

// What a client of this class can read (design: the Odoo web client takes a JSON body without `error` for success).
enum class DenialShape : std::uint8_t {
  negotiate,  // page for a navigation, JSON-RPC error for application/json, else problem+json
  page,       // HTML, unless the request itself is JSON-RPC
  json_rpc,
  xml_rpc,  // XML-RPC fault under /xmlrpc, JSON-RPC error under /jsonrpc
  problem,  // RFC 9457
  empty,    // status and headers only
};

// Off: refused unless an access entry names the class.
enum class OffUnlessOpened : std::uint8_t { never, in_tier_1, always };

struct RouteClassInfo {
  RouteClass id;
  std::uint8_t strictness;  // the higher wins; each class has its own
  double cost;              // of one request to the tenant's bucket; 0 charges it nothing
  OffUnlessOpened off;
  DenialShape shape;
  std::uint32_t retry_after_min_seconds;  // for clients that reconnect in swarms
  policy::StoreLoss on_store_loss;
  std::span<const policy::Limit> limits;
  std::span<const policy::Quota> quotas{};             // multiplied by the factor of the tenant's plan
  std::span<const policy::Concurrency> concurrency{};  // a `max` of concurrency_by_workers follows from the tenant's workers
};
inline constexpr std::uint32_t concurrency_by_workers = 0;  // a quarter of them, rounded up; none where they are not told
const RouteClassInfo& route_class_info(RouteClass route_class);

// The strictest class of all forms. `method` as the client sent it.
RouteClass classify(const PathForms& forms, std::string_view method);

// True where a request carries credentials that Odoo checks, whatever else its class is: such requests share one count an
// address, through whichever door they come.
bool carries_credentials(RouteClass route_class, const PathForms& forms);

// True for routes that answer 200 only to who is logged in, and send everybody else to the login page.
bool proves_login(const PathForms& forms, std::string_view method);

// True for the forms that answer a login by 303 or 200: their outcome can be read off the status.
bool is_login_form(std::string_view decoded_path);

// True where a tenant's own class may take the place of `route_class`: classes that guard nothing in particular.
bool may_be_replaced(RouteClass route_class);

// True when the first segment of `path` may be a language to Odoo (`/fr`, `/fr_BE`, `/sr@latin`): up to three letters, then
// anything after `_`, `-` or `@`, because Odoo takes the nearest language that begins with what stands before `_`.
bool has_language(std::string_view path);

}  // namespace portcullis::guard
