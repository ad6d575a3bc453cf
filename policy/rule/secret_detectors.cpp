#include "policy/rule/secret_detectors.hpp"

#include <algorithm>

#include "policy/rule/secret_shapes.hpp"
#include "policy/rule/secret_triggers.hpp"
#include "policy/rule/secret_words.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr std::size_t text_bytes_min = 6;        // "pwd=ab": shorter text can hold no credential but by its own name
constexpr std::size_t gap_bytes_max = 64;        // blanks between a name and its value
constexpr std::size_t userinfo_bytes_max = 256;  // of a URL, its user, password and what looks like them
constexpr std::size_t literal_bytes_max = 128;   // of a value in longer text; its end matters only for its length
constexpr std::size_t context_bytes_max = 48;    // before a hexadecimal run, where "commit" or "checksum" would stand

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }
bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_space(char c) { return is_blank(c) || c == '\n' || c == '\r'; }
bool is_name_byte(char c) { return is_alpha(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c | 0x20) : c; }

bool folded_at(std::string_view text, std::size_t at, std::string_view word) {
  if (text.size() - at < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i)
    if (lower(text[at + i]) != word[i]) return false;
  return true;
}

bool has_folded(std::string_view text, std::string_view word) {
  for (std::size_t at = 0; at + word.size() <= text.size(); ++at)
    if (folded_at(text, at, word)) return true;
  return false;
}

constexpr std::string_view digest_words[] = {
    "hash",     "checksum", "digest",      "sha1",       "sha256",    "sha512", "md5",         "commit",
    "revision", "etag",     "fingerprint", "thumbprint", "integrity", "uid",    "traceparent",
};
Sighting whole(Detector detector, std::string_view shape, std::string_view name, std::size_t bytes) {
  Sighting sighting;
  sighting.detector = detector;
  sighting.shape = shape;
  sighting.name = name;
  sighting.end = bytes;
  return sighting;
}

// What was found in decoded text, told of the text that it was decoded from: the name would be a view into a buffer.
Sighting inside_base64(Sighting found, std::size_t begin, std::size_t end) {
  if (found.shape.empty()) found.shape = "a credential";
  found.name = {};
  found.begin = begin;
  found.end = end;
  found.line = 0;
  found.encoded = true;
  return found;
}

bool speaks_of_digest(std::string_view text) {
  return std::any_of(std::begin(digest_words), std::end(digest_words), [text](std::string_view word) { return has_folded(text, word); });
}

}  // namespace

void Sightings::add(const Sighting& sighting) {
  if (count_ < sightings_max && !covers(sighting.begin, sighting.end)) sightings_[count_++] = sighting;
}

bool Sightings::covers(std::size_t begin, std::size_t end) const {
  return std::any_of(sightings_.begin(), sightings_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [&](const Sighting& s) { return begin < s.end && s.begin < end; });
}

// One text under all detectors that were asked for. The sharper ones go first: what they cover the duller ones leave alone.
class Reading {
 public:
  Reading(const SecretDetectors& detectors, std::string_view name, std::string_view text, Sightings& out)
      : detectors_(detectors), name_(name), text_(text), out_(out) {}

  void read(Triggers triggers, bool run, TextKind kind, bool opens_base64) {
    const bool marks = (triggers & mark_triggers) != 0;
    const bool words = (triggers & word_triggers) != 0;
    if (detectors_.has(Detector::pem) && (marks || words)) find_keys();
    if (detectors_.has(Detector::url) && marks) find_urls();
    if (run) find_runs(Detector::token, opens_base64);
    if (detectors_.has(Detector::authorization) && (marks || words) && kind == TextKind::value) find_authorization();
    if (detectors_.has(Detector::name) && words && kind == TextKind::value) find_assignments();
    if (run && kind == TextKind::value) find_runs(Detector::entropy, opens_base64);
  }

