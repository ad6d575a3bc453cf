// One connection of a Client, from dial to close: the socket, TLS on it, a protocol, and the coroutines that read, write and
// watch. They hold the link; a close ends them.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/background.hpp"
#include "net/client_protocol.hpp"
#include "net/client_tls.hpp"

namespace portcullis::net {

class ClientLink {
 public:
  struct Where {
    std::string host;
    std::uint16_t port = 0;
    std::string socket;  // a unix socket's path, in place of both
    std::string server_name;
    std::string authority;  // for the Host field
    std::string peer;       // for errors
    bool http2 = true;
  };

  // Connects and shakes hands, until `deadline`. Without a context: plain.
  static Task<Result<std::shared_ptr<ClientLink>>> dial(const Where& where, ClientContext context, const ClientLimits& limits,
                                                        Deadline deadline);
  // Starts to read and write. `changed`: a call may have room now, or the link has closed; not from within start() or stop().
  static void run(const std::shared_ptr<ClientLink>& link, std::function<void()> changed);

  [[nodiscard]] bool has_room() const { return open_ && !retired_ && protocol_->has_room(); }
  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] Clock::time_point read_at() const { return read_at_; }
  [[nodiscard]] bool has_answered() const { return has_read_; }  // the peer has said something
  void start(ClientCall& call);
  void stop(ClientCall& call);
  void retire();  // takes no further call; closes when none runs
  void close(const Error& why);

 private:
  using Socket = boost::asio::ip::tcp::socket;

  ClientLink(const boost::asio::any_io_executor& executor, const ClientLimits& limits);
  Task<Result<void>> connect(const Where& where);
  Result<void> connect_to_socket(const std::string& path);
  Task<Result<void>> shake_hands(const Where& where);
  static Task<void> read(std::shared_ptr<ClientLink> link);
  static Task<void> write(std::shared_ptr<ClientLink> link);
  static Task<void> watch(std::shared_ptr<ClientLink> link);
  void close_when_done();

  const ClientLimits& limits_;
  std::string peer_;
  ClientContext context_;  // outlives tls_
  boost::asio::ip::tcp::resolver resolver_;
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  std::unique_ptr<ClientProtocol> protocol_;
  std::function<void()> changed_;
  Event output_, closed_;
  Clock::time_point read_at_;
  bool open_ = false, retired_ = false, has_read_ = false;
};

}  // namespace portcullis::net
