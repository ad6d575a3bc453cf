#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "guard/rpc_calls.hpp"

namespace portcullis::guard {
namespace {

using Json = nlohmann::json;
using Kind = RpcValue::Kind;

class Calls {
 public:
  explicit Calls(const TakeCall& take) : take_(take) {}

  bool null() { return scalar(Kind::other, {}); }
  bool boolean(bool value) { return scalar(Kind::number, value ? "1" : "0"); }
  bool number_integer(std::int64_t value) { return scalar(Kind::number, std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) { return scalar(Kind::number, std::to_string(value)); }
  bool number_float(double value, const std::string& /*text*/) {
    const double whole = std::trunc(value);
    constexpr double bound = 9e18;
    if (!(std::abs(whole) < bound)) return scalar(Kind::other, {});
    return scalar(Kind::number, std::to_string(static_cast<std::int64_t>(whole)));
  }
  bool string(std::string& value) { return scalar(Kind::text, std::string_view(value).substr(0, rpc_text_bytes_max)); }
  bool binary(Json::binary_t& /*value*/) { return false; }
  bool key(std::string& name) {
    if (!stack_.empty() && stack_.back() != Where::other) key_.swap(name);
    return true;
  }

  bool start_object(std::size_t /*size*/) {
    if (stack_.empty() || stack_.back() == Where::batch) {
      call_ = {};
      return enter(Where::request);
    }
    if (stack_.back() == Where::request && key_ == "params") {
      call_ = {};
      return enter(Where::params);
    }
    if (stack_.back() == Where::params && key_ == "args") {
      call_.args = {};
      call_.odd = true;
      return enter(Where::other);
    }
    scalar(Kind::other, {});
    return enter(Where::other);
  }
  bool end_object() {
    const Where left = stack_.back();
    stack_.pop_back();
    if (left == Where::request) take_(call_);
    return true;
  }
  bool start_array(std::size_t /*size*/) {
    if (stack_.empty()) return enter(Where::batch);
    if (stack_.back() == Where::params && key_ == "args") {
      call_.args = {};
      call_.odd = false;
      argument_ = 0;
      return enter(Where::args);
    }
    scalar(Kind::other, {});
    if (stack_.back() == Where::request && key_ == "params") call_.odd = true;
    return enter(Where::other);
  }
  bool end_array() { return stack_.pop_back(), true; }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const nlohmann::detail::exception& /*error*/) { return false; }

 private:
  enum class Where : std::uint8_t { batch, request, params, args, other };

  bool enter(Where where) {
    if (stack_.size() == rpc_depth_max) return false;
    stack_.push_back(where);
    return true;
  }

  bool scalar(Kind kind, std::string_view text) {
    if (!stack_.empty() && stack_.back() == Where::params && key_ == "args") {
      call_.args = {};
      call_.odd = kind == Kind::text;
    }
    RpcValue* const to = target();
    if (to != nullptr) *to = {kind, std::string(text)};
    return true;
  }

  // Where a value belongs that comes now; null for those that nobody wants.
  RpcValue* target() {
    if (stack_.empty()) return nullptr;
    switch (stack_.back()) {
      case Where::request:
        if (key_ == "params") call_ = {};  // the last `params` counts
        return nullptr;
      case Where::params:
        if (key_ == "service") return &call_.service;
        if (key_ == "method") return &call_.method;
        if (key_ == "db") return &call_.database;
        if (key_ == "login") return &call_.login;
        return nullptr;
      case Where::args:
        return argument_ < call_.args.size() ? &call_.args[argument_++] : nullptr;
      case Where::batch:
      case Where::other:
        return nullptr;
    }
    return nullptr;
  }

  const TakeCall& take_;
  std::vector<Where> stack_;
  std::string key_;
  RpcCall call_;
  std::size_t argument_ = 0;
};

}  // namespace

bool read_json_calls(std::string_view body, const TakeCall& take) {
  Calls calls(take);
  return Json::sax_parse(body.begin(), body.end(), &calls);
}

}  // namespace portcullis::guard
