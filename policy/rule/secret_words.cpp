#include "policy/rule/secret_words.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace portcullis::policy::rule {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_upper(c) || is_lower(c) || is_digit(c); }
char lower(char c) { return is_upper(c) ? static_cast<char>(c | 0x20) : c; }

// A name's words in lower case, joined in `joined` and one by one. Owns fixed memory only.
class Words {
 public:
  explicit Words(std::string_view name) {
    if (name.size() > name_bytes_max) name.remove_prefix(name.size() - name_bytes_max);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
      const char c = name[i];
      if (!is_alnum(c)) {
        close(begin);
        begin = bytes_;
        continue;
      }
      const bool after_lower = i > 0 && is_upper(c) && (is_lower(name[i - 1]) || is_digit(name[i - 1]));
      const bool ends_acronym = i > 0 && is_upper(c) && is_upper(name[i - 1]) && i + 1 < name.size() && is_lower(name[i + 1]);
      if (after_lower || ends_acronym) {
        close(begin);
        begin = bytes_;
      }
      text_[bytes_++] = lower(c);
    }
    close(begin);
  }
  [[nodiscard]] std::string_view joined() const { return {text_.data(), bytes_}; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::string_view operator[](std::size_t i) const { return {text_.data() + ends_[i].begin, ends_[i].bytes}; }
  [[nodiscard]] std::string_view from_end(std::size_t i) const { return i < count_ ? (*this)[count_ - 1 - i] : std::string_view{}; }

 private:
  struct Word {
    std::size_t begin, bytes;
  };
  void close(std::size_t begin) {
    if (bytes_ > begin) ends_[count_++] = {begin, bytes_ - begin};
  }
  std::array<char, name_bytes_max> text_;  // written up to bytes_
  std::array<Word, name_bytes_max> ends_;  // written up to count_
  std::size_t bytes_ = 0, count_ = 0;
};

using Texts = std::span<const std::string_view>;
bool one_of(std::string_view word, Texts list) { return std::find(list.begin(), list.end(), word) != list.end(); }

// Anywhere in the name, however it is written.
constexpr std::string_view compounds[] = {
    "password",   "passwd",    "passphrase", "passcode",      "passwort",  "apikey",  "accesskey",  "secretkey",  "privatekey",  "authkey",
    "signingkey", "sharedkey", "accountkey", "encryptionkey", "masterkey", "hmackey", "sessionkey", "masterauth", "requirepass",
};
// As a word of its own, or at the end of one ("dbpass", "clientsecret").
constexpr std::string_view endings[] = {"pass", "pwd", "secret", "secrets", "token", "tokens", "credential", "credentials", "creds"};
constexpr std::string_view false_endings[] = {"bypass",   "compass",   "encompass", "surpass", "trespass",
                                              "overpass", "underpass", "cwd",       "oldpwd"};

// Last words that make a name speak *about* a credential.
constexpr std::string_view about_words[] = {
    "file",       "files",     "path",        "paths",    "name",     "names",    "url",       "uri",       "urls",     "endpoint",
    "host",       "port",      "id",          "ids",      "ttl",      "length",   "minlength", "maxlength", "expiry",   "expires",
    "expiration", "seconds",   "minutes",     "hours",    "days",     "timeout",  "lifetime",  "age",       "rotation", "policy",
    "type",       "algorithm", "alg",         "enabled",  "disabled", "required", "dir",       "directory", "mount",    "mountpath",
    "ref",        "reference", "prefix",      "suffix",   "field",    "header",   "issuer",    "audience",  "scope",    "scopes",
    "store",      "version",   "min",         "max",      "count",    "limit",    "size",      "hint",      "realm",    "namespace",
    "provider",   "mode",      "strategy",    "backend",  "class",    "format",   "method",    "reset",     "link",     "reload",
    "interval",   "label",     "description", "encoding", "property", "index",    "env",       "var",       "variable",
};
// A word before "secret" with which a name asks for the name of a Secret.
constexpr std::string_view reference_words[] = {
    "existing", "tls",  "pull", "password",    "passwd", "token", "credential", "credentials",
    "key",      "auth", "cert", "certificate", "ca",     "image", "registry",   "external",
};
constexpr std::string_view switches[] = {
    "true", "false",   "yes",      "no",       "on",       "off",      "none",   "null",
    "nil",  "enabled", "disabled", "required", "optional", "redacted", "masked", "~",
};
// Where a value names a place in a vault instead of a secret.
constexpr std::string_view vault_prefixes[] = {
    "vault:", "ref+", "op://", "arn:aws:", "ssm:/", "secretref:", "projects/", "akvs:", "file:/", "!vault ", "!secret ", "!env ", "ENC[",
};

bool equal_folded(std::string_view a, std::string_view lower_b) {
  return a.size() == lower_b.size() && std::equal(a.begin(), a.end(), lower_b.begin(), [](char x, char y) { return lower(x) == y; });
}

// RFC 1123 names, also with a namespace before a slash or in a list with commas: what objects are called.
bool is_object_name(std::string_view value) {
  if (value.empty() || value.size() > 253) return false;
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '.' || c == '/' || c == ','; }) &&
         is_alnum(value.front()) && is_alnum(value.back());
}

bool is_number(std::string_view value) { return !value.empty() && value.size() < 10 && std::all_of(value.begin(), value.end(), is_digit); }