 private:
  void add(Detector detector, std::string_view shape, std::size_t begin, std::size_t end, std::string_view name = {}) {
    if (!detectors_.has(detector) || out_.full() || out_.covers(begin, end)) return;
    Sighting sighting = whole(detector, shape, name, end);
    sighting.begin = begin;
    if (text_.find('\n') != text_.npos)
      sighting.line = 1 + static_cast<std::size_t>(std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
    out_.add(sighting);
  }

  // RFC 7468: -----BEGIN <label>-----
  void find_keys() {
    constexpr std::string_view begin_mark = "-----BEGIN ";
    constexpr std::size_t label_bytes_max = 64;
    for (std::size_t at = text_.find(begin_mark); at != text_.npos; at = text_.find(begin_mark, at + 1)) {
      const std::string_view label = text_.substr(at + begin_mark.size(), label_bytes_max);
      const std::size_t label_end = label.find("-----");
      if (label.substr(0, label_end).find("PRIVATE KEY") == label.npos) continue;
      const std::size_t end = std::min(text_.find("-----END", at), text_.size());
      add(Detector::pem, "a private key", at, end);
      if (end == text_.size()) break;
      at = end;
    }
    const std::size_t putty = text_.find("PuTTY-User-Key-File-");
    if (putty != text_.npos) add(Detector::pem, "a private key", putty, text_.size());
  }

  // RFC 3986 3.2.1: scheme://user:password@host
  void find_urls() {
    std::size_t next_sign = 0;  // no user information without @: long texts without one are passed over
    for (std::size_t mark = text_.find("://"); mark != text_.npos && !out_.full(); mark = text_.find("://", mark + 3)) {
      const std::size_t begin = mark + 3;
      if (next_sign < begin) next_sign = text_.find('@', begin);
      if (next_sign == text_.npos) return;
      if (next_sign - begin > userinfo_bytes_max) continue;
      std::size_t at = begin, colon = text_.npos, sign = text_.npos;
      bool in_path = false;
      const std::size_t stop = std::min(text_.size(), begin + userinfo_bytes_max);
      for (; at < stop && !is_space(text_[at]) && text_[at] != '"' && text_[at] != '\'' && text_[at] != '`' && text_[at] != '<'; ++at) {
        const char c = text_[at];
        if (c == '@') {
          sign = at;
          if (in_path) break;
        }
        if (c == ':' && colon == text_.npos && sign == text_.npos) {
          if (text_.substr(at, 3) == "://") break;
          colon = at;
        }
        if (c == '$' && at + 1 < text_.size() && (text_[at + 1] == '{' || text_[at + 1] == '(')) {  // a placeholder may hold anything
          const std::size_t close = text_.substr(at, name_bytes_max).find(text_[at + 1] == '{' ? '}' : ')');
          if (close != text_.npos) at += close;
          continue;
        }
        if (!in_path && (c == '/' || c == '?' || c == '#')) {
          // An unescaped slash in the password; a port and its path look alike but for the digits.
          const bool port = colon != text_.npos && std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(colon) + 1,
                                                               text_.begin() + static_cast<std::ptrdiff_t>(at), is_digit);
          if (colon == text_.npos || port || sign != text_.npos) break;
          in_path = true;
        }
      }
      if (colon == text_.npos || sign == text_.npos || sign <= colon + 1) continue;
      const std::string_view password = text_.substr(colon + 1, sign - colon - 1);
      const bool format = password.front() == '{' && password.back() == '}';  // {password} of a format string
      const bool mask = password.find_first_not_of('*') == password.npos;
      if (is_placeholder(password) || format || mask) continue;
      add(Detector::url, "a password in a URL", colon + 1, sign);
    }
  }

  // Blocks that are public and look random: certificates, public keys. Moves on with the runs.
  bool in_public_block(std::size_t at) {
    while (at >= public_end_ && public_begin_ != text_.npos) {
      public_begin_ = text_.find("-----BEGIN ", public_end_);
      if (public_begin_ == text_.npos) break;  // no further block
      const std::string_view label = text_.substr(public_begin_ + 11, 32);
      const std::size_t end = text_.find("-----END ", public_begin_);
      if (end == text_.npos) {
        public_begin_ = text_.npos;
        break;
      }
      const bool is_public = label.starts_with("CERTIFICATE") || label.starts_with("PUBLIC KEY") || label.starts_with("RSA PUBLIC KEY") ||
                             label.starts_with("X509 CRL") || label.starts_with("DH PARAMETERS") || label.starts_with("NEW CERTIFICATE") ||
                             label.starts_with("TRUSTED CERTIFICATE") || label.starts_with("PGP PUBLIC KEY");
      public_end_ = is_public ? end : public_begin_ + 11;
      public_block_ = is_public;
    }
    return public_block_ && public_begin_ != text_.npos && at >= public_begin_ && at < public_end_;
  }

