// The admin door and `portcullis bans`: seen, made and taken away by operators, and refused to browsers.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "cli/admin_handler.hpp"
#include "cli/admin_side.hpp"
#include "observe/log.hpp"
#include "tests/catch.hpp"
#include "tests/cli/process.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis;
using namespace portcullis::cli;
using namespace portcullis::cli::test;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

std::shared_ptr<const guard::GuardSnapshot> documents_of_acme() {
  policy::DocumentSet set;
  set.guard_policy.emplace();
  policy::Tenant acme;
  acme.name = "acme";
  acme.hosts = {"erp.acme.example"};
  acme.tier = 2;
  set.tenants = {acme};
  return guard::GuardSnapshot::compile(set);
}

// What the program logs, while it lives.
class Logged {
 public:
  Logged() {
    observe::set_log_sink([this](std::string_view line) { text.append(line).append("\n"); });
  }
  ~Logged() { observe::set_log_sink({}); }
  std::string text;
};

struct Door {
  Clock::time_point now{1000h};
  Logged logged;
  guard::Guard guard{{.now = [this] { return now; }}};
  AdminHandler handler{guard};
  net::Response response;
  Door() { guard.swap_in(documents_of_acme()); }

  std::string ask(std::string_view method, std::string_view target, std::string_view body = "",
                  std::vector<net::Field> fields = {{"Host", "127.0.0.1:9901"}}) {
    net::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.fields = fields;
    request.peer.uid = 1000;
    handler.answer(request, response);
    return std::to_string(response.status) + " " + response.body.substr(0, response.body.size() - 1);
  }
  std::string make(std::string_view body) { return ask("POST", "/v1/bans", body); }
  Json list(std::string_view query = "") {
    ask("GET", "/v1/bans" + std::string(query));
    return Json::parse(response.body);
  }
};

}  // namespace

TEST_CASE("admin door: bans are made, shown and taken away", "[cli][admin]") {
  Door door;
  CHECK(door.list() == Json{{"schemaVersion", 1}, {"total", 0}, {"bans", Json::array()}});
  CHECK(door.make(R"({"address":"198.51.100.7","duration":"1h","reason":"abuse"})").starts_with("201 "));
  CHECK(door.make(R"({"cidr":"203.0.113.0/24","tenant":"acme","duration":"P1D","reason":"CHG-1"})").starts_with("201 "));
  CHECK(door.make(R"({"address":"2001:db8:7::1","duration":"30m","reason":"one host"})").starts_with("201 "));
  door.now += 60s;
  const Json bans = door.list()["bans"];
  REQUIRE(bans.size() == 3);
  CHECK(bans[0]["id"] == 1);
  CHECK(bans[0]["tenant"].is_null());
  CHECK(bans[0]["network"] == "198.51.100.7/32");
  CHECK(bans[0]["login"].is_null());
  CHECK(bans[0]["source"] == "operator");
  CHECK(bans[0]["reason"] == "abuse");
  CHECK(bans[0]["by"] == "uid 1000");
  CHECK(bans[0]["secondsLeft"] == 3540);
  CHECK(bans[1]["tenant"] == "acme");
  CHECK(bans[2]["network"] == "2001:db8:7::/64");
  CHECK(door.list("?tenant=acme")["total"] == 3);
  CHECK(door.list("?tenant=globex")["total"] == 2);
  CHECK(door.list("?address=203.0.113.9")["total"] == 1);
  CHECK(door.list("?address=203.0.112.0%2F22")["total"] == 1);
  CHECK(door.logged.text.find("event=ban_added ban=2 source=operator tenant=acme network=203.0.113.0/24") != std::string::npos);
  CHECK(door.logged.text.find("by=\"uid 1000\"") != std::string::npos);

  CHECK(door.ask("DELETE", "/v1/bans/2?reason=it+was%20us").starts_with("200 "));
  CHECK(door.logged.text.find(
            "event=ban_deleted ban=2 source=operator tenant=acme network=203.0.113.0/24 reason=\"it was us\" by=\"uid 1000\"") !=
        std::string::npos);
  CHECK(door.ask("DELETE", "/v1/bans/2?reason=x") == R"(404 {"error":"there is no such ban"})");
  CHECK(door.ask("DELETE", "/v1/bans?address=198.51.100.7&tenant=acme&reason=x").starts_with("404 "));
  CHECK(door.ask("DELETE", "/v1/bans?address=198.51.100.7&reason=x").starts_with("200 "));
  CHECK(door.list()["total"] == 1);
}

