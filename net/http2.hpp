// HTTP/2 on one connection (RFC 9113), framed by nghttp2. Streams become requests; each is answered as soon as it is whole.
//
// nghttp2 1.52 bounds resets by the peer, CONTINUATIONs and queued acknowledgements, but it has no count of streams that
// we had to end ourselves (CVE-2025-8671) nor of cheap frames: Http2Pace has both, and a connection that passes a bound is
// told ENHANCE_YOUR_CALM and closed.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http2_pace.hpp"
#include "net/session.hpp"

namespace portcullis::net {

class Http2 final : public Session {
 public:
  Http2(LoopState& loop, const ConnectionFacts& connection);
  ~Http2() override;

  Step advance(Buffer& in, std::string& out) override;
  Step tick(std::string& out) override;
  Step retire(std::string& out) override;
  Step last_call(std::string& out) override;
  Step finish(std::uint64_t ticket, std::string& out) override;
  [[nodiscard]] Deadline deadline() const override;
  [[nodiscard]] std::string_view waiting_for() const override { return open_streams_ == 0 ? "request" : "stream"; }
  [[nodiscard]] bool is_idle() const override { return open_streams_ == 0; }
  void time_out(std::string& out) override;
  [[nodiscard]] std::uint64_t requests() const override { return requests_; }

 private:
  struct Stream;
  struct Callbacks;

  Stream* open_stream(std::int32_t id);
  void release(Stream& stream);
  int take_field(Stream& stream, std::string_view name, std::string_view value);
  void take_body(Stream& stream, std::string_view bytes);
  void encourage(Stream& stream);  // its head has come, its body has not
  void complete(Stream& stream);   // its last byte has come
  void refuse(Stream& stream, const Refusal& refusal);
  void give(Stream& stream);    // loop_.response, which may be to wait
  void submit(Stream& stream);  // loop_.response
  void closed(Stream& stream);
  void give_up(std::string_view why);  // GOAWAY: the peer costs more than it asks
  Step pump(std::string& out);

  LoopState& loop_;
  const ConnectionFacts& connection_;
  nghttp2_session* session_ = nullptr;
  std::vector<std::unique_ptr<Stream>> streams_;  // every one that was ever needed at once
  std::vector<Stream*> spare_;
  std::vector<Field> fields_;  // of the request being answered
  std::vector<nghttp2_nv> answer_fields_;
  Http2Pace pace_;
  std::size_t open_streams_ = 0;
  std::size_t unsent_bytes_ = 0, unsent_answers_ = 0;
  std::uint64_t requests_ = 0;
  Clock::time_point began_, idle_since_, retired_at_{};
  bool settings_acknowledged_ = false, retired_ = false, last_called_ = false, given_up_ = false;
};

}  // namespace portcullis::net
