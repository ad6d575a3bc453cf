#include "cli/admin_client.hpp"

#include <future>
#include <memory>
#include <utility>

#include "net/background.hpp"
#include "net/server.hpp"

namespace portcullis::cli {
namespace {

constexpr std::chrono::seconds answer_time_max{15};

using Answer = Result<net::ClientResponse>;

net::Task<void> ask(net::Client& client, net::ClientRequest request, Deadline deadline, std::shared_ptr<std::promise<Answer>> told) {
  Answer answer = co_await client.call(std::move(request), deadline);
  told->set_value(std::move(answer));
}

}  // namespace

Result<net::ClientResponse> ask_admin(const std::string& address, net::ClientRequest request) {
  const auto where = net::parse_local_address(address);
  if (!where) return tl::unexpected(Error(where.error()).within("--admin"));
  net::Background background("admin");
  net::ClientOptions options;
  options.host = where->host;
  options.port = where->port;
  options.socket = where->path;
  options.plain = true;
  auto client = net::Client::open(background, std::move(options), {});
  if (!client) return tl::unexpected(client.error());
  auto told = std::make_shared<std::promise<Answer>>();
  std::future<Answer> answer = told->get_future();
  const Deadline deadline = Clock::now() + answer_time_max;
  net::Client& asked = **client;
  background.spawn("admin_call", [&asked, request = std::move(request), deadline, told] { return ask(asked, request, deadline, told); });
  return answer.get();
}

std::string percent_encoded(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace portcullis::cli
