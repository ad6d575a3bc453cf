// HTTP/2 as a client (RFC 9113), framed by nghttp2: calls become streams. Windows are wide and are opened again as soon as
// half of one has been read. After a GOAWAY the streams that run go on; those above its last never happened.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "net/client_protocol.hpp"

namespace portcullis::net {

class ClientHttp2 final : public ClientProtocol {
 public:
  ClientHttp2(std::string authority, const ClientLimits& limits, std::string peer);
  ~ClientHttp2() override;

  [[nodiscard]] bool has_room() const override;
  [[nodiscard]] bool is_finished() const override;
  [[nodiscard]] std::size_t running() const override { return streams_.size(); }
  void start(ClientCall& call) override;
  void stop(ClientCall& call) override;
  std::optional<Error> feed(std::string_view bytes) override;
  void end_of_input(bool clean) override;
  void close(const Error& why) override;
  void take_output(std::string& out) override;
  bool ping() override;

 private:
  struct Stream;
  struct Callbacks;
  void cut(Stream& stream);  // the rest of its answer is not wanted

  std::string authority_, peer_;
  const ClientLimits& limits_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::unique_ptr<Stream>> streams_;
  bool settings_seen_ = false, goaway_ = false, over_ = false;
};

}  // namespace portcullis::net