  // Known tokens in the first pass, random runs and base64 in the last.
  void find_runs(Detector pass, bool opens_base64) {
    public_begin_ = public_end_ = 0;
    public_block_ = false;
    for (std::size_t begin = 0; begin < text_.size() && !out_.full();) {
      if (!is_run_byte(text_[begin])) {
        ++begin;
        continue;
      }
      std::size_t end = begin;
      while (end < text_.size() && is_run_byte(text_[end])) ++end;
      if (end - begin >= run_bytes_min) {
        if (pass == Detector::token) {
          const std::string_view shape = token_in(text_, begin, end);
          if (!shape.empty()) add(Detector::token, shape, begin, end);
        } else if (!out_.covers(begin, end) && !in_public_block(begin)) {
          judge_run(begin, end, opens_base64);
        }
      }
      begin = end + 1;
    }
  }

  void judge_run(std::size_t begin, std::size_t end, bool opens_base64) {
    const std::string_view run = text_.substr(begin, end - begin);
    constexpr std::string_view public_prefixes[] = {"AAAAB3NzaC1", "AAAAC3NzaC1", "AAAAE2VjZHNh", "sha256-", "sha384-", "sha512-"};
    for (const std::string_view prefix : public_prefixes)  // OpenSSH public keys, subresource integrity
      if (run.starts_with(prefix)) return;
    // Base64 of text has upper case in every other byte or so; paths and names have none.
    const bool upper = std::any_of(run.begin(), run.end(), is_upper);
    if (opens_base64 && upper && open_base64(begin, end)) return;
    const std::size_t context = begin > context_bytes_max ? begin - context_bytes_max : 0;
    std::string_view before = text_.substr(context, begin - context);
    if (const std::size_t line = before.rfind('\n'); line != before.npos) before.remove_prefix(line + 1);
    if (before.ends_with("sha256:") || before.ends_with("sha512:") || before.ends_with("sha1:") || before.ends_with("md5:")) return;
    if (is_random(run) || (is_random_hex(run) && !speaks_of_digest(name_) && !speaks_of_digest(before)))
      add(Detector::entropy, "a random-looking value", begin, end);
  }

  // True when the run is base64 of something that needs no further judging as a run.
  bool open_base64(std::size_t begin, std::size_t end) {
    std::array<char, decoded_bytes_max> buffer;
    const std::string_view run = text_.substr(begin, end - begin);
    std::size_t bytes = decode_base64(run.substr(0, 64), buffer);
    const std::string_view head(buffer.data(), bytes);
    if (bytes == 0) return false;
    if (run.starts_with("MI") && run.size() > 64) {  // DER
      if (is_private_key_der(head)) add(Detector::pem, "a private key", begin, end);
      return true;
    }
    constexpr std::string_view known_formats[] = {"\x89PNG", "GIF8", "\xff\xd8\xff", "wOFF", "wOF2", "%PDF", "\x1f\x8b"};
    for (const std::string_view format : known_formats)
      if (head.starts_with(format)) return true;
    if (!is_plain_text(head)) return false;
    const std::size_t seen = out_.all().size();
    open_pieces(run, begin, end, buffer);
    return out_.all().size() > seen || is_plain_text(head);
  }

  // Pieces overlap, so that a credential on a seam is seen whole in one of them.
  void open_pieces(std::string_view run, std::size_t begin, std::size_t end, std::span<char> buffer) {
    constexpr std::size_t piece = decoded_bytes_max / 3 * 4, overlap = 1024;  // multiples of four: base64 quanta
    for (std::size_t at = 0; at < run.size(); at += piece - overlap) {
      const std::size_t bytes = decode_base64(run.substr(at, piece), buffer);
      Sightings inner;
      const std::string_view decoded(buffer.data(), bytes);
      const Triggers triggers = triggers_in(decoded);
      const bool has_runs = has_run(decoded);
      if (triggers != 0 || has_runs) Reading(detectors_, {}, decoded, inner).read(triggers, has_runs, TextKind::value, false);
      if (!inner.empty()) {
        out_.add(inside_base64(inner.all().front(), begin, end));
        return;
      }
      if (at + piece >= run.size()) return;
    }
  }

