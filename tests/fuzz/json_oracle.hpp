// nlohmann/json as the second opinion on what is JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace portcullis::fuzz {

enum class Opinion { json, no_json, none };  // none: a number beyond a double, which it cannot hold

class OpinionSax : public nlohmann::detail::json_sax_acceptor<nlohmann::json> {
 public:
  Opinion opinion = Opinion::json;
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
    constexpr int out_of_range = 406;
    opinion = error.id == out_of_range ? Opinion::none : Opinion::no_json;
    return false;
  }
};

inline Opinion opinion_on(std::string_view text) {
  OpinionSax sax;
  nlohmann::json::sax_parse(text.begin(), text.end(), &sax);
  return sax.opinion;
}

}  // namespace portcullis::fuzz
