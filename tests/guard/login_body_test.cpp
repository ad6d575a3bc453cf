// Which logins a body tries: forms, JSON-RPC and XML-RPC as clients send them, and as nobody should.
#include "guard/login_body.hpp"

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::guard;

namespace {

constexpr std::string_view urlencoded = "application/x-www-form-urlencoded";

// "ada@acme; 7@acme (uid)" and so on, with how many there were where not all are told.
std::string said(const LoginBody& body) {
  if (body.kind == LoginBody::Kind::none) return "none";
  if (body.kind == LoginBody::Kind::unreadable) return "unreadable";
  std::string text;
  for (const LoginAttempt& attempt : body.attempts)
    text += (text.empty() ? "" : "; ") + attempt.login + "@" + attempt.database +
            (attempt.kind == LoginKind::uid      ? " (uid)"
             : attempt.kind == LoginKind::master ? " (master)"
                                                 : "");
  if (body.count != body.attempts.size()) text += " of " + std::to_string(body.count);
  return text;
}

std::string form(std::string_view body, std::string_view content_type = urlencoded, std::string_view query = "",
                 std::string_view path = "/web/login") {
  return said(read_login_body({path, query, content_type, body}));
}
std::string rpc(std::string_view path, std::string_view body) { return said(read_login_body({path, "", "application/json", body})); }

std::string call(std::string_view service, std::string_view method, std::string_view args) {
  return R"({"jsonrpc":"2.0","id":1,"method":"call","params":{"service":")" + std::string(service) + R"(","method":")" +
         std::string(method) + R"(","args":)" + std::string(args) + "}}";
}
std::string xml(std::string_view method, std::string_view params) {
  return "<?xml version='1.0'?>\n<methodCall>\n<methodName>" + std::string(method) + "</methodName>\n<params>\n" + std::string(params) +
         "</params>\n</methodCall>\n";
}
std::string param(std::string_view value) { return "<param>\n<value>" + std::string(value) + "</value>\n</param>\n"; }
std::string text(std::string_view value) { return param("<string>" + std::string(value) + "</string>"); }

}  // namespace

TEST_CASE("login body: a posted form", "[guard][login]") {
  CHECK(form("csrf_token=abc&login=ada%40acme.example&password=secret&redirect=") == "ada@acme.example@");
  CHECK(form("login=Ada&password=x&db=acme-prod") == "ada@acme-prod");
  CHECK(form("login=+Ada+&password=x") == "ada@");
  CHECK(form("log%69n=ada&password=x") == "ada@");
  CHECK(form("login=ada&login=bob") == "ada@");
  CHECK(form("login=ada&password=x", "Application/X-WWW-Form-UrlEncoded; charset=utf-8") == "ada@");
  CHECK(form("login=a%zzb%4") == "a%zzb%4@");
  CHECK(form("login") == "@");
  CHECK(form("password=x") == "none");
  CHECK(form("") == "none");
  SECTION("the query counts where the form has none") {
    CHECK(form("password=x", urlencoded, "login=ada&db=acme") == "ada@acme");
    CHECK(form("login=bob&password=x", urlencoded, "login=ada&db=acme") == "bob@acme");
    CHECK(form("{}", "application/json", "login=ada") == "ada@");
  }
  SECTION("wherever Odoo finds it") {
    CHECK(form("login=ada", urlencoded, "", "/fr/web/login") == "ada@");
    CHECK(form("login=ada", urlencoded, "", "/fr_BE/web/login/") == "ada@");
    CHECK(form("login=ada", urlencoded, "", "/web/login/totp") == "none");
    CHECK(form("login=ada", urlencoded, "", "/web/signup") == "none");
  }
  SECTION("too long, too many") {
    CHECK(form("login=" + std::string(1000, 'a')) == std::string(256, 'a') + "@");
    std::string many;
    for (int i = 0; i < 1001; ++i) many += "x=1&";
    CHECK(form(many + "login=ada") == "unreadable");
    CHECK(form("login=ada&x=" + std::string(64 * 1024, 'a')) == "unreadable");
  }
}

