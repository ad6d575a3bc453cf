#include "net/client_call.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/text.hpp"

namespace portcullis::net {
namespace {

std::string lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

}  // namespace

std::string_view ClientResponse::field(std::string_view name) const {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? std::string_view{} : std::string_view(found->second);
}

void ClientCall::begin_again() {
  answer_ = {};
  inflater_.reset();
  header_bytes_ = 0;
  state_ = State::running;
  error_ = {};
  has_head_ = untouched_ = false;
}

bool ClientCall::take_status(int status) {
  answer_.status = status;
  answer_.fields.clear();
  header_bytes_ = 0;
  return is_running();
}

bool ClientCall::take_field(std::string_view name, std::string_view value) {
  if (!is_running()) return false;
  if (has_head_) return true;  // trailers are dropped
  header_bytes_ += name.size() + value.size();
  if (header_bytes_ > limits_.header_bytes_max || answer_.fields.size() >= limits_.header_fields_max) {
    give_up(ErrorKind::limit_exceeded, "the header of the answer is too large");
    return false;
  }
  answer_.fields.emplace_back(lowered(name), value);
  return true;
}

bool ClientCall::take_head() {
  if (!is_running()) return false;
  has_head_ = true;
  const std::string coding = lowered(answer_.field("content-encoding"));
  if (coding == "gzip" && request_.gzip) {
    // What a stream hands on is its caller's to bound.
    inflater_.emplace(on_bytes ? std::numeric_limits<std::size_t>::max() : limits_.answer_bytes_max);
  } else if (!coding.empty() && coding != "identity") {
    give_up(ErrorKind::invalid, "the answer has the content-encoding " + quoted(coding) + ", which was not asked for");
    return false;
  }
  if (on_head && !on_head(answer_)) end(State::stopped);
  return is_running();
}

bool ClientCall::take_body(std::string_view bytes) {
  if (!is_running()) return false;
  if (!inflater_) return hand_on(bytes);
  const Inflater::Sink sink = [this](std::string_view inflated) { return hand_on(inflated); };
  auto fed = inflater_->feed(bytes, sink);
  if (!fed) give_up(fed.error().kind, "the answer cannot be inflated: " + fed.error().what);
  return is_running();
}

bool ClientCall::hand_on(std::string_view bytes) {
  if (on_bytes) {
    if (!on_bytes(bytes)) end(State::stopped);
    return is_running();
  }
  if (bytes.size() > limits_.answer_bytes_max - answer_.body.size()) {
    give_up(ErrorKind::limit_exceeded, "the answer is larger than " + std::to_string(limits_.answer_bytes_max) + " bytes");
    return false;
  }
  answer_.body.append(bytes);
  return true;
}

void ClientCall::finish() {
  if (!is_running()) return;
  if (!has_head_) return give_up(ErrorKind::invalid, "the answer has no head");
  if (inflater_ && !inflater_->is_whole()) return give_up(ErrorKind::unavailable, "the compressed answer was cut off");
  end(State::whole);
}

void ClientCall::give_up(ErrorKind kind, std::string what, bool untouched) {
  give_up(Error{.kind = kind, .where = std::string(peer_), .what = std::move(what)}, untouched);
}

void ClientCall::give_up(Error error, bool untouched) {
  if (!is_running()) return;
  error_ = std::move(error);
  untouched_ = untouched;
  end(State::failed);
}

void ClientCall::end(State state) {
  state_ = state;
  ended.notify();
}

}  // namespace portcullis::net