// "/run/secrets/db": at least two parts, so that a password may begin with a slash.
bool is_path(std::string_view value) {
  if (value.starts_with("./") || value.starts_with("~/")) value.remove_prefix(1);
  if (!value.starts_with('/') || std::count(value.begin(), value.end(), '/') < 2) return false;
  return std::all_of(value.begin(), value.end(), [](char c) { return is_alnum(c) || c == '/' || c == '.' || c == '_' || c == '-'; });
}

bool is_mask(std::string_view value) {
  const char c = value.front();
  return value.size() >= 3 && (c == '*' || c == 'x' || c == 'X' || c == '.' || c == '-' || c == '#') &&
         value.find_first_not_of(c) == value.npos;
}

bool says_credential(const Words& words) {
  const std::string_view joined = words.joined();
  for (const std::string_view compound : compounds)
    if (joined.find(compound) != joined.npos) return true;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    while (!word.empty() && is_digit(word.back())) word.remove_suffix(1);  // PASS2
    if (one_of(word, false_endings)) continue;
    for (const std::string_view ending : endings)
      if (word.ends_with(ending)) return true;
  }
  return false;
}

std::string_view local_part(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == name.npos || slash + 1 == name.size() ? name : name.substr(slash + 1);
}

NameMeaning meaning_of(const Words& words) {
  if (!says_credential(words)) return NameMeaning::innocent;
  return words.size() > 1 && one_of(words.from_end(0), about_words) ? NameMeaning::about : NameMeaning::credential;
}

// Does this name ask for the name of an object or of a key in it, and is the value such a name?
bool names_an_object(const Words& words, std::string_view value) {
  const std::string_view last = words.from_end(0);
  if (last == "secrets" || ((last == "secret" || last == "credentials") && words.size() > 1 && one_of(words.from_end(1), reference_words)))
    return is_object_name(value);
  // adminPasswordKey: postgres-password
  const bool key_of = last == "key" && words.size() > 1 && (words.from_end(1) == "password" || words.from_end(1) == "token");
  return key_of && is_object_name(value) && says_credential(Words(value));
}

// The bytes of one placeholder at the beginning of `text`, 0 for none. `literal` grows by what a default spells out.
std::size_t placeholder_bytes(std::string_view text, std::size_t& literal) {
  const auto upper_name = [](char c) { return is_upper(c) || is_digit(c) || c == '_'; };
  if (text.starts_with("$(")) {
    const std::size_t end = text.find(')');
    if (end == text.npos) return 0;
    const std::string_view inner = text.substr(2, end - 2);
    if (inner.starts_with("echo ") || inner.starts_with("printf ")) return 0;
    return end + 1;
  }
  if (text.starts_with("${")) {
    const std::size_t end = text.find('}');
    if (end == text.npos) return 0;
    const std::string_view inner = text.substr(2, end - 2);
    const std::size_t fallback = inner.find_first_of(":-=+");  // ${NAME:-default}
    if (fallback != inner.npos) {
      const std::size_t begin = inner.find_first_not_of(":-=+", fallback);
      if (begin != inner.npos && inner[begin] != '?') literal += inner.size() - begin;
    }
    return end + 1;
  }
  if (text.starts_with("{{")) {
    const std::size_t end = text.find("}}");
    return end == text.npos ? 0 : end + 2;
  }
  if (text.starts_with("ENC[")) return text.ends_with(']') ? text.size() : 0;
  if (text.starts_with("%(")) {
    const std::size_t end = text.find(")s");
    return end == text.npos ? 0 : end + 2;
  }
  if (text.starts_with("%s")) return 2;
  if (text.starts_with('$')) {  // $NAME, as shells take it
    std::size_t end = 1;
    while (end < text.size() && upper_name(text[end])) ++end;
    return end > 2 && !is_digit(text[1]) && (end == text.size() || !is_alnum(text[end])) ? end : (end == 2 && text.size() == 2 ? 2 : 0);
  }
  return 0;
}

constexpr std::size_t loose_bytes_max = 3;  // between placeholders: "$(USER):$(PASSWORD)"; a password is longer

}  // namespace

NameMeaning meaning_of(std::string_view name) { return meaning_of(Words(local_part(name))); }

bool is_placeholder(std::string_view value) {
  std::size_t literal = 0, held = 0;
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t bytes = placeholder_bytes(value.substr(at), literal);
    if (bytes == 0) {
      ++literal;
      ++at;
    } else {
      held += bytes;
      at += bytes;
    }
    if (literal > loose_bytes_max) return false;
  }
  return held > 0;
}

bool is_credential(std::string_view name, std::string_view value) {
  if (value.empty()) return false;
  if (name.starts_with("vault.hashicorp.com/")) return false;  // the agent's annotations name paths in Vault
  const Words words(local_part(name));
  if (meaning_of(words) != NameMeaning::credential) return false;
  const auto is_value = [value](std::string_view word) { return equal_folded(value, word); };
  if (std::any_of(std::begin(switches), std::end(switches), is_value)) return false;
  for (const std::string_view prefix : vault_prefixes)
    if (value.starts_with(prefix)) return false;
  if (is_placeholder(value) || is_path(value) || is_mask(value) || names_an_object(words, value)) return false;
  // maxTokens: 4096; "tests pass: 5"
  const std::string_view last = words.from_end(0);
  return !(is_number(value) && (last == "tokens" || (last == "pass" && words.size() == 1)));
}

}  // namespace portcullis::policy::rule
