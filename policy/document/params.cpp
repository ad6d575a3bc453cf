#include "policy/document/params.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace portcullis::policy {
namespace {

// Lengths before texts, so that no text can pretend to be two.
void put(std::string_view text, std::string& out) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
}

struct Printer {
  std::string& out;
  void operator()(bool value) const { out += value ? "b1" : "b0"; }
  void operator()(std::int64_t value) const { out += "i" + std::to_string(value); }
  void operator()(double value) const {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out += "n";
    out.append(buffer.data(), end);
  }
  void operator()(const std::string& value) const {
    out += "s";
    put(value, out);
  }
  void operator()(const Params::Strings& values) const {
    out += "l";
    for (const std::string& value : values) put(value, out);
  }
  void operator()(Params::Quantities values) const {
    std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    out += "q";
    for (const auto& [name, quantity] : values) {
      put(name, out);
      put(std::to_string(static_cast<std::int64_t>(quantity.nanos() >> 64)) + "," +
              std::to_string(static_cast<std::uint64_t>(quantity.nanos())),
          out);
    }
  }
};

}  // namespace

std::string Params::where(std::string_view name) const {
  const auto found = entries_.find(name);
  const Place& place = found == entries_.end() ? place_ : found->second.place;
  const std::string text = place.text();
  return (text.empty() ? "" : text + " ") + field_ + "." + std::string(name);
}

Error Params::error(std::string_view name, std::string what) const { return {ErrorKind::invalid, where(name), std::move(what)}; }

std::string Params::fingerprint() const {
  std::string out;
  for (const auto& [name, entry] : entries_) {
    put(name, out);
    std::visit(Printer{out}, entry.value);
    out += ';';
  }
  return out;
}

}  // namespace portcullis::policy