TEST_CASE("login body: multipart", "[guard][login]") {
  const std::string type = "multipart/form-data; boundary=----WebKitFormBoundaryABC";
  const auto part = [](std::string_view head, std::string_view value) {
    return "------WebKitFormBoundaryABC\r\n" + std::string(head) + "\r\n\r\n" + std::string(value) + "\r\n";
  };
  const std::string end = "------WebKitFormBoundaryABC--\r\n";
  const std::string login = R"(Content-Disposition: form-data; name="login")",
                    password = R"(Content-Disposition: form-data; name="password")";
  CHECK(form(part(login, "Ada") + part(password, "secret") + end, type) == "ada@");
  CHECK(form(part(password, "secret") + part(login, "ada") + part(R"(content-disposition: form-data; name="db")", "acme") + end, type) ==
        "ada@acme");
  CHECK(form(part(login, "") + end, type) == "@");
  CHECK(form(part(login, "a\r\nb--") + end, type) == "a\r\nb--@");
  CHECK(form(part(login, "ada") + part(login, "bob") + end, type) == "ada@");
  CHECK(form(part(login + "; filename=\"a.txt\"\r\nContent-Type: text/plain", "ada") + part(login, "bob") + end, type) == "bob@");
  CHECK(form(part(login, "ada") + end, "multipart/form-data; boundary=\"----WebKitFormBoundaryABC\"") == "ada@");
  CHECK(form(end, type) == "none");
  SECTION("not as browsers write it") {
    CHECK(form(part(login, "ada"), type) == "unreadable");  // no end
    CHECK(form(part(login, "ada") + end, "multipart/form-data") == "unreadable");
    CHECK(form(part(login, "ada") + end, type + "; boundary=other") == "unreadable");
    CHECK(form("preamble\r\n" + part(login, "ada") + end, type) == "unreadable");
    CHECK(form(part(login, "ada") + end + "epilogue", type) == "unreadable");
    CHECK(form(part("Content-Disposition: form-data; name*=utf-8''login", "ada") + end, type) == "unreadable");
    CHECK(form(part(R"(Content-Disposition: form-data; name="log\in")", "ada") + end, type) == "unreadable");
    CHECK(form(part(R"(Content-Disposition: form-data; name="x"; name="login")", "ada") + end, type) == "unreadable");
    CHECK(form(part("Content-Disposition: form-data;\r\n name=\"login\"", "ada") + end, type) == "unreadable");
    CHECK(form(part(login + "\r\nContent-Transfer-Encoding: base64", "YWRh") + end, type) == "unreadable");
    CHECK(form(part("Content-Type: text/plain", "ada") + end, type) == "unreadable");
    std::string bare = part(login, "ada") + end;
    for (std::size_t at; (at = bare.find('\r')) != std::string::npos;) bare.erase(at, 1);
    CHECK(form(bare, type) == "unreadable");
  }
}

TEST_CASE("login body: /web/session/authenticate", "[guard][login]") {
  const auto authenticate = [](std::string_view body) { return rpc("/web/session/authenticate", body); };
  CHECK(authenticate(R"({"jsonrpc":"2.0","params":{"db":"acme","login":"Ada@ACME.example","password":"secret"}})") ==
        "ada@acme.example@acme");
  CHECK(authenticate(R"({"params":{"login":"ada"},"params":{"login":"bob"}})") == "bob@");  // as Python reads it
  CHECK(authenticate(R"({"params":{"login":"ada","login":"bob"}})") == "bob@");
  CHECK(authenticate(R"({"params":{"login":7,"db":"acme"}})") == "@acme");
  CHECK(authenticate(R"({"params":{"login":null}})") == "@");
  CHECK(authenticate(R"({"params":{"login":["ada"]}})") == "@");
  CHECK(authenticate(R"({"params":{"x":{"login":"ada"}}})") == "none");
  CHECK(authenticate(R"({"params":{"password":"x"}})") == "none");
  CHECK(authenticate(R"({"login":"ada"})") == "none");
  CHECK(authenticate(R"({"params":{"login":"ada"},"params":7})") == "none");
  CHECK(authenticate(R"([{"params":{"login":"ada","db":"a"}},{"params":{"login":"bob"}},7,[]])") == "ada@a; bob@");
  SECTION("what Python may read and we do not") {
    CHECK(authenticate(R"({"params":[["login","ada"],["db","acme"]]})") == "unreadable");
    CHECK(authenticate(R"({"params":{"login":"ada","x":NaN}})") == "unreadable");
    CHECK(authenticate("{\"params\":{\"login\":\"ad\xff\"}}") == "unreadable");
    CHECK(authenticate(R"({"params":{"login":"\ud800"}})") == "unreadable");
    CHECK(authenticate("") == "unreadable");
    CHECK(authenticate(R"({"params":{"login":"ada")") == "unreadable");
    CHECK(authenticate(R"({"params":{"login":"ada"}} x)") == "unreadable");
  }
  SECTION("depth and size") {
    const std::string deep(30'000, '['), up(30'000, ']');
    CHECK(authenticate(R"({"x":)" + deep + up + R"(,"params":{"login":"ada"}})") == "unreadable");
    CHECK(authenticate(R"({"params":{"login":")" + std::string(65'000, 'A') + "\"}}") == std::string(256, 'a') + "@");
    CHECK(authenticate(R"({"params":{"login":")" + std::string(70'000, 'A') + "\"}}") == "unreadable");
  }
}

