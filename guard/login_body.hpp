// The credentials that a request tries, read from its body: whose, how many, never the password.
//
//   POST /web/login                    a form's `login` and `db`, or the query's, as Odoo merges them (the form's count)
//   /web/session/authenticate          JSON-RPC params `db` and `login`
//   /jsonrpc                           common: login, authenticate(db, login, ...); object: each call (db, uid, ...); db: all
//                                      that want the master password
//   /xmlrpc/<service>, /xmlrpc/2/...   the same in XML-RPC
// Anything else tries none. Each call of a batch or a system.multicall is an attempt of its own.
//
// A body that cannot be read for certain is `unreadable`, and who counts must take it for an attempt at a login that nobody
// knows: Odoo's readers are laxer than ours in places.
//
// Logins are normalised more coarsely than Odoo compares them. Its core looks for exactly the given text (res_users.py
// _get_login_domain: `=`); add-ons in wide use trim it, fold its case or compare by `=ilike`. Counting `Ada`, `ada` and ` ada `
// as one is right for those and does no harm to the others: who guesses gets no try more by spelling it otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::guard {

inline constexpr std::size_t login_body_bytes_max = 64 * 1024;  // a larger one is unreadable
inline constexpr std::size_t login_attempts_max = 16;           // that are told; all are counted
inline constexpr std::size_t login_bytes_max = 256;             // of a login or database; what is longer is cut

enum class LoginKind : std::uint8_t {
  name,    // a login name
  uid,     // the number of a user, as object calls have it
  master,  // the master password of the database manager; `login` is empty
};

struct LoginAttempt {
  LoginKind kind = LoginKind::name;
  std::string login;     // normalised; "" where it is no text
  std::string database;  // as sent; "" where Odoo chooses it by host
  bool operator==(const LoginAttempt&) const = default;
};

struct LoginBody {
  enum class Kind : std::uint8_t { none, attempts, unreadable };
  Kind kind = Kind::none;
  std::vector<LoginAttempt> attempts;  // the first login_attempts_max of them
  std::size_t count = 0;               // of all that were found; of an unreadable body those before it became so
};

struct LoginRequest {
  std::string_view path;  // percent-decoded once (PathForms::decoded); a language in front and a last slash are ignored
  std::string_view query;
  std::string_view content_type;
  std::string_view body;
};

// Of a request that is not GET or HEAD.
LoginBody read_login_body(const LoginRequest& request);

std::string normalised_login(std::string_view login);

}  // namespace portcullis::guard