  // RFC 7617 and RFC 6750 values, and the hashes of htpasswd files.
  void find_authorization() {
    for (std::size_t at = 0; at < text_.size(); ++at) {
      const char c = lower(text_[at]);
      if (c == 'b' && (at == 0 || !is_name_byte(text_[at - 1]))) {
        if (folded_at(text_, at, "basic ")) judge_basic(at + 6);
        if (folded_at(text_, at, "bearer ")) judge_bearer(at + 7);
      } else if (c == '$' || c == '{') {
        judge_hash(at);
      }
    }
  }

  [[nodiscard]] std::size_t word_end(std::size_t at) const {
    while (at < text_.size() && (is_name_byte(text_[at]) || text_[at] == '+' || text_[at] == '/' || text_[at] == '=' || text_[at] == '~'))
      ++at;
    return at;
  }

  void judge_basic(std::size_t begin) {
    std::array<char, 512> buffer;  // user and password; longer ones are cut, their colon comes early
    const std::size_t end = word_end(begin);
    const std::string_view decoded(buffer.data(), decode_base64(text_.substr(begin, end - begin), buffer));
    const std::size_t colon = decoded.find(':');
    if (colon == decoded.npos || colon + 1 == decoded.size() || !is_plain_text(decoded) || is_placeholder(decoded.substr(colon + 1)))
      return;
    add(Detector::authorization, "Basic credentials", begin, end);
  }

  void judge_bearer(std::size_t begin) {
    constexpr std::size_t bearer_bytes_min = 8;
    const std::size_t end = word_end(begin);
    const std::string_view token = text_.substr(begin, end - begin);
    const bool in_header = has_folded(name_, "auth") && begin == 7;  // the whole value; elsewhere "bearer" may begin a sentence
    if (token.size() < bearer_bytes_min || is_placeholder(token)) return;
    if (in_header || std::any_of(token.begin(), token.end(), is_digit)) add(Detector::authorization, "a bearer token", begin, end);
  }

  void judge_hash(std::size_t at) {
    const std::string_view rest = text_.substr(at);
    const bool bcrypt = rest.size() > 50 && (rest.starts_with("$2a$") || rest.starts_with("$2b$") || rest.starts_with("$2y$"));
    const bool md5 = rest.size() > 20 && rest.starts_with("$apr1$");
    const bool sha = rest.size() > 30 && rest.starts_with("{SHA}");
    if (!bcrypt && !md5 && !sha) return;
    std::size_t end = at;
    while (end < text_.size() && !is_space(text_[end]) && text_[end] != ',' && text_[end] != '"') ++end;
    add(Detector::authorization, "a password hash", at, end);
  }

  // name = value, "name": "value", --name value, <name>value</name>, {name: NAME, value: VALUE}.
  void find_assignments() {
    for (std::size_t at = 0; at + 3 <= text_.size() && !out_.full();) {
      if (!word_begins(text_, at)) {
        ++at;
        continue;
      }
      std::size_t begin = at, end = at;
      while (begin > named_ && is_name_byte(text_[begin - 1])) --begin;
      while (end < text_.size() && is_name_byte(text_[end])) ++end;
      named_ = end;
      judge_assignment(begin, end);
      at = std::max(end, at + 1);
    }
  }

  [[nodiscard]] std::size_t skip(std::size_t at, bool (*what)(char)) const {
    const std::size_t stop = std::min(text_.size(), at + gap_bytes_max);
    while (at < stop && what(text_[at])) ++at;
    return at;
  }

  // One quote with the backslashes before it, as JSON within JSON has them.
  [[nodiscard]] std::size_t skip_quote(std::size_t at) const {
    const std::size_t mark = skip(at, [](char c) { return c == '\\'; });
    return mark < text_.size() && (text_[mark] == '"' || text_[mark] == '\'') ? mark + 1 : at;
  }