TEST_CASE("login body: /jsonrpc", "[guard][login]") {
  const auto jsonrpc = [](std::string_view body) { return rpc("/jsonrpc", body); };
  CHECK(jsonrpc(call("common", "login", R"(["acme","Ada","secret"])")) == "ada@acme");
  CHECK(jsonrpc(call("common", "authenticate", R"(["acme","ada","secret",{}])")) == "ada@acme");
  CHECK(jsonrpc(call("common", "version", "[]")) == "none");
  CHECK(jsonrpc(call("common", "login", R"(["acme"])")) == "none");
  CHECK(jsonrpc(call("common", "login", R"(["acme",["ada"],"x"])")) == "@acme");
  CHECK(jsonrpc(call("object", "execute_kw", R"(["acme",7,"secret","res.partner","read",[[1]],{}])")) == "7@acme (uid)");
  CHECK(jsonrpc(call("object", "execute", R"(["acme","2","secret","res.partner","read",[1]])")) == "2@acme (uid)");
  CHECK(jsonrpc(call("db", "list", "[]")) == "none");
  CHECK(jsonrpc(call("db", "drop", R"(["secret","acme"])")) == "@ (master)");
  CHECK(jsonrpc(call("report", "render", R"(["acme",1,"secret"])")) == "none");
  CHECK(jsonrpc(R"({"params":{"args":["acme","ada","x"],"method":"login","service":"common"}})") == "ada@acme");
  SECTION("one user, however the number is written") {
    for (const char* uid : {"2", "2.9", "\"2\"", "\" 2 \"", "\"+2\"", "\"002\"", "\"0_2\""})
      CHECK(jsonrpc(call("object", "execute", R"(["acme",)" + std::string(uid) + R"(,"x"])")) == "2@acme (uid)");
    CHECK(jsonrpc(call("object", "execute", R"(["acme",true,"x"])")) == "1@acme (uid)");
    CHECK(jsonrpc(call("object", "execute", R"(["acme","two","x"])")) == "two@acme (uid)");
    CHECK(jsonrpc(call("object", "execute", R"(["acme",-3,"x"])")) == "-3@acme (uid)");
    CHECK(jsonrpc(call("object", "execute", R"(["acme",1e300,"x"])")) == "0@acme (uid)");
  }
  SECTION("what Python makes arguments of") {
    CHECK(jsonrpc(call("common", "login", R"({"acme":0,"ada":0,"secret":0})")) == "unreadable");
    CHECK(jsonrpc(call("common", "login", R"("abc")")) == "unreadable");
    CHECK(jsonrpc(call("common", "login", "null")) == "none");
    CHECK(jsonrpc(R"({"params":[["service","common"],["method","login"],["args",["acme","ada","x"]]]})") == "unreadable");
    CHECK(jsonrpc(R"({"params":{"service":"common","method":"login","args":{"a":1},"args":["acme","ada","x"]}})") == "ada@acme");
  }
  SECTION("many in one") {
    std::string batch = "[";
    for (int i = 0; i < 40; ++i) batch += (i > 0 ? "," : "") + call("common", "login", R"(["acme","ada)" + std::to_string(i) + R"(","x"])");
    const LoginBody body = read_login_body({"/jsonrpc", "", "application/json", batch + "]"});
    CHECK(body.count == 40);
    CHECK(body.attempts.size() == login_attempts_max);
    CHECK(body.attempts.back().login == "ada15");
    const LoginBody cut = read_login_body({"/jsonrpc", "", "application/json", batch});
    CHECK(cut.kind == LoginBody::Kind::unreadable);
    CHECK(cut.count == 40);
  }
}

