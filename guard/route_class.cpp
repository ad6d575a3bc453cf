#include "guard/route_class.hpp"

#include <algorithm>
#include <chrono>

namespace portcullis::guard {
namespace {

using policy::Limit;
using policy::LimitKey;
using namespace std::chrono_literals;

// Default limits. Where the key is a session there is also an address limit, ten times as wide: a client may invent a session
// a request, so what no session bounds its address does.
constexpr Limit a_second(LimitKey key, double count, std::uint32_t burst) { return {key, {count, 1s}, burst}; }
constexpr Limit a_minute(LimitKey key, double count, std::uint32_t burst) { return {key, {count, 60s}, burst}; }
constexpr Limit an_hour(LimitKey key, double count, std::uint32_t burst) { return {key, {count, 3600s}, burst}; }

using enum policy::LimitKey;
constexpr std::array db_admin_limits{a_minute(address, 3, 3)};
constexpr std::array login_limits{a_minute(address, 10, 10), a_minute(login, 1, 5), a_minute(tenant, 60, 60)};
constexpr std::array login_page_limits{a_minute(address, 60, 60)};
constexpr std::array signup_reset_limits{a_minute(address, 3, 3), an_hour(address, 20, 20), an_hour(tenant, 60, 60)};
constexpr std::array rpc_legacy_limits{a_second(address, 10, 40)};
constexpr std::array rpc_json2_limits{a_second(api_key, 20, 60), a_second(address, 200, 600)};
constexpr std::array rpc_web_limits{a_second(session, 10, 60), a_second(address, 100, 600)};
constexpr std::array export_limits{a_minute(session, 6, 6), a_minute(address, 60, 60)};
constexpr std::array report_limits{a_minute(session, 20, 20), a_minute(address, 200, 200)};
constexpr std::array barcode_limits{a_second(address, 5, 50)};
constexpr std::array upload_limits{a_minute(session, 30, 30), a_minute(address, 300, 300)};
constexpr std::array image_limits{a_second(session, 50, 200), a_second(address, 500, 2000)};
constexpr std::array static_limits{a_second(address, 200, 400)};
constexpr std::array ws_connect_limits{a_minute(session, 6, 6), a_minute(address, 60, 60)};
constexpr std::array poll_limits{a_second(session, 2, 10), a_second(address, 20, 100)};
constexpr std::array discuss_limits{a_second(session, 5, 40), a_second(address, 50, 400)};
constexpr std::array page_limits{a_second(address, 10, 60)};
constexpr std::array form_limits{a_minute(address, 5, 5)};
constexpr std::array pay_client_limits{a_minute(session, 30, 30), a_minute(address, 300, 300)};
constexpr std::array pay_hook_limits{a_second(address, 50, 100)};
constexpr std::array health_limits{a_second(address, 1, 10)};
constexpr std::array floor_limits{a_second(session, 20, 100), a_second(address, 200, 1000)};  // scanners and tills work in gusts

constexpr std::array json2_quotas{policy::Quota{api_key, 20'000, policy::QuotaPeriod::day}};
constexpr std::array export_concurrency{policy::Concurrency{tenant, 2, 120s}};
constexpr std::array report_concurrency{policy::Concurrency{tenant, concurrency_by_workers, 120s}};
constexpr std::array websocket_concurrency{policy::Concurrency{session, 5, 3600s}};

using enum policy::StoreLoss;
using enum OffUnlessOpened;
using enum DenialShape;
constexpr std::array<RouteClassInfo, route_class_count> infos{{
    {RouteClass::db_admin, 26, 20, always, page, 0, closed, db_admin_limits},
    {RouteClass::login, 22, 5, never, page, 0, local, login_limits},
    {RouteClass::login_page, 16, 1, never, page, 0, open, login_page_limits},
    {RouteClass::signup_reset, 23, 10, never, page, 0, closed, signup_reset_limits},
    {RouteClass::rpc_legacy, 24, 3, always, xml_rpc, 0, local, rpc_legacy_limits},
    {RouteClass::rpc_json2, 18, 2, never, problem, 0, local, rpc_json2_limits, json2_quotas},
    {RouteClass::rpc_web, 6, 1, never, json_rpc, 0, open, rpc_web_limits},
    {RouteClass::exports, 21, 30, never, negotiate, 0, local, export_limits, {}, export_concurrency},
    {RouteClass::report, 20, 20, never, negotiate, 0, local, report_limits, {}, report_concurrency},
    {RouteClass::barcode, 13, 2, never, empty, 0, open, barcode_limits},
    {RouteClass::upload, 17, 5, never, negotiate, 0, open, upload_limits},
    {RouteClass::image, 3, 0.5, never, empty, 0, open, image_limits},
    {RouteClass::statics, 2, 0, never, empty, 0, open, static_limits},
    {RouteClass::ws_connect, 14, 2, never, empty, 10, open, ws_connect_limits, {}, websocket_concurrency},
    {RouteClass::poll, 7, 0.5, never, json_rpc, 0, open, poll_limits},
    {RouteClass::discuss, 8, 1, never, json_rpc, 0, open, discuss_limits},
    {RouteClass::shop, 10, 1, never, page, 0, open, page_limits},
    {RouteClass::open_pages, 9, 1, never, page, 0, open, page_limits},
    {RouteClass::form, 19, 5, never, negotiate, 0, closed, form_limits},
    {RouteClass::pay_client, 15, 2, never, negotiate, 0, open, pay_client_limits},
    {RouteClass::pay_hook, 4, 1, never, empty, 0, open, pay_hook_limits},
    {RouteClass::health, 1, 0, never, empty, 0, open, health_limits},
    {RouteClass::dev, 25, 1, in_tier_1, page, 0, closed, rpc_web_limits},
    {RouteClass::pos, 11, 1, never, negotiate, 0, open, floor_limits},
    {RouteClass::scan, 12, 1, never, json_rpc, 0, open, floor_limits},
    {RouteClass::other, 5, 1, never, negotiate, 0, open, rpc_web_limits},
}};

enum class Match : std::uint8_t {
  exact,   // this path, with or without a last slash
  below,   // this path and all below it
  begins,  // the last segment begins so
  hook,    // <path>/<provider>/<what a payment provider calls>
};

struct Route {
  std::string_view path;
  Match match;
  RouteClass reading, writing;  // for GET and HEAD; for everything else
  constexpr Route(std::string_view p, Match m, RouteClass both) : path(p), match(m), reading(both), writing(both) {}
  constexpr Route(std::string_view p, Match m, RouteClass r, RouteClass w) : path(p), match(m), reading(r), writing(w) {}
};

using enum Match;
// The deeper route wins: `/mail/attachment/upload` before `/mail`.
constexpr std::array routes{
    Route{"/web/database", below, RouteClass::db_admin},
    Route{"/web/login", exact, RouteClass::login_page, RouteClass::login},
    Route{"/web/login/totp", exact, RouteClass::login_page, RouteClass::login},
    Route{"/web/session/authenticate", exact, RouteClass::login},
    Route{"/web/session/get_lang_list", exact, RouteClass::login},  // asks the database server without a login
    Route{"/auth/passkey", below, RouteClass::login},
    Route{"/web/signup", exact, RouteClass::login_page, RouteClass::signup_reset},
    Route{"/web/reset_password", exact, RouteClass::login_page, RouteClass::signup_reset},
    Route{"/xmlrpc", below, RouteClass::rpc_legacy},
    Route{"/jsonrpc", below, RouteClass::rpc_legacy},
    Route{"/json", below, RouteClass::rpc_json2},
    Route{"/web/dataset", below, RouteClass::rpc_web},
    Route{"/web/action", below, RouteClass::rpc_web},
    Route{"/web/export/csv", exact, RouteClass::exports},
    Route{"/web/export/xlsx", exact, RouteClass::exports},
    Route{"/web/export/xls", exact, RouteClass::exports},
    Route{"/web/pivot/export_xlsx", exact, RouteClass::exports},
    Route{"/web/pivot/export_xls", exact, RouteClass::exports},
    Route{"/report/pdf", below, RouteClass::report},
    Route{"/report/html", below, RouteClass::report},
    Route{"/report/text", below, RouteClass::report},
    Route{"/report/download", below, RouteClass::report},
    Route{"/report/barcode", below, RouteClass::barcode},
    Route{"/web/binary/upload", begins, RouteClass::upload},
    Route{"/mail/attachment/upload", exact, RouteClass::upload},
    Route{"/base_import", below, RouteClass::upload},
    Route{"/web/image", below, RouteClass::image},
    Route{"/web/content", below, RouteClass::image},
    Route{"/web/filestore", below, RouteClass::image},
    Route{"/website/image", below, RouteClass::image},
    Route{"/web/assets", below, RouteClass::statics},
    Route{"/web/bundle", below, RouteClass::statics},
    Route{"/web/webclient", below, RouteClass::statics},  // translations, menus, version
    Route{"/web/manifest.webmanifest", exact, RouteClass::statics},
    Route{"/web/service-worker.js", exact, RouteClass::statics},
    Route{"/website/translations", below, RouteClass::statics},
    Route{"/bus/websocket_worker_bundle", exact, RouteClass::statics},
    Route{"/favicon.ico", exact, RouteClass::statics},
    Route{"/robots.txt", exact, RouteClass::statics},
    Route{"/base_import/static", below, RouteClass::statics},
    Route{"/discuss/static", below, RouteClass::statics},
    Route{"/im_livechat/static", below, RouteClass::statics},
    Route{"/mail/static", below, RouteClass::statics},
    Route{"/payment/static", below, RouteClass::statics},
    Route{"/pos_self_order/static", below, RouteClass::statics},
    Route{"/stock_barcode/static", below, RouteClass::statics},
    Route{"/websocket", exact, RouteClass::ws_connect},
    Route{"/websocket/peek_notifications", exact, RouteClass::poll},
    Route{"/websocket/update_bus_presence", exact, RouteClass::poll},
    Route{"/websocket/on_closed", exact, RouteClass::poll},
    Route{"/longpolling", below, RouteClass::poll},
    Route{"/mail", below, RouteClass::discuss},
    Route{"/discuss", below, RouteClass::discuss},
    Route{"/im_livechat", below, RouteClass::discuss},
    Route{"/shop", below, RouteClass::shop},
    Route{"/blog", below, RouteClass::open_pages},
    Route{"/my", below, RouteClass::open_pages},
    Route{"/event", below, RouteClass::open_pages},
    Route{"/events", below, RouteClass::open_pages},
    Route{"/website/form", below, RouteClass::form},
    Route{"/contactus", exact, RouteClass::open_pages, RouteClass::form},
    Route{"/payment/pay", below, RouteClass::pay_client},
    Route{"/payment/transaction", below, RouteClass::pay_client},
    Route{"/payment/status", below, RouteClass::pay_client},
    Route{"/payment/confirmation", below, RouteClass::pay_client},
    Route{"/payment", hook, RouteClass::pay_hook},
    Route{"/odoo", below, RouteClass::other},  // the web client's pages, `/odoo/static/1` too
    Route{"/scoped_app", below, RouteClass::other},
    Route{"/web/health", exact, RouteClass::health},
    Route{"/websocket/health", exact, RouteClass::health},
    Route{"/web/tests", below, RouteClass::dev},
    Route{"/web/become", exact, RouteClass::dev},
    Route{"/doc", below, RouteClass::dev},
    Route{"/doc-bearer", below, RouteClass::dev},
    Route{"/pos", below, RouteClass::pos},
    Route{"/pos-self", below, RouteClass::pos},
    Route{"/pos-self-order", below, RouteClass::pos},
    Route{"/pos_self_order", below, RouteClass::pos},
    Route{"/stock_barcode", below, RouteClass::scan},
};

constexpr std::array<std::string_view, 7> hook_words{"webhook", "return", "notification", "notify", "callback", "ipn", "auth_return"};

// Routes by a hash of their path (for `begins`: of its parent), open addressing, at most a third full.
constexpr std::size_t slots = 256, slots_mask = slots - 1;
constexpr std::uint8_t no_route = 0xff;
static_assert(routes.size() * 3 < slots && routes.size() < no_route);
constexpr std::size_t segments_max = 3;  // of the longest route

constexpr std::uint32_t hash_start = 2166136261U;  // FNV-1a: nobody outside can add routes, so no key is needed
constexpr std::uint32_t hash_step(std::uint32_t hash, char c) { return (hash ^ static_cast<unsigned char>(c)) * 16777619U; }
constexpr std::size_t slot_of(std::uint32_t hash) { return (hash ^ (hash >> 15)) & slots_mask; }

constexpr std::string_view hashed_part(const Route& route) {
  return route.match == begins ? route.path.substr(0, route.path.rfind('/')) : route.path;
}

constexpr std::array<std::uint8_t, slots> make_table() {
  std::array<std::uint8_t, slots> table{};
  table.fill(no_route);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    std::uint32_t hash = hash_start;
    for (const char c : hashed_part(routes[i])) hash = hash_step(hash, c);
    std::size_t slot = slot_of(hash);
    while (table[slot] != no_route) slot = (slot + 1) & slots_mask;
    table[slot] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto table = make_table();

// `rest` is what follows the route's path: "", "/", "/more".
bool is_hook(std::string_view rest) {
  if (rest.size() < 2) return false;
  const std::size_t provider_end = rest.find('/', 1);
  if (provider_end == std::string_view::npos || provider_end == 1) return false;
  std::string_view word = rest.substr(provider_end + 1);
  if (!word.empty() && word.back() == '/') word.remove_suffix(1);
  return std::find(hook_words.begin(), hook_words.end(), word) != hook_words.end();
}

bool matches(const Route& route, std::string_view path, std::size_t length) {
  const std::string_view rest = path.substr(length);
  switch (route.match) {
    case exact:
      return rest.empty() || rest == "/";
    case below:
      return true;
    case begins:
      return path.starts_with(route.path);
    case hook:
      return is_hook(rest);
  }
  return false;
}

// The class of one form of the path, as it stands.
RouteClass look_up(std::string_view path, bool reads) {
  if (path == "/") return RouteClass::open_pages;
  const Route* found = nullptr;
  bool is_static = false;
  std::uint32_t hash = hash_start;
  std::size_t segment = 0, segment_begin = 0;
  for (std::size_t at = 0; at <= path.size(); ++at) {
    if (at > 0 && (at == path.size() || path[at] == '/')) {
      for (std::size_t slot = slot_of(hash); table[slot] != no_route; slot = (slot + 1) & slots_mask) {
        const Route& route = routes[table[slot]];
        if (hashed_part(route) == path.substr(0, at) && matches(route, path, at)) found = &route;
      }
      ++segment;
      if (segment == 2 && at + 1 < path.size() && path.substr(segment_begin, at - segment_begin) == "/static") is_static = true;
      if (segment == segments_max) break;
      segment_begin = at;
    }
    if (at < path.size()) hash = hash_step(hash, path[at]);
  }
  if (found != nullptr) return reads ? found->reading : found->writing;
  return is_static ? RouteClass::statics : RouteClass::other;
}

RouteClass stricter(RouteClass a, RouteClass b) { return infos[index_of(a)].strictness >= infos[index_of(b)].strictness ? a : b; }

// One form, with and without its language. A localised page is of its page's class, but what is looser than `other`
// (webhooks, images, files, probes) is never localised, so a language does not lead there. Where both readings mean
// something (`/my/...`), the stricter counts.
RouteClass classify_form(std::string_view path, bool reads) {
  const RouteClass whole = look_up(path, reads);
  if (!has_language(path)) return whole;
  const std::size_t end = path.find('/', 1);
  const RouteClass bare = look_up(end == std::string_view::npos ? "/" : path.substr(end), reads);
  return bare == RouteClass::other ? whole : stricter(whole, bare);
}

template <class Test>
bool any_form(const PathForms& forms, Test test) {
  return test(forms.decoded) || (forms.raw != forms.decoded && test(forms.raw)) || (!forms.resolved.empty() && test(forms.resolved));
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

bool carries_credentials(RouteClass route_class, const PathForms& forms) {
  if (route_class == RouteClass::login) return true;
  return route_class == RouteClass::rpc_legacy && any_form(forms, [](std::string_view path) {
           return path.find("/common") != std::string_view::npos;  // /xmlrpc/common, /xmlrpc/2/common: authenticate and login
         });
}

bool proves_login(const PathForms& forms, std::string_view method) {
  if (method != "GET") return false;
  const std::string_view path = forms.decoded;  // as spelled by Odoo's own client; a stranger spelling proves nothing
  return forms.resolved.empty() && (path == "/web" || is_below(path, "/odoo") || is_below(path, "/web/webclient/load_menus") ||
                                    is_below(path, "/report/pdf") || is_below(path, "/report/html"));
}

bool is_login_form(std::string_view decoded_path) {
  if (decoded_path.ends_with('/')) decoded_path.remove_suffix(1);
  return decoded_path.ends_with("/web/login") || decoded_path.ends_with("/web/login/totp");  // also behind a language
}

bool may_be_replaced(RouteClass route_class) {
  switch (route_class) {
    case RouteClass::other:
    case RouteClass::open_pages:
    case RouteClass::shop:
    case RouteClass::discuss:
    case RouteClass::pos:
    case RouteClass::scan:
      return true;
    default:
      return false;
  }
}

bool has_language(std::string_view path) {
  if (path.starts_with("/web") && (path.size() == 4 || path[4] == '/')) return false;  // is none, and most requests begin so
  std::size_t letters = 0;
  while (letters + 1 < path.size() && letters <= 3) {
    const char c = static_cast<char>(path[letters + 1] | 0x20);
    if (c < 'a' || c > 'z') break;
    ++letters;
  }
  if (letters > 3 || path.size() < 2) return false;
  if (letters + 1 == path.size()) return true;
  const char next = path[letters + 1];
  return next == '_' || next == '-' || next == '@' || (next == '/' && letters > 0);
}

const RouteClassInfo& route_class_info(RouteClass route_class) { return infos[index_of(route_class)]; }

RouteClass classify(const PathForms& forms, std::string_view method) {
  const bool reads = method == "GET" || method == "HEAD";
  RouteClass found = classify_form(forms.decoded, reads);
  if (forms.raw != forms.decoded) found = stricter(found, classify_form(forms.raw, reads));
  if (!forms.resolved.empty()) found = stricter(found, classify_form(forms.resolved, reads));
  if (!forms.query.empty() && asks_for_debug(forms.query)) found = stricter(found, RouteClass::dev);
  return found;
}

}  // namespace portcullis::guard