  // A colon means a value only after a quoted name or one that begins its line or its place in {...}: prose has colons too.
  [[nodiscard]] bool begins_entry(std::size_t begin) const {
    while (begin > 0 && is_blank(text_[begin - 1])) --begin;
    constexpr std::string_view openers = "\n\r{,-\"'#;[(|&";
    return begin == 0 || openers.find(text_[begin - 1]) != openers.npos;
  }

  void judge_assignment(std::size_t begin, std::size_t end) {
    bool flag = false;
    while (begin < end && (text_[begin] == '-' || text_[begin] == '.')) flag = text_[begin++] == '-' || flag;
    const std::string_view name = text_.substr(begin, end - begin);
    if (meaning_of(name) != NameMeaning::credential || detectors_.allowed(name)) return;
    std::size_t at = skip_quote(end);
    const bool quoted = at > end;
    if (at < text_.size() && text_[at] == ']') ++at;  // config["password"] = ...
    const std::size_t after_name = at;
    at = skip(at, is_blank);
    if (at >= text_.size()) return;
    const char sign = text_[at];
    const char next = at + 1 < text_.size() ? text_[at + 1] : '\0';
    if (sign == '=' && next != '=' && next != '~') return judge_literal(name, at + (next == '>' ? 2 : 1), '=');
    if (sign == ':' && next == '=') return judge_literal(name, at + 2, '=');
    if (sign == ':' && next != ':' && (quoted || begins_entry(begin))) return judge_literal(name, at + 1, ':');
    if (sign == '>' && begin > 0 && text_[begin - 1] == '<') return judge_literal(name, at + 1, '<');
    if (flag && !quoted && at > after_name) return judge_literal(name, at, ' ');
    if (flag && quoted && sign == ',') return judge_literal(name, skip(at + 1, is_space), ',');
    judge_pair(name, after_name);
  }

  // "name": "NAME", "value": "VALUE" and its YAML form.
  void judge_pair(std::string_view name, std::size_t at) {
    at = skip(at, [](char c) { return is_space(c) || c == ','; });
    at = skip_quote(at);
    if (!text_.substr(std::min(at, text_.size())).starts_with("value")) return;
    at = skip(skip_quote(at + 5), is_blank);
    if (at < text_.size() && text_[at] == ':') judge_literal(name, at + 1, ':');
  }

  void judge_literal(std::string_view name, std::size_t at, char sign) {
    at = skip(at, is_blank);
    if (sign == ':' && at < text_.size() && (text_[at] == '|' || text_[at] == '>')) {  // a YAML block: its first line
      const std::size_t line = text_.substr(at, 5).find('\n');                         // |, >-, |2+
      if (line == text_.npos) return;
      at = skip(at + line + 1, is_blank);
    }
    const std::size_t begin = skip_quote(at);
    const bool quoted = begin > at;
    const char closing = quoted ? text_[begin - 1] : '\0';
    std::size_t end = begin;
    const auto ends_value = [&](char c) {
      if (c == '\n' || c == '\r') return true;
      if (quoted) return c == closing || c == '\\';
      if (sign == '<') return c == '<';
      if (is_space(c) || c == '"' || c == '\'') return true;
      return end > begin && (c == ',' || c == '&' || c == ';' || (c == '}' && !open_brace(begin, end)));
    };
    const std::size_t stop = std::min(text_.size(), begin + literal_bytes_max);
    while (end < stop && !ends_value(text_[end])) {
      // A placeholder is read whole: {{ .Values.password }}, $(cat /run/secrets/db).
      const std::string_view rest = text_.substr(end, 2);
      if (!quoted && (rest == "{{" || rest == "$(")) {
        const std::size_t close = text_.substr(end, name_bytes_max).find(rest == "{{" ? "}}" : ")");
        if (close != text_.npos) {
          end += close + (rest == "{{" ? 2 : 1);
          continue;
        }
      }
      ++end;
    }
    const std::string_view value = text_.substr(begin, end - begin);
    if (value.empty() || !is_credential(name, value)) return;
    if (!quoted && is_code(name, value, end)) return;
    if (sign == ' ' || sign == ',') {
      if (value.front() == '-') return;  // the next flag
    }
    add(Detector::name, {}, begin, end, name);
  }

