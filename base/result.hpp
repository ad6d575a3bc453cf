// What can go wrong with input and the outside world, as a value that knows its place.
//
// Result<T> is tl::expected<T, Error> in a [[nodiscard]] shell with the shape of std::expected (C++23), so that a
// later compiler takes it over in this one file. Exceptions are for our own bugs and for no memory left.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace portcullis {

// The only part of an Error that code may branch on.
enum class ErrorKind {
  invalid,          // input of any kind that is not as it must be
  not_found,        // a file, a name, a command that is not there
  limit_exceeded,   // a named bound on bytes, depth, entries or time was passed
  deadline_passed,  // no answer in time
  unavailable,      // a peer or a file that cannot be read or reached now
};

struct Error {
  ErrorKind kind = ErrorKind::invalid;
  std::string where;  // "policies/limits.yaml:14:9 spec.quota.cpu", "127.0.0.1:8443"
  std::string what;   // "found `two`, want a quantity such as 500m or 2"

  [[nodiscard]] std::string message() const { return where.empty() ? what : where + ": " + what; }
  // Puts an outer place before the inner one.
  [[nodiscard]] Error within(std::string_view outer) && {
    where = where.empty() ? std::string(outer) : std::string(outer) + " " + where;
    return std::move(*this);
  }
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(ErrorKind kind, std::string_view where, std::string what) {
  return tl::unexpected<Error>(Error{kind, std::string(where), std::move(what)});
}

}  // namespace portcullis
