// Bodies of logins: whatever comes, what is told of it has its bounds; and a login that is written into a form, a JSON-RPC or an
// XML-RPC call is read out again, its password never.
#include "guard/login_body.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;
using guard::LoginBody;

namespace {

void look_at(const LoginBody& body) {
  must(body.count >= body.attempts.size(), "all are counted");
  must(body.attempts.size() <= guard::login_attempts_max, "so many are told");
  must((body.kind == LoginBody::Kind::attempts) == (body.count > 0) || body.kind == LoginBody::Kind::unreadable, "attempts are some");
  for (const guard::LoginAttempt& attempt : body.attempts) {
    must(attempt.login.size() <= guard::login_bytes_max && attempt.database.size() <= guard::login_bytes_max, "texts have their bounds");
    must(attempt.kind == guard::LoginKind::uid || guard::normalised_login(attempt.login) == attempt.login, "a normal login stays as it is");
  }
}

std::string urlencoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    std::array<char, 4> escape{};
    std::snprintf(escape.data(), escape.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += escape.data();
  }
  return out;
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

void reads_back(const LoginBody& body, const std::string& login, std::string_view shown) {
  must(body.kind == LoginBody::Kind::attempts && body.count == 1, "a login is one attempt", shown);
  must(body.attempts[0].login == login && body.attempts[0].database == "acme", "the login comes back", shown);
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  constexpr std::array<std::string_view, 6> paths{
      "/web/login", "/web/session/authenticate", "/jsonrpc", "/xmlrpc/2/common", "/xmlrpc/object", "/xmlrpc/db"};
  const std::string_view path = paths[fuzz::take(input) % paths.size()];
  // The first line is the content type, of forms.
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view type = input.substr(0, end), body = input.substr(std::min(end + 1, input.size()));
  look_at(guard::read_login_body({path, "", type, body}));

  const std::string login(body.substr(0, 300)), normal = guard::normalised_login(login);
  reads_back(
      guard::read_login_body({"/web/login", "", "application/x-www-form-urlencoded", "password=pw&db=acme&login=" + urlencoded(login)}),
      normal, login);
  if (!is_utf8(login)) return;
  const nlohmann::json json{{"params", {{"service", "common"}, {"method", "login"}, {"args", {"acme", login, "pw"}}}}};
  reads_back(guard::read_login_body({"/jsonrpc", "", "", json.dump()}), normal, login);
  if (login.find('\0') != std::string::npos || login.find('\r') != std::string::npos) return;  // no XML, or folded by it
  reads_back(guard::read_login_body({"/xmlrpc/common", "", "",
                                     "<methodCall><methodName>login</methodName><params><param><value>acme</value></param><param><value>" +
                                         xml_escaped(login) + "</value></param><param><value>pw</value></param></params></methodCall>"}),
             normal, login);
}