TEST_CASE("login body: XML-RPC", "[guard][login]") {
  const std::string three = text("acme") + text("Ada") + text("secret");
  CHECK(rpc("/xmlrpc/2/common", xml("authenticate", three + param("<struct>\n</struct>"))) == "ada@acme");
  CHECK(rpc("/xmlrpc/common", xml("login", three)) == "ada@acme");
  CHECK(rpc("/xmlrpc/common/", xml(" login\n", three)) == "ada@acme");
  CHECK(rpc("/xmlrpc/common", xml("version", "")) == "none");
  CHECK(rpc("/xmlrpc/common", "<methodCall><methodName>version</methodName></methodCall>") == "none");
  CHECK(rpc("/xmlrpc/2/object", xml("execute_kw", text("acme") + param("<int>7</int>") + text("secret"))) == "7@acme (uid)");
  CHECK(rpc("/xmlrpc/object", xml("execute", text("acme") + param("<double>7.9</double>") + text("secret"))) == "7@acme (uid)");
  CHECK(rpc("/xmlrpc/2/db", xml("list", "")) == "none");
  CHECK(rpc("/xmlrpc/2/db", xml("dump", text("secret") + text("acme"))) == "@ (master)");
  CHECK(rpc("/xmlrpc", xml("login", three)) == "none");
  CHECK(rpc("/xmlrpc/2/common", xml("login", param("acme") + param("A&#100;a") + param("x"))) == "ada@acme");  // untyped
  CHECK(rpc("/xmlrpc/2/common", xml("login", text("acme") + text("a<![CDATA[d]]>a") + text("x"))) == "ada@acme");
  CHECK(rpc("/xmlrpc/2/common", xml("login", text("acme") + text("a<!-- x -->da") + text("x"))) == "ada@acme");
  CHECK(rpc("/xmlrpc/2/common", xml("login", text("acme") + param("<nil/>") + text("x"))) == "@acme");
  CHECK(rpc("/xmlrpc/2/common", xml("login", text("acme") + param("<array><data><value>a</value></data></array>") + text("x"))) == "@acme");
  SECTION("system.multicall") {
    const auto nested = [](std::string_view method, std::string_view login) {
      return "<value><struct><member><name>methodName</name><value><string>" + std::string(method) +
             "</string></value></member><member><name>params</name><value><array><data><value>acme</value><value>" + std::string(login) +
             "</value><value>x</value></data></array></value></member></struct></value>";
    };
    const auto multicall = [&](const std::string& calls) {
      return rpc("/xmlrpc/2/common", xml("system.multicall", param("<array><data>" + calls + "</data></array>")));
    };
    CHECK(multicall(nested("login", "ada") + nested("version", "x") + nested("authenticate", "bob")) == "ada@acme; bob@acme");
    std::string calls;
    for (int i = 0; i < 20; ++i) calls += nested("login", "ada");
    CHECK(multicall(calls).ends_with(" of 20"));
    CHECK(multicall("") == "none");
    CHECK(multicall("<value>x</value>") == "unreadable");
    CHECK(rpc("/xmlrpc/2/common", xml("system.multicall", text("x"))) == "unreadable");
  }
  SECTION("not as the specification has it") {
    const auto common = [](std::string_view body) { return rpc("/xmlrpc/2/common", body); };
    CHECK(common("") == "unreadable");
    CHECK(common("login") == "unreadable");
    CHECK(common("<methodCall><methodName>login</methodName>") == "unreadable");
    CHECK(common("<!DOCTYPE x [<!ENTITY u 'ada'>]>" + xml("login", three).substr(22)) == "unreadable");
    CHECK(common("<?xml version='1.0' encoding='utf-16'?>" + xml("login", three).substr(22)) == "unreadable");
    CHECK(common("<?xml version='1.0' encoding='UTF-8'?>" + xml("login", three).substr(22)) == "ada@acme");
    CHECK(common(xml("login", three) + "<more/>") == "unreadable");
    CHECK(common("<methodResponse/>") == "unreadable");
    CHECK(common(xml("login", "<value>acme</value><value>ada</value>")) == "unreadable");  // Python needs no <param>
    CHECK(common(xml("login", "x" + three)) == "unreadable");
    CHECK(common(xml("login", text("acme") + param("<ex:string>ada</ex:string>") + text("x"))) == "unreadable");
    CHECK(common(xml("login", text("acme") + param("x<string>ada</string>") + text("x"))) == "unreadable");
    CHECK(common(xml("login", text("acme") + param("<string>a</string><string>b</string>"))) == "unreadable");
    CHECK(common(xml("login", text("acme") + param("<string>a<b/></string>"))) == "unreadable");
    CHECK(common(xml("login", three) + std::string(1, '\0')) == "unreadable");
  }
  SECTION("depth, and entities that nobody expands") {
    std::string deep, up;
    for (int i = 0; i < 9'000; ++i) deep += "<a>", up += "</a>";
    CHECK(rpc("/xmlrpc/2/common", deep + up) == "unreadable");
    CHECK(rpc("/xmlrpc/2/common", deep) == "unreadable");
    CHECK(rpc("/xmlrpc/2/common", xml("login", text("acme") + param(deep + up))) == "unreadable");
    std::string arrays, ends;
    for (int i = 0; i < 800; ++i) arrays += "<value><array><data>", ends += "</data></array></value>";
    CHECK(rpc("/xmlrpc/2/common", xml("login", text("acme") + text("ada") + "<param>" + arrays + ends + "</param>")) == "ada@acme");
    CHECK(rpc("/xmlrpc/2/common", xml("login", text("acme") + text("&lol;") + text("x"))) == "&lol;@acme");
  }
}

TEST_CASE("login body: other paths try nothing", "[guard][login]") {
  for (const char* path : {"/", "/web", "/web/dataset/call_kw", "/web/login_successful", "/json/2/res.partner/read", "/jsonrpcx"})
    CHECK(rpc(path, R"({"params":{"login":"ada"}})") == "none");
  CHECK(rpc("/fr/jsonrpc/", call("common", "login", R"(["acme","ada","x"])")) == "ada@acme");
}
