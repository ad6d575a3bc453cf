#include "net/client_http1.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>
#include <utility>

namespace portcullis::net {
namespace http = boost::beast::http;

namespace {

using Code = boost::beast::error_code;
using Text = boost::beast::string_view;

std::string_view view(Text text) { return {text.data(), text.size()}; }

}  // namespace

// The head, and no more: put() ends behind it. (Given more, Boost 1.81's parser fails an assertion of its own on a last chunk
// with a broken line behind it.) What the call wants no more of stops it.
class ClientHttp1::Reader final : public http::basic_parser<false> {
 public:
  Reader(ClientCall& call, const ClientLimits& limits) : call_(call) {
    body_limit(boost::none);  // ClientCall has the bound
    header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    if (call.request().method == "HEAD") skip(true);
  }
  [[nodiscard]] bool is_informational() const { return status_ >= 100 && status_ < 200; }
  [[nodiscard]] bool switches() const { return status_ == 101; }

 private:
  void go_on(bool wanted, Code& error) const {
    if (!wanted) error = http::error::end_of_stream;  // any will do: the call knows why
  }

  void on_request_impl(http::verb, Text, Text, int, Code&) override {}
  void on_response_impl(int status, Text, int, Code& error) override {
    status_ = status;
    go_on(call_.take_status(status), error);
  }
  void on_field_impl(http::field, Text name, Text value, Code& error) override {
    if (!is_informational()) go_on(call_.take_field(view(name), view(value)), error);
  }
  void on_header_impl(Code& error) override {
    if (!is_informational()) go_on(call_.take_head(), error);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(Text, Code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, Text, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text, Code&) override { return 0; }
  void on_finish_impl(Code&) override {}

  ClientCall& call_;
  int status_ = 0;
};

ClientHttp1::ClientHttp1(std::string authority, const ClientLimits& limits, std::string peer)
    : authority_(std::move(authority)), peer_(std::move(peer)), limits_(limits) {}
ClientHttp1::~ClientHttp1() = default;

void ClientHttp1::start(ClientCall& call) {
  call_ = &call;
  reader_ = std::make_unique<Reader>(call, limits_);
  const ClientRequest& request = call.request();
  out_.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nhost: ").append(authority_).append("\r\n");
  for (const auto& [name, value] : request.fields) out_.append(name).append(": ").append(value).append("\r\n");
  if (request.gzip) out_ += "accept-encoding: gzip\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    out_.append("content-length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  out_.append("\r\n").append(request.body);
}

void ClientHttp1::stop(ClientCall& call) {
  if (call_ != &call) return;
  finish(false);  // the rest of its answer is still on its way
}

void ClientHttp1::finish(bool keep_alive) {
  call_ = nullptr;
  reader_.reset();
  // Bytes behind an answer were not asked for.
  if (!keep_alive || !in_.empty()) over_ = true;
}

std::optional<Error> ClientHttp1::feed(std::string_view bytes) {
  in_.append(bytes);
  if (!call_) {
    over_ = true;
    return Error{.kind = ErrorKind::invalid, .where = peer_, .what = "the peer speaks without being asked"};
  }
  const auto broken = [this](const std::string& why) {
    Error error{.kind = ErrorKind::invalid, .where = peer_, .what = "the answer is not HTTP/1.1: " + why};
    if (call_->is_running()) call_->give_up(error, false);
    finish(false);
    return error;
  };
  while (call_ && !in_.empty()) {
    if (!reader_->is_header_done()) {
      Code error;
      in_.erase(0, reader_->put(boost::asio::buffer(in_), error));
      if (!call_->is_running()) {
        finish(false);
        return std::nullopt;
      }
      if (error == http::error::need_more) return std::nullopt;
      if (error) return broken(error.message());
      if (reader_->switches()) return broken("it switches protocols");
      if (reader_->is_informational()) {
        reader_ = std::make_unique<Reader>(*call_, limits_);
        continue;
      }
      chunks_.emplace(std::numeric_limits<std::uint64_t>::max());
      content_left_ = reader_->content_length().value_or(0);
    }
    const Body body = read_body();
    if (body == Body::broken) return broken("its chunks are malformed");
    if (!call_->is_running()) {
      finish(false);
    } else if (body == Body::whole) {
      const bool keep_alive = reader_->keep_alive();
      call_->finish();
      finish(keep_alive);
    }
  }
  return std::nullopt;
}

// RFC 9112 6.3: chunks, a length, or all that comes until the connection ends.
ClientHttp1::Body ClientHttp1::read_body() {
  if (reader_->is_done()) return Body::whole;
  if (reader_->chunked()) {
    const auto progress = chunks_->decode(in_.data(), in_.size());
    if (progress.content > 0) call_->take_body(std::string_view(in_).substr(0, progress.content));
    in_.erase(0, progress.read);
    if (progress.state == ChunkDecoder::State::more) return Body::more;
    return progress.state == ChunkDecoder::State::done ? Body::whole : Body::broken;
  }
  const bool has_length = reader_->content_length().has_value();
  const std::size_t count = has_length ? std::min<std::uint64_t>(content_left_, in_.size()) : in_.size();
  if (count > 0) call_->take_body(std::string_view(in_).substr(0, count));
  in_.erase(0, count);
  content_left_ -= has_length ? count : 0;
  return has_length && content_left_ == 0 ? Body::whole : Body::more;
}

// TLS must have said goodbye for the end of the connection to be the end of a body.
void ClientHttp1::end_of_input(bool clean) {
  over_ = true;
  if (!call_ || !clean || !reader_->is_header_done() || reader_->chunked() || reader_->content_length()) return;
  call_->finish();
  finish(false);
}

void ClientHttp1::close(const Error& why) {
  over_ = true;
  if (!call_) return;
  call_->give_up(why, false);
  finish(false);
}

void ClientHttp1::take_output(std::string& out) {
  out.clear();
  out.swap(out_);
}

}  // namespace portcullis::net
