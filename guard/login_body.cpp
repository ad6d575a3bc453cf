#include "guard/login_body.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "guard/form_fields.hpp"
#include "guard/route_class.hpp"
#include "guard/rpc_calls.hpp"

namespace portcullis::guard {
namespace {

constexpr std::string_view spaces = " \t\r\n\v\f";
// What Odoo's service `db` answers without the master password (odoo/service/db.py).
constexpr std::array<std::string_view, 4> open_db_methods{"db_exist", "list", "list_lang", "server_version"};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(spaces);
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(spaces) + 1 - begin);
}

// As Python's int() takes it: spaces around it, a sign, zeros in front, underscores between digits. What is no number stays text.
std::string normalised_uid(std::string_view text) {
  text = trimmed(text).substr(0, login_bytes_max);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string digits;
  for (const char c : text) {
    if (c == '_') continue;
    if (c < '0' || c > '9') return normalised_login(text);
    if (c != '0' || !digits.empty()) digits += c;
  }
  return digits.empty() ? "0" : (negative ? "-" : "") + digits;
}

std::string_view route_of(std::string_view path) {
  if (has_language(path)) {
    const std::size_t next = path.find('/', 1);
    path = next == std::string_view::npos ? std::string_view("/") : path.substr(next);
  }
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

class Attempts {
 public:
  void add(LoginKind kind, std::string login, const std::string& database) {
    ++body_.count;
    if (body_.attempts.size() == login_attempts_max) return;
    body_.attempts.push_back({kind, std::move(login), database.substr(0, login_bytes_max)});
  }

  // One call of an RPC service.
  void add(std::string_view service, const RpcCall& call) {
    if (call.odd) return spoil();
    const std::string& method = call.method.text;
    if (service == "db") {
      if (std::find(open_db_methods.begin(), open_db_methods.end(), method) == open_db_methods.end()) add(LoginKind::master, {}, {});
      return;
    }
    const bool by_name = service == "common" && (method == "login" || method == "authenticate");
    if (!by_name && service != "object") return;
    if (call.args[0].kind == RpcValue::Kind::absent || call.args[1].kind == RpcValue::Kind::absent) return;  // an error to Odoo
    if (by_name) {
      add(LoginKind::name, call.args[1].kind == RpcValue::Kind::text ? normalised_login(call.args[1].text) : std::string(),
          call.args[0].text);
    } else {
      add(LoginKind::uid, normalised_uid(call.args[1].text), call.args[0].text);
    }
  }

  void spoil() { unreadable_ = true; }

  LoginBody take() {
    body_.kind = unreadable_ ? LoginBody::Kind::unreadable : body_.count > 0 ? LoginBody::Kind::attempts : LoginBody::Kind::none;
    return std::move(body_);
  }

 private:
  LoginBody body_;
  bool unreadable_ = false;
};

void read_login_form(const LoginRequest& request, Attempts& attempts) {
  std::array<FormField, 2> form{{{"login", {}}, {"db", {}}}};
  // Odoo puts the form over the query: what the form has is there first.
  if (read_form(request.content_type, request.body, form) == FormKind::unreadable || !read_urlencoded(request.query, form))
    return attempts.spoil();
  if (form[0].value) attempts.add(LoginKind::name, normalised_login(*form[0].value), form[1].value.value_or(std::string()));
}

void read_authenticate(const RpcCall& call, Attempts& attempts) {
  if (call.odd) return attempts.spoil();
  if (call.login.kind == RpcValue::Kind::absent) return;  // an error to Odoo
  attempts.add(LoginKind::name, call.login.kind == RpcValue::Kind::text ? normalised_login(call.login.text) : std::string(),
               call.database.text);
}

}  // namespace

std::string normalised_login(std::string_view login) {
  std::string normalised(trimmed(login).substr(0, login_bytes_max));
  std::transform(normalised.begin(), normalised.end(), normalised.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return normalised;
}

LoginBody read_login_body(const LoginRequest& request) {
  const std::string_view path = route_of(request.path);
  constexpr std::string_view xml_path = "/xmlrpc/", xml_path_2 = "/xmlrpc/2/";
  const bool is_form = path == "/web/login", is_authenticate = path == "/web/session/authenticate", is_json = path == "/jsonrpc";
  const bool is_xml = path.starts_with(xml_path);
  if (!is_form && !is_authenticate && !is_json && !is_xml) return {};
  Attempts attempts;
  if (request.body.size() > login_body_bytes_max) {
    attempts.spoil();
  } else if (is_form) {
    read_login_form(request, attempts);
  } else if (is_authenticate) {
    if (!read_json_calls(request.body, [&](const RpcCall& call) { read_authenticate(call, attempts); })) attempts.spoil();
  } else if (is_json) {
    if (!read_json_calls(request.body, [&](const RpcCall& call) { attempts.add(call.service.text, call); })) attempts.spoil();
  } else {
    const std::string_view service = path.substr(path.starts_with(xml_path_2) ? xml_path_2.size() : xml_path.size());
    if (!read_xml_calls(request.body, [&](const RpcCall& call) { attempts.add(service, call); })) attempts.spoil();
  }
  return attempts.take();
}

}  // namespace portcullis::guard