TEST_CASE("admin door: what is not taken", "[cli][admin]") {
  Door door;
  struct Case {
    const char *body, *answer;
  };
  const Case cases[] = {
      {"", R"(400 {"error":"body: want a JSON object"})"},
      {"[]", R"(400 {"error":"body: want a JSON object"})"},
      {R"({"a":[[[[[[[]]]]]]]})", R"(400 {"error":"body: want a JSON object"})"},
      {R"({"adress":"198.51.100.7"})", R"j(400 {"error":"body: found the unknown field `adress` (did you mean `address`?)"})j"},
      {R"({"address":7})", R"(400 {"error":"body: want a text for `address`"})"},
      {R"({"duration":"1h","reason":"x"})", R"(400 {"error":"body: want either `address` or `cidr`"})"},
      {R"({"address":"198.51.100.7","cidr":"198.51.100.0/24"})", R"(400 {"error":"body: want either `address` or `cidr`"})"},
      {R"({"address":"198.51.100.300","duration":"1h","reason":"x"})",
       R"(400 {"error":"address: found `198.51.100.300`, want a network such as 10.42.0.0/16 or 2001:db8::/32"})"},
      {R"({"cidr":"198.51.100.7/24","duration":"1h","reason":"x"})",
       R"(400 {"error":"address: found `198.51.100.7/24` with address bits beyond its length, want 198.51.100.0/24"})"},
      {R"({"address":"198.51.100.7","duration":"soon","reason":"x"})",
       R"(400 {"error":"duration: found `soon`, want a duration such as PT1H, 30m or 7d"})"},
      {R"({"address":"198.51.100.7","duration":"1h"})", R"(400 {"error":"reason: is missing"})"},
      {R"({"address":"198.51.100.7","duration":"1h","reason":"x","tenant":"nobody"})", R"(400 {"error":"tenant: there is no `nobody`"})"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.body);
    CHECK(door.make(c.body) == c.answer);
  }
  CHECK(door.make(std::string(60'000, '[')) == R"(400 {"error":"body: want a JSON object"})");
  CHECK(door.ask("DELETE", "/v1/bans/1") == R"(400 {"error":"reason: want one, of at most 256 bytes"})");
  CHECK(door.ask("DELETE", "/v1/bans/one?reason=x") == R"(400 {"error":"found `one`, want the number of a ban"})");
  CHECK(door.ask("DELETE", "/v1/bans?reason=x") == R"(400 {"error":"address: want one, or a ban's number in the path"})");
  CHECK(door.ask("PUT", "/v1/bans").starts_with("405 "));
  CHECK(door.ask("GET", "/v1/bans/1").starts_with("405 "));
  CHECK(door.ask("GET", "/").starts_with("404 "));
  CHECK(door.list()["total"] == 0);
}

TEST_CASE("admin door: a browser is no operator", "[cli][admin]") {
  Door door;
  const auto status = [&](std::vector<net::Field> fields) { return door.ask("GET", "/v1/bans", "", std::move(fields)).substr(0, 3); };
  for (const char* host : {"127.0.0.1:9901", "127.0.0.1", "localhost", "localhost:9901", "[::1]:9901", "[::1]"}) {
    CAPTURE(host);
    CHECK(status({{"host", host}}) == "200");
  }
  for (const char* host : {"rebound.example", "rebound.example:9901", "10.0.0.7:9901", "localhost.evil.example", "/tmp/x", ""}) {
    CAPTURE(host);
    CHECK(status({{"host", host}}) == "403");
  }
  CHECK(status({}) == "403");
  CHECK(status({{"host", "localhost"}, {"Host", "localhost"}}) == "403");
  CHECK(status({{"host", "localhost"}, {"Origin", "http://localhost"}}) == "403");
  CHECK(status({{"host", "localhost"}, {"sec-fetch-site", "none"}}) == "403");
  CHECK(door.response.body == "{\"error\":\"browsers are not served here\"}\n");
}

TEST_CASE("admin door: other calls", "[cli][admin]") {
  Door door;
  door.handler.add("/v1/explain", [](std::string_view body) { return AdminAnswer{200, "[" + std::string(body) + "]"}; });
  CHECK(door.ask("POST", "/v1/explain", "1") == "200 [1]");
  CHECK(door.ask("POST", "/v1/explain", "\xff").starts_with("400 "));
  CHECK(door.ask("GET", "/v1/explain").starts_with("405 "));
  CHECK(door.ask("POST", "/v1/explain", "1", {{"host", "evil.example"}}).starts_with("403 "));
}

TEST_CASE("bans: the commands, at a socket and at an address", "[cli][admin]") {
  const Logged logged;
  const TempDir dir;
  auto guard = std::make_shared<guard::Guard>();
  guard->swap_in(documents_of_acme());
  const bool at_socket = GENERATE(true, false);
  const auto side = AdminSide::start(guard, *net::parse_local_address(at_socket ? dir.path().string() + "/admin.sock" : "127.0.0.1:0"));
  REQUIRE(side);
  const std::string ready = (*side)->ready_line();
  const std::string admin = at_socket ? dir.path().string() + "/admin.sock" : ready.substr(std::string("admin http://").size());
  CHECK(ready == (at_socket ? "admin unix:" + admin : "admin http://" + admin));

  const auto bans = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "bans");
    words.insert(words.end(), {"--admin", admin});
    return run_program(words);
  };
  CHECK(bans({"list"}).out == "no bans\n");
  Answer answer = bans({"add", "--address", "198.51.100.7", "--for", "1h", "--reason", "guessing"});
  CHECK(answer.code == 0);
  CHECK(answer.out.find("ID  TENANT  NETWORK") == 0);
  CHECK(answer.out.find("1   *       198.51.100.7/32  address  operator  PT") != std::string::npos);
  CHECK(bans({"add", "--address", "203.0.113.0/24", "--for", "P1D", "--reason", "a & b=c", "--tenant", "acme"}).code == 0);
  answer = bans({"list", "-o", "json"});
  CHECK(answer.code == 0);
  const Json json = Json::parse(answer.out);
  REQUIRE(json["total"] == 2);
  CHECK(json["bans"][1]["reason"] == "a & b=c");
  if (at_socket) CHECK(json["bans"][1]["by"] == "uid " + std::to_string(getuid()));
  CHECK(bans({"list", "--address", "203.0.113.7"}).out.find("198.51.100.7") == std::string::npos);

  answer = bans({"add", "--address", "0.0.0.0/0", "--for", "1h", "--reason", "x"});
  CHECK(answer.code == 2);
  CHECK(answer.err == "error: cidr: found 0.0.0.0/0, want /8 or longer; access lists keep out what is wider\n");
  CHECK(bans({"add", "--address", "198.51.100.7", "--for", "1h"}).code == 2);
  CHECK(bans({"delete", "1"}).code == 2);  // without a reason
  CHECK(bans({"delete", "--reason", "x"}).err == "error: want either the number of a ban or --address\n");
  answer = bans({"delete", "7", "2", "--reason", "x"});
  CHECK(answer.code == 1);
  CHECK(answer.err == "error: 7: there is no such ban\n");
  CHECK(answer.out.find("203.0.113.0/24") != std::string::npos);
  CHECK(bans({"delete", "--address", "198.51.100.7", "--reason", "it was us"}).code == 0);
  CHECK(bans({"delete", "--address", "198.51.100.7", "--reason", "it was us"}).code == 1);
  CHECK(bans({"list"}).out == "no bans\n");
}

TEST_CASE("bans: nobody there, or nobody who may be asked", "[cli][admin]") {
  const TempDir dir;
  Answer answer = run_program({"bans", "list", "--admin", dir.path().string() + "/none.sock"});
  CHECK(answer.code == 2);
  CHECK(answer.err == "error: " + dir.path().string() + "/none.sock: not connected: No such file or directory\n");
  answer = run_program({"bans", "list", "--admin", "10.0.0.7:9901"});
  CHECK(answer.code == 2);
  CHECK(answer.err.find("want a loopback address") != std::string::npos);
  CHECK(run_program({"bans", "list"}).code == 2);
}

TEST_CASE("guard --admin-listen: beside the door, and gone with it", "[cli][admin][process]") {
  const TempDir dir;
  (void)dir.write("documents/all.yaml", std::string(documents) +
                                            "---\napiVersion: portcullis.dev/v1\nkind: GuardPolicy\nmetadata: {name: default}\n"
                                            "spec:\n  trustedProxies: {cidrs: [127.0.0.0/8], hops: 1}\n");
  const std::string config = dir.path().string() + "/documents", path = dir.path().string() + "/admin.sock";
  const auto guard = [&](const std::string& admin) {
    return std::vector<std::string>{"guard",       "--config",  config, "--listen",      "127.0.0.1:0", "--metrics-listen",
                                    "127.0.0.1:0", "--threads", "1",    "--drain-delay", "0",           "--admin-listen",
                                    admin};
  };
  SECTION("a socket") {
    Process process(guard(path));
    CHECK(process.wait_for_line("ready admin ") == "unix:" + path);
    CHECK(run_program({"bans", "add", "--admin", path, "--address", "198.51.100.7", "--for", "1h", "--reason", "x"}).code == 0);
    CHECK(run_program({"bans", "list", "--admin", path}).out.find("198.51.100.7/32") != std::string::npos);
    process.signal(SIGTERM);
    CHECK(process.wait_for_end() == 0);
    struct stat facts {};
    CHECK(lstat(path.c_str(), &facts) != 0);
  }
  SECTION("an address that others reach") {
    Process process(guard("0.0.0.0:0"));
    CHECK(process.wait_for_end() == 2);
    CHECK(process.err() ==
          "error: --admin-listen local address: found `0.0.0.0:0`, want a loopback address, such as 127.0.0.1:9901, or the path of a "
          "socket\n");
  }
  SECTION("a name that is taken") {
    (void)dir.write("admin.sock", "precious");
    Process process(guard(path));
    CHECK(process.wait_for_end() == 2);
    CHECK(process.err().find("there is a file of this name that is no socket") != std::string::npos);
  }
}