  [[nodiscard]] bool open_brace(std::size_t begin, std::size_t end) const {
    return text_.substr(begin, end - begin).find("${") != text_.npos;
  }

  // An expression that fetches the value, not the value: os.environ["X"], get_secret(), password=password.
  [[nodiscard]] bool is_code(std::string_view name, std::string_view value, std::size_t end) const {
    if (value.front() == '[' || value.front() == '{') return true;  // what is inside speaks for itself
    const std::size_t call = value.find_first_of("([");
    if (call != value.npos && call > 0 && std::all_of(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(call), is_name_byte) &&
        is_alpha(value.front()))
      return true;
    constexpr std::string_view owners[] = {"self.", "os.", "env.", "config.", "process.", "this.", "settings.", "var.", "local."};
    for (const std::string_view owner : owners)
      if (value.starts_with(owner)) return true;
    if (value.back() == ')') value.remove_suffix(1);
    const bool passed_on = end < text_.size() && text_[end] == ',';
    return value == name && (passed_on || text_[end - 1] == ')');
  }

  const SecretDetectors& detectors_;
  std::string_view name_, text_;
  Sightings& out_;
  std::size_t public_begin_ = 0, public_end_ = 0;
  bool public_block_ = false;
  std::size_t named_ = 0;  // names before it are judged
};

SecretDetectors::SecretDetectors(const std::vector<std::string>& ids, std::vector<std::string> allow_names)
    : allow_names_(std::move(allow_names)) {
  for (std::size_t i = 0; i < detector_names.size(); ++i)
    if (ids.empty() || std::find(ids.begin(), ids.end(), detector_names[i]) != ids.end())
      selected_ = static_cast<std::uint8_t>(selected_ | 1U << i);
}

bool SecretDetectors::allowed(std::string_view name) const {
  return std::any_of(allow_names_.begin(), allow_names_.end(), [name](std::string_view allowed) {
    if (!allowed.empty() && allowed.back() == '*') return name.starts_with(allowed.substr(0, allowed.size() - 1));
    return name == allowed;
  });
}

bool SecretDetectors::named_credential(std::string_view name, std::string_view value) const {
  return has(Detector::name) && (triggers_in(name) & word_triggers) != 0 && is_credential(name, value) && !allowed(name);
}

void SecretDetectors::look_closer(std::string_view name, std::string_view value, Sightings& out, TextKind kind) const {
  // A file (reset-password.html) is judged by what is in it.
  const auto is_file = [&] { return name.find('.') != name.npos && value.find('\n') < value.size() - 1; };
  if (kind == TextKind::value && named_credential(name, value) && !is_file()) {
    out.add(whole(Detector::name, {}, name, value.size()));
    return;
  }
  if (value.size() < text_bytes_min) return;
  const Triggers triggers = triggers_in(value);
  const bool run = value.size() >= run_bytes_min && has_run(value);
  if (triggers == 0 && !run) return;
  Reading(*this, name, value, out).read(triggers, run, kind, true);
}

void SecretDetectors::look_in_base64(std::string_view name, std::string_view base64, Sightings& out) const {
  out.clear();
  std::array<char, decoded_bytes_max> buffer;
  constexpr std::size_t piece = decoded_bytes_max / 3 * 4, overlap = 1024;
  for (std::size_t at = 0; at < base64.size(); at += piece - overlap) {
    const std::string_view decoded(buffer.data(), decode_base64(base64.substr(at, piece), buffer));
    Sightings inner;
    if (at == 0 && is_private_key_der(decoded) && has(Detector::pem))
      inner.add(whole(Detector::pem, "a private key", {}, base64.size()));
    else if (!decoded.empty())
      look_closer(at == 0 ? name : std::string_view{}, decoded, inner, TextKind::value);
    if (!inner.empty()) {
      out.add(inside_base64(inner.all().front(), 0, base64.size()));
      return;
    }
    if (at + piece >= base64.size()) return;
  }
}

}  // namespace portcullis::policy::rule
