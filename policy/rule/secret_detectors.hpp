// Is there a credential in the open in this text? Six detectors, each with an id, over one named value: an environment
// variable, a flag, a key with what stands under it, up to a whole configuration file or script.
//
//   name           a name that says password, token, api key, ... with a literal value; also line by line in longer text:
//                  ini, JSON, YAML, shell, XML, query strings
//   url            scheme://user:password@host
//   pem            a private key (PEM, PuTTY, or DER in base64)
//   token          a token in the shape of a known service
//   authorization  Basic and Bearer values, password hashes for basic authentication
//   entropy        a run that looks random: 20 bytes or more, at most random_bytes_max
//
// Base64 is opened once and its text asked again. What is reported is where and how long, never the value. Linear in the
// text; innocent text costs a few nanoseconds and no allocation (secret_triggers.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::policy::rule {

enum class Detector : std::uint8_t { name, url, pem, token, authorization, entropy };
inline constexpr std::array<std::string_view, 6> detector_names{"name", "url", "pem", "token", "authorization", "entropy"};

struct Sighting {
  Detector detector = Detector::name;
  std::string_view shape;          // static: "a GitHub token"; "" for `name`
  std::string_view name;           // which name says so; a view into what was asked; "" where no name matters
  std::size_t begin = 0, end = 0;  // of the value in the text
  std::size_t line = 0;            // in text of several lines, from 1; 0 else
  bool encoded = false;            // found inside base64
};

inline constexpr std::size_t sightings_max = 16;  // of one text; its author has enough to do

class Sightings {
 public:
  void clear() { count_ = 0; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] bool full() const { return count_ == sightings_max; }
  [[nodiscard]] std::span<const Sighting> all() const { return {sightings_.data(), count_}; }
  // Not where an earlier sighting lies already.
  void add(const Sighting& sighting);
  [[nodiscard]] bool covers(std::size_t begin, std::size_t end) const;

 private:
  std::array<Sighting, sightings_max> sightings_{};
  std::size_t count_ = 0;
};

enum class TextKind {
  value,  // as it stands
  prose,  // a description for people: only what no sentence holds by chance
};

class SecretDetectors {
 public:
  // No ids: all of them. Names in `allow_names` are left to the other detectors; a `*` at the end stands for any ending.
  SecretDetectors(const std::vector<std::string>& ids, std::vector<std::string> allow_names);

  // Everything found in `value`, which stands under `name`. `out` is cleared first.
  void look(std::string_view name, std::string_view value, Sightings& out, TextKind kind = TextKind::value) const {
    out.clear();
    if (!value.empty()) look_closer(name, value, out, kind);
  }
  // binaryData: base64 of anything, read in pieces.
  void look_in_base64(std::string_view name, std::string_view base64, Sightings& out) const;

  // Is this the name of a credential by `name`, and `value` a literal?
  [[nodiscard]] bool named_credential(std::string_view name, std::string_view value) const;

 private:
  void look_closer(std::string_view name, std::string_view value, Sightings& out, TextKind kind) const;
  [[nodiscard]] bool has(Detector detector) const { return (selected_ >> static_cast<unsigned>(detector) & 1U) != 0; }
  [[nodiscard]] bool allowed(std::string_view name) const;

  std::uint8_t selected_ = 0;
  std::vector<std::string> allow_names_;
  friend class Reading;
};

}  // namespace portcullis::policy::rule
