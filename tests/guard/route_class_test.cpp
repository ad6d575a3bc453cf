#include "guard/route_class.hpp"

#include <set>
#include <string>

#include "tests/catch.hpp"

using namespace portcullis::guard;

namespace {

std::string class_of(std::string_view uri, std::string_view method = "GET") {
  static PathBuffer buffer;
  PathForms forms;
  if (normalise_path(uri, buffer, forms) != Reason::none) return "refused";
  return std::string(route_class_name(classify(forms, method)));
}

}  // namespace

TEST_CASE("route class: Odoo's routes", "[guard][class]") {
  struct Case {
    const char *uri, *route_class;
    const char* method = "GET";
  };
  const Case cases[] = {
      {"/web/database/manager", "db-admin"},
      {"/web/database", "db-admin"},
      {"/web/database/restore", "db-admin", "POST"},
      {"/web/login", "login-page"},
      {"/web/login", "login", "POST"},
      {"/web/login?redirect=/odoo", "login", "POST"},
      {"/web/login/", "login", "POST"},
      {"/web/login/totp", "login", "POST"},
      {"/web/session/authenticate", "login", "POST"},
      {"/web/session/get_lang_list", "login", "POST"},
      {"/auth/passkey/start-auth", "login", "POST"},
      {"/web/signup", "signup-reset", "POST"},
      {"/web/reset_password", "signup-reset", "POST"},
      {"/web/signup", "login-page"},
      {"/xmlrpc", "rpc-legacy", "POST"},
      {"/xmlrpc/2/common", "rpc-legacy", "POST"},
      {"/jsonrpc", "rpc-legacy", "POST"},
      {"/json/1/res.partner", "rpc-json2"},
      {"/json/2/res.partner/search", "rpc-json2", "POST"},
      {"/web/dataset/call_kw/res.partner/read", "rpc-web", "POST"},
      {"/web/dataset/call_button", "rpc-web", "POST"},
      {"/web/action/load", "rpc-web", "POST"},
      {"/web/export/xlsx", "export", "POST"},
      {"/web/pivot/export_xlsx", "export", "POST"},
      {"/web/export/get_fields", "other", "POST"},
      {"/report/pdf/account.report_invoice/1", "report"},
      {"/report/download", "report", "POST"},
      {"/report/barcode/QR/x", "barcode"},
      {"/report/barcode?width=9999", "barcode"},
      {"/web/binary/upload_attachment", "upload", "POST"},
      {"/web/binary/upload", "upload", "POST"},
      {"/web/binary/company_logo", "other"},
      {"/mail/attachment/upload", "upload", "POST"},
      {"/base_import/set_file", "upload", "POST"},
      {"/web/image/res.users/2/avatar_128", "image"},
      {"/web/image", "image"},
      {"/web/content/7", "image"},
      {"/website/image/x", "image"},
      {"/web/static/src/img/logo.png", "static"},
      {"/my_module/static/a.js", "static"},
      {"/mail/static/a.png", "static"},
      {"/web/assets/1/web.assets.js", "static"},
      {"/web/webclient/translations/abc", "static"},
      {"/favicon.ico", "static"},
      {"/robots.txt", "static"},
      {"/websocket", "ws-connect"},
      {"/websocket?version=18", "ws-connect"},
      {"/websocket/peek_notifications", "poll", "POST"},
      {"/longpolling/poll", "poll", "POST"},
      {"/mail/data", "discuss", "POST"},
      {"/discuss/channel/1", "discuss"},
      {"/im_livechat/init", "discuss", "POST"},
      {"/shop", "shop"},
      {"/shop/cart", "shop"},
      {"/shopping", "other"},
      {"/", "public"},
      {"/blog/our-1", "public"},
      {"/my/orders", "public"},
      {"/event/x", "public"},
      {"/website/form/crm.lead", "form", "POST"},
      {"/contactus", "public"},
      {"/contactus", "form", "POST"},
      {"/payment/pay", "pay-client"},
      {"/payment/transaction/5", "pay-client", "POST"},
      {"/payment/status/poll", "pay-client", "POST"},
      {"/payment/stripe/webhook", "pay-hook", "POST"},
      {"/payment/adyen/notification", "pay-hook", "POST"},
      {"/web/health", "health"},
      {"/websocket/health", "health"},
      {"/web/tests", "dev"},
      {"/web/become", "dev"},
      {"/doc", "dev"},
      {"/doc-bearer/index.json", "dev"},
      {"/documents/content/1", "other"},
      {"/odoo?debug=1", "dev"},
      {"/odoo?debug=0", "other"},
      {"/pos/ui?config_id=1", "pos"},
      {"/stock_barcode/get_barcode_data", "scan", "POST"},
      {"/odoo", "other"},
      {"/odoo/static/1", "other"},
      {"/scoped_app/static/1", "other"},
      {"/web", "other"},
      {"/web/", "other"},
      {"/no/such/page", "other"},
      {"/nothing", "other"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.method << " " << c.uri) { CHECK(class_of(c.uri, c.method) == c.route_class); }
  }
}

