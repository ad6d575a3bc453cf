#include "net/client.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <exception>
#include <random>

#include "base/text.hpp"
#include "net/as_values.hpp"
#include "net/client_call.hpp"
#include "net/client_link.hpp"
#include "net/client_tls.hpp"
#include "observe/log.hpp"

namespace portcullis::net {
namespace asio = boost::asio;
namespace {

constexpr unsigned attempts_max = 4;  // of one call; what surely did nothing is tried again

bool is_clean(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}
bool is_visible(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// A line break in what we were given must not begin a field or a request of its own.
Result<void> check(const ClientRequest& request, const std::string& peer) {
  const auto refuse = [&](std::string_view what) { return fail(ErrorKind::invalid, peer, std::string(what) + " cannot be sent"); };
  if (!is_visible(request.method)) return refuse("the method " + quoted(request.method));
  if (!is_visible(request.target) || !request.target.starts_with('/')) return refuse("the request target " + quoted(request.target));
  for (const auto& [name, value] : request.fields) {
    if (!is_visible(name) || !is_clean(value)) return refuse("the header field " + quoted(name));
  }
  return {};
}

std::string in_brackets(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

void judge(const std::exception_ptr& escaped) {
  if (!escaped) return;
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& error) {
    observe::log(observe::Level::error, "client_dial_failed", {{"error", printable(error.what())}});
    std::abort();
  }
}

}  // namespace

struct Client::State {
  State(Background& background, ClientOptions wanted) : executor(background.executor()), options(std::move(wanted)) {
    where.host = options.host;
    where.port = options.port;
    where.server_name = options.server_name.empty() ? options.host : options.server_name;
    where.http2 = options.http2;
    where.socket = options.socket;
    where.peer = in_brackets(options.host) + ":" + std::to_string(options.port);
    where.authority = options.port == (options.plain ? 80 : 443) ? in_brackets(options.host) : where.peer;
    if (!where.socket.empty()) {
      where.peer = where.socket;
      where.authority = options.host;
    }
  }

  asio::any_io_executor executor;
  ClientOptions options;
  ClientLink::Where where;
  ClientContext context;  // null: plain
  std::vector<std::shared_ptr<ClientLink>> links;
  Event changed;  // a link has room, has come, or has gone; a dial has failed
  bool dialing = false, closed = false;
  std::uint64_t failures = 0;  // of dials, for those who wait for one
  Error last_failure;
  Deadline next_dial{};
  std::chrono::milliseconds redial_delay{0};  // 0: the last connection was good
  std::minstd_rand random{std::random_device{}()};
  std::atomic<std::uint64_t> dials{0}, dial_failures{0};

  void close() {
    closed = true;
    const Error why{.kind = ErrorKind::unavailable, .where = where.peer, .what = "the client has ended"};
    const auto ending = std::exchange(links, {});
    for (const auto& link : ending) link->close(why);
    changed.notify();
  }

  std::shared_ptr<ClientLink> link_with_room() {
    std::erase_if(links, [this](const auto& link) {
      if (!link->is_open() && !link->has_answered()) delay_redial();  // a peer that takes connections and says nothing
      return !link->is_open();
    });
    const auto found = std::find_if(links.begin(), links.end(), [](const auto& link) { return link->has_room(); });
    return found == links.end() ? nullptr : *found;
  }

  void delay_redial() {
    redial_delay =
        redial_delay.count() == 0 ? options.limits.redial_delay_first : std::min(2 * redial_delay, options.limits.redial_delay_max);
    // Half of it is chance: replicas that lost the same peer come back one by one.
    const double part = std::uniform_real_distribution<double>(0.5, 1.0)(random);
    next_dial = Clock::now() + std::chrono::duration_cast<Clock::duration>(part * redial_delay);
  }

  static Task<void> dial(std::shared_ptr<State> state) {
    if (Clock::now() < state->next_dial) co_await sleep_until(state->next_dial);
    if (state->closed) co_return;
    state->dials.fetch_add(1, std::memory_order_relaxed);
    const Deadline deadline = Clock::now() + state->options.limits.dial_time_max;
    auto link = co_await ClientLink::dial(state->where, state->context, state->options.limits, deadline);
    state->dialing = false;
    if (!link) {
      state->dial_failures.fetch_add(1, std::memory_order_relaxed);
      state->last_failure = link.error();
      ++state->failures;
      state->delay_redial();
    } else if (state->closed) {
      (*link)->close({});
    } else {
      state->links.push_back(*link);
      ClientLink::run(*link, [weak = std::weak_ptr<State>(state)] {
        if (const auto still = weak.lock()) still->changed.notify();
      });
    }
    state->changed.notify();
  }

