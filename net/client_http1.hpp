// HTTP/1.1 as a client: one call at a time, the next when the answer was whole and both sides keep the connection. Beast's
// parser reads the head of the answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "net/client_protocol.hpp"
#include "net/http1_chunks.hpp"

namespace portcullis::net {

class ClientHttp1 final : public ClientProtocol {
 public:
  // `authority`: for the Host field.
  ClientHttp1(std::string authority, const ClientLimits& limits, std::string peer);
  ~ClientHttp1() override;

  [[nodiscard]] bool has_room() const override { return call_ == nullptr && !over_; }
  [[nodiscard]] bool is_finished() const override { return call_ == nullptr && over_; }
  [[nodiscard]] std::size_t running() const override { return call_ ? 1 : 0; }
  void start(ClientCall& call) override;
  void stop(ClientCall& call) override;
  std::optional<Error> feed(std::string_view bytes) override;
  void end_of_input(bool clean) override;
  void close(const Error& why) override;
  void take_output(std::string& out) override;
  bool ping() override { return false; }

 private:
  class Reader;
  enum class Body { more, whole, broken };
  Body read_body();
  void finish(bool keep_alive);

  std::string authority_, peer_;
  const ClientLimits& limits_;
  ClientCall* call_ = nullptr;
  std::unique_ptr<Reader> reader_;
  std::optional<ChunkDecoder> chunks_;  // of the present answer
  std::uint64_t content_left_ = 0;
  std::string in_, out_;
  bool over_ = false;
};

}  // namespace portcullis::net