TEST_CASE("route class: no spelling of a path is looser than the path (B24)", "[guard][class]") {
  for (const char* uri : {"/web%2Flogin",
                          "/%77eb/login",
                          "//web/login",
                          "/web//login",
                          "/web/./login",
                          "/a/../web/login",
                          "/web/login/",
                          "/web\\login",
                          "/web/x/%2e%2e/login",
                          "/fr/web/login",
                          "/fr_BE/web/login",
                          "/sr@latin/web/login",
                          "/f/web/login",
                          "/_/web/login",
                          "/fr//web/login",
                          "/fr%2Fweb/login",
                          "/pt-BR/web/login",
                          "/fr/./web/login",
                          "/web/login?x=/web/static/a.js",
                          "/web/static/../login",
                          "/web/static/..%2flogin"}) {
    DYNAMIC_SECTION(uri) { CHECK(class_of(uri, "POST") == "login"); }
  }
  // Decoded once by Odoo, so this is a page of that name to it.
  CHECK(class_of("/web%252Flogin", "POST") == "other");
  CHECK(class_of("/web/login;x=1", "POST") == "other");
  // Dots and backslashes that Odoo does not resolve do not lead out of a class either.
  CHECK(class_of("/%72eport/pdf/a/%2e%2e%2f%2e%2e%2f%2e%2e/web/static/x.js") == "report");
  CHECK(class_of("/%72eport/pdf/a%5c..%5c..%5c..%5cweb%5cstatic%5cx.js") == "report");
  CHECK(class_of("/fr/shop/cart") == "shop");
  CHECK(class_of("/fr") == "public");
  CHECK(class_of("/fr/my/orders") == "public");
}

TEST_CASE("route class: what does not read is taken the stricter way (B25)", "[guard][class]") {
  for (const char* method : {"POST", "post", "get", "OPTIONS", "PROPFIND", "DELETE", "X"}) CHECK(class_of("/web/login", method) == "login");
  CHECK(class_of("/web/login", std::string(8192, 'G')) == "login");
  CHECK(class_of("/web/login", "HEAD") == "login-page");
  CHECK(class_of("/web/database/manager", "OPTIONS") == "db-admin");
}

TEST_CASE("route class: exemptions are exact (B26, B56)", "[guard][class]") {
  CHECK(class_of("/web/health/../database/manager") == "db-admin");
  CHECK(class_of("/web/health/x") == "other");
  CHECK(class_of("/web/healthy") == "other");
  CHECK(class_of("/web/%68ealth") == "other");
  CHECK(class_of("//web/health") == "other");
  CHECK(class_of("/payment/stripe/webhook/../../../web/login", "POST") == "login");
  CHECK(class_of("/payment/stripe/webhook/x", "POST") == "other");
  CHECK(class_of("/payment/stripe/steal", "POST") == "other");
  CHECK(class_of("/payment//webhook", "POST") == "other");
  CHECK(class_of("/payment/transaction/webhook", "POST") == "pay-client");
  CHECK(class_of("/x/payment/stripe/webhook", "POST") == "other");
}

TEST_CASE("route class: the table is whole", "[guard][class]") {
  std::set<int> ranks;
  for (std::size_t i = 0; i < route_class_count; ++i) {
    const auto id = static_cast<RouteClass>(i);
    const RouteClassInfo& info = route_class_info(id);
    CAPTURE(route_class_name(id));
    CHECK(info.id == id);
    CHECK_FALSE(info.limits.empty());
    CHECK(ranks.insert(info.strictness).second);
    bool by_address = false;
    for (const auto& limit : info.limits) {
      CHECK(limit.rate.count > 0);
      CHECK(limit.rate.per.count() > 0);
      CHECK(limit.burst >= 1);
      by_address = by_address || limit.key == portcullis::policy::LimitKey::address;
    }
    CHECK(by_address);  // B13: an invented session or key never frees its address
  }
  CHECK(route_class_name(RouteClass::other) == "other");
  CHECK(route_class_name(RouteClass::exports) == "export");
  CHECK(route_class_name(RouteClass::open_pages) == "public");
}