  // A link that takes a call; dials one where there is none. A dial goes on when the caller that wanted it leaves.
  static Task<Result<std::shared_ptr<ClientLink>>> acquire(std::shared_ptr<State> state, Deadline deadline) {
    const std::uint64_t failures = state->failures;
    while (!state->closed) {
      if (auto link = state->link_with_room()) co_return link;
      if (state->failures != failures) co_return tl::unexpected(state->last_failure);
      if (!state->dialing && state->links.size() < state->options.limits.connections_max) {
        state->dialing = true;
        asio::co_spawn(state->executor, dial(state), judge);
      }
      const bool notified = co_await state->changed.wait(deadline);
      if (notified) continue;
      if (Clock::now() < deadline) break;
      co_return fail(ErrorKind::deadline_passed, state->where.peer,
                     state->failures == 0 ? "no connection before the deadline"
                                          : "no connection before the deadline; last: " + state->last_failure.what);
    }
    co_return fail(ErrorKind::unavailable, state->where.peer, "the client has ended");
  }

  // Runs the call to its end, on as many links as it takes.
  static Task<Result<void>> perform(std::shared_ptr<State> state, ClientCall& call, Deadline deadline) {
    if (auto checked = check(call.request(), state->where.peer); !checked) co_return tl::unexpected(checked.error());
    for (unsigned attempt = 1;; ++attempt) {
      auto link = co_await acquire(state, deadline);
      if (!link) co_return tl::unexpected(link.error());
      // A link never holds a call whose frame has gone, however the frame goes.
      struct Running {
        State& state;
        ClientLink& link;
        ClientCall& call;
        ~Running() {
          if (call.is_running() || call.state() == ClientCall::State::stopped) link.stop(call);
          state.changed.notify();
        }
      };
      const auto started = Clock::now();
      {
        const Running running{*state, **link, call};
        (*link)->start(call);
        while (call.is_running()) {
          const bool notified = co_await call.ended.wait(deadline);
          if (!notified) break;
        }
      }
      if (call.is_running()) {
        // Perhaps nobody is there any more: what comes next does not wait for the PING to find out.
        if ((*link)->read_at() < started) (*link)->retire();
        if (Clock::now() >= deadline) co_return fail(ErrorKind::deadline_passed, state->where.peer, "no answer before the deadline");
        co_return fail(ErrorKind::unavailable, state->where.peer, "the call was cancelled");
      }
      if (call.has_head()) state->redial_delay = std::chrono::milliseconds(0);
      if (call.state() != ClientCall::State::failed) co_return Result<void>{};
      const bool unread = call.request().method == "GET" && !call.has_head() && call.error().kind == ErrorKind::unavailable && attempt == 1;
      if ((!call.is_untouched() && !unread) || attempt == attempts_max) co_return tl::unexpected(call.error());
      call.begin_again();
    }
  }
};

Client::Client(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Client>> Client::open(Background& background, ClientOptions options, const ClientTls& tls) {
  if (!options.socket.empty()) {
    options.plain = true;
    options.host = "localhost";
  }
  if (options.plain && !is_loopback(options.host)) {
    return fail(ErrorKind::invalid, options.host, "found http://, want https:// for a peer that is not this machine");
  }
  std::unique_ptr<Client> client(new Client(std::make_shared<State>(background, std::move(options))));
  if (auto trusted = client->trust(tls); !trusted) return tl::unexpected(trusted.error());
  return client;
}

Client::~Client() {
  // Its sockets belong to the Background's thread.
  const auto executor = state_->executor;
  asio::post(executor, [state = std::move(state_)] { state->close(); });
}

Result<void> Client::trust(const ClientTls& tls) {
  if (state_->options.plain) return {};
  auto context = make_client_context(tls);
  if (!context) return tl::unexpected(std::move(context.error()).within(state_->where.peer));
  state_->context = *std::move(context);
  return {};
}

void Client::retire_connections() {
  const auto links = state_->links;  // a link that closes looks at the list
  for (const auto& link : links) link->retire();
}

Task<Result<ClientResponse>> Client::call(ClientRequest request, Deadline deadline) {
  const auto state = state_;
  ClientCall call(request, state->options.limits, state->where.peer);
  const Result<void> performed = co_await State::perform(state, call, deadline);
  if (!performed) co_return tl::unexpected(performed.error());
  co_return std::move(call.answer());
}

Task<Result<bool>> Client::stream(ClientRequest request, OnHead on_head, OnBytes on_bytes, Deadline deadline) {
  const auto state = state_;
  ClientCall call(request, state->options.limits, state->where.peer);
  call.on_head = std::move(on_head);
  call.on_bytes = std::move(on_bytes);
  const Result<void> performed = co_await State::perform(state, call, deadline);
  if (!performed) co_return tl::unexpected(performed.error());
  co_return call.state() == ClientCall::State::whole;
}

const std::string& Client::peer() const { return state_->where.peer; }

ClientStats Client::stats() const {
  return {.dials = state_->dials.load(std::memory_order_relaxed), .dial_failures = state_->dial_failures.load(std::memory_order_relaxed)};
}

}  // namespace portcullis::net
