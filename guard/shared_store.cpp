#include "guard/shared_store.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "guard/redis_leases.hpp"
#include "guard/redis_notes.hpp"
#include "guard/redis_refusals.hpp"
#include "guard/redis_script.hpp"
#include "guard/redis_session.hpp"
#include "guard/siphash.hpp"
#include "net/background.hpp"
#include "net/stream.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"

namespace portcullis::guard {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr auto dial_time_max = 500ms;   // name, connection and handshake of TLS
constexpr auto setup_time_max = 500ms;  // until a write was answered within the budget
constexpr auto heartbeat_interval = 1000ms;
constexpr auto heartbeat_time_max = 1000ms;  // no answer for so long: nobody is there
constexpr auto tick = 1000ms / RedisLeases::sweep_parts;
constexpr auto redial_delay_first = 50ms;
constexpr auto redial_delay_max = 1000ms;  // with the setup's time within the two seconds in which the store is to be back
constexpr auto proven_time = 5s;           // up for so long: the next failure is a new one
constexpr unsigned late_in_a_row_max = 8;  // with few requests: one is a hiccup; each costs a request its budget
constexpr auto late_time_max = 50ms;       // with many: a stall that is over by then is a hiccup too, and takes all that are on their way
constexpr std::size_t notes_at_once = 64;  // half a millisecond of Redis' time, which askers wait behind
constexpr unsigned replicas_max = 1024;    // more is nobody's cluster: the set can be written by who writes our keys
constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::size_t prefix_bytes_max = 64, replica_bytes_max = 128, password_bytes_max = 4096, ca_bytes_max = 1024 * 1024;
constexpr std::uint32_t slice_max = 1'000'000;

Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string text(bytes_max + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) {
    return fail(ErrorKind::unavailable, file.string(), std::string("cannot be read: ") + std::strerror(errno != 0 ? errno : EIO));
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > bytes_max) return fail(ErrorKind::limit_exceeded, file.string(), "larger than " + std::to_string(bytes_max) + " bytes");
  return text;
}

Result<std::string> read_password(const std::filesystem::path& file) {
  auto text = read_file(file, password_bytes_max);
  if (!text) return text;
  text->erase(std::min(text->find_last_not_of("\r\n") + 1, text->size()));
  if (text->empty()) return fail(ErrorKind::invalid, file.string(), "holds no password");
  return text;
}

bool is_prefix(std::string_view text) {
  return !text.empty() && text.size() <= prefix_bytes_max && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:").find(c) != std::string_view::npos;
  });
}

SharedVerdict verdict_of(const LimitsAnswer& answer, const std::vector<RedisLimit>& limits) {
  SharedVerdict verdict;
  if (answer.kind == LimitsAnswer::Kind::admitted) verdict.kind = SharedVerdict::Kind::admitted;
  if (answer.kind == LimitsAnswer::Kind::refused) {
    verdict = {SharedVerdict::Kind::refused, answer.which, answer.wait_us * 1000, answer.room / limits[answer.which].unit};
  }
  return verdict;
}

}  // namespace

std::string_view store_fault_name(StoreFault fault) {
  switch (fault) {
    case StoreFault::connection:
      return "connection";
    case StoreFault::timeout:
      return "timeout";
    case StoreFault::probe:
      return "probe";
    case StoreFault::authentication:
      return "authentication";
    case StoreFault::read_only:
      return "read_only";
    case StoreFault::memory:
      return "memory";
    case StoreFault::loading:
      return "loading";
    case StoreFault::cluster:
      return "cluster";
    case StoreFault::garbage:
      return "garbage";
    case StoreFault::other:
      return "other";
  }
  return "other";
}

struct SharedStore::Impl {
  explicit Impl(StoreOptions wanted)
      : options(std::move(wanted)),
        peer(peer_text(options.url)),
        refusals(options.local_keys_max),
        leases(options.slice, options.mode == StoreMode::lease ? options.local_keys_max : 1),
        notes(options.local_keys_max),
        session({.prefix = options.prefix,
                 .replica = options.replica,
                 .keys_max = options.keys_max,
                 .database = options.url.database,
                 .budget = options.budget}) {}

  const StoreOptions options;
  const std::string peer;

  // From any thread.
  RedisRefusals refusals;
  RedisLeases leases;
  RedisNotes notes;
  std::atomic<bool> is_up{false}, is_ending{false};
  std::atomic<std::int64_t> away_since{steady_nanoseconds(Clock::now())};
  std::atomic<unsigned> replicas{1};
  std::atomic<std::size_t> waiting{0};  // calls, queued or on their way
  observe::Counter admitted, refused, refused_locally, late, not_asked, foreign, full, leased, notes_dropped, connections;
  std::array<observe::Counter, store_faults> faults;
  std::mutex mutex;
  std::vector<RedisCall> incoming;

  // Of the thread.
  RedisSession session;
  std::shared_ptr<net::Stream> stream;
  std::optional<RedisSession::Fault> why_closed;
  net::Event output, due;
  Clock::time_point armed_until{}, setup_until{}, heartbeat_at{}, swept_at{}, up_at{}, late_since{};
  Clock::duration redial_delay = redial_delay_first;
  unsigned late_in_a_row = 0;
  std::size_t notes_waiting = 0;
  std::minstd_rand random{std::random_device{}()};
  std::vector<RedisCall> accepted;
  std::vector<RedisSession::Answer> answers;
  std::vector<RedisAsker> late_askers;
  std::vector<RedisOrder> orders;

  std::unique_ptr<net::Background> background;  // the last, and the first to end

  void start() {
    background = std::make_unique<net::Background>("redis");
    background->spawn("redis_failed", [this] { return run(); });
    background->spawn("redis_write_failed", [this] { return write(); });
    background->spawn("redis_watch_failed", [this] { return watch(); });
  }

  // False: too much waits.
  bool enqueue(RedisCall call) {
    if (waiting.fetch_add(1, std::memory_order_relaxed) >= options.waiting_max) {
      waiting.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    bool first = false;
    {
      const std::lock_guard lock(mutex);
      if (call.source == RedisCall::Source::asked) {
        // Under the lock: the queue is in the order of deadlines.
        call.sent = Clock::now();
        call.deadline = call.sent + options.budget;
      }
      first = incoming.empty();
      incoming.push_back(std::move(call));
    }
    if (first) background->post([this] { accept(); });  // the others of a batch are found with it
    return true;
  }

  void enqueue_leases(const std::vector<RedisOrder>& made) {
    for (const RedisOrder& order : made) {
      RedisCall call{.source = RedisCall::Source::lease, .tenant = order.tenant, .limits = {order.limit}, .asker = {}};
      if (!enqueue(std::move(call))) leases.failed(order);
    }
  }

  // From here on the thread's own.

  void accept() {
    accepted.clear();
    {
      const std::lock_guard lock(mutex);
      accepted.swap(incoming);
    }
    for (RedisCall& call : accepted) {
      if (session.is_ready()) {
        session.call(std::move(call));
      } else {
        unanswered(call);
      }
    }
    if (session.has_output()) output.notify();
    if (const auto next = session.next_deadline(); next && *next < armed_until) due.notify();
  }

  // Nobody knows whether Redis charged it.
  void unanswered(RedisCall& call) {
    if (call.kind != RedisCall::Kind::limits) return;
    waiting.fetch_sub(1, std::memory_order_relaxed);
    call.asker.tell({});
    if (call.source == RedisCall::Source::lease) leases.failed({call.tenant, call.limits.front()});
    if (call.source == RedisCall::Source::note) {
      --notes_waiting;
      notes.put_back({call.tenant, call.limits.front()}, steady_nanoseconds(Clock::now()));
    }
  }

  void answered(RedisSession::Answer& got, Clock::time_point now) {
    auto& [call, answer] = got;
    waiting.fetch_sub(1, std::memory_order_relaxed);
    if (answer.kind == LimitsAnswer::Kind::foreign) {
      foreign.add();
      observe::log_limited(observe::Level::warn, "redis_foreign_key",
                           {{"peer", printable(peer)}, {"key", redis_key(options.prefix, call.tenant, call.limits[answer.which])}}, 1);
    }
    if (answer.kind == LimitsAnswer::Kind::full) {
      full.add();
      observe::log_limited(observe::Level::warn, "redis_keys_full", {{"peer", printable(peer)}, {"keys_max", options.keys_max}}, 1);
    }
    const bool charged = answer.kind == LimitsAnswer::Kind::admitted;
    switch (call.source) {
      case RedisCall::Source::lease: {
        const RedisOrder order{call.tenant, call.limits.front()};
        if (charged) {
          leases.granted(order, answer.taken, steady_nanoseconds(now));
        } else {
          leases.failed(order);
        }
        return;
      }
      case RedisCall::Source::note:
        --notes_waiting;
        return;
      case RedisCall::Source::asked:
        break;
    }
    if (charged) admitted.add();
    if (answer.kind == LimitsAnswer::Kind::refused) {
      refused.add();
      // Counted from when it was asked, so never longer than Redis would.
      refusals.remember(call.tenant, call.limits[answer.which], steady_nanoseconds(call.sent) + answer.wait_us * 1000);
    }
    if (!call.asker.verdict) return;  // too late
    late_in_a_row = 0;
    call.asker.tell(verdict_of(answer, call.limits));
  }

  net::Task<void> run() {
    for (;;) {
      const RedisSession::Fault fault = co_await talk();
      go_away(fault);
      const double part = std::uniform_real_distribution<double>(0.5, 1.0)(random);
      const auto delay = std::chrono::duration_cast<Clock::duration>(part * redial_delay);
      redial_delay = std::min<Clock::duration>(2 * redial_delay, redial_delay_max);
      co_await net::sleep_until(Clock::now() + delay);
    }
  }

  // One connection, until it ends: always with a reason.
  net::Task<RedisSession::Fault> talk() {
    std::string password;
    net::StreamOptions to;
    to.host = options.url.host;
    to.port = options.url.port;
    to.path = options.url.path;
    to.server_name = options.server_name;
    to.peer = peer;
    if (options.url.tls) {
      to.tls.emplace();
      if (!options.ca_file.empty()) {
        auto read = read_file(options.ca_file, ca_bytes_max);
        if (!read) co_return RedisSession::Fault{StoreFault::connection, read.error().message()};
        to.tls->roots_pem = *std::move(read);
      }
    }
    if (!options.password_file.empty()) {
      auto read = read_password(options.password_file);
      if (!read) co_return RedisSession::Fault{StoreFault::authentication, read.error().message()};
      password = *std::move(read);
    }
    auto dialled = co_await net::Stream::dial(std::move(to), Clock::now() + dial_time_max);
    if (!dialled) co_return RedisSession::Fault{StoreFault::connection, dialled.error().what};
    stream = *std::move(dialled);
    session.begin(options.url.user, password);
    setup_until = Clock::now() + setup_time_max;
    output.notify();
    due.notify();
    std::vector<char> room(read_bytes);
    for (;;) {
      const auto got = co_await stream->read_some(room);
      if (why_closed) co_return *why_closed;
      if (!got) co_return RedisSession::Fault{StoreFault::connection, got.error().what};
      const auto now = Clock::now();
      auto fault = session.feed({room.data(), *got}, now, answers);
      for (RedisSession::Answer& answer : answers) answered(answer, now);
      answers.clear();
      if (fault) co_return *std::move(fault);
      if (session.replicas() > 0) {
        replicas.store(static_cast<unsigned>(std::min<std::uint64_t>(session.replicas(), replicas_max)), std::memory_order_relaxed);
      }
      if (session.is_ready() && !is_up.load(std::memory_order_relaxed)) come_up(now);
      if (session.is_ready() && notes_waiting == 0) send_notes(now);
      if (session.has_output()) output.notify();
    }
  }

  void come_up(Clock::time_point now) {
    up_at = now;
    heartbeat_at = now + heartbeat_interval;
    late_in_a_row = 0;
    connections.add();
    is_up.store(true, std::memory_order_release);
    observe::log(observe::Level::info, "redis_up", {{"peer", printable(peer)}, {"replicas", replicas.load(std::memory_order_relaxed)}});
  }

  void stop_asking(StoreFault fault) {
    faults[static_cast<std::size_t>(fault)].add();
    if (!is_up.load(std::memory_order_relaxed)) return;
    const auto now = Clock::now();
    if (now - up_at >= proven_time) redial_delay = redial_delay_first;
    away_since.store(steady_nanoseconds(now), std::memory_order_relaxed);
    is_up.store(false, std::memory_order_release);
  }

  void go_away(const RedisSession::Fault& fault) {
    if (!why_closed) stop_asking(fault.fault);  // else hang_up() has
    if (stream) stream->close();
    stream.reset();
    why_closed.reset();
    for (RedisCall& call : session.end()) unanswered(call);
    if (is_ending.load(std::memory_order_relaxed)) return;  // it is we who have gone
    observe::log_limited(observe::Level::warn, "redis_away",
                         {{"peer", printable(peer)}, {"reason", store_fault_name(fault.fault)}, {"error", fault.what}}, 1);
  }

  // Ends the connection from outside talk(), which finds its stream closed.
  void hang_up(RedisSession::Fault why) {
    if (!stream || why_closed) return;
    stop_asking(why.fault);
    why_closed = std::move(why);
    stream->close();
  }

  net::Task<void> write() {
    std::string batch;
    for (;;) {
      if (!stream || !session.has_output()) {
        co_await output.wait(Deadline::max());
        continue;
      }
      const std::shared_ptr<net::Stream> to = stream;
      session.take_output(batch);
      const auto written = co_await to->write_all(batch);
      if (!written) to->close();
    }
  }

  net::Task<void> watch() {
    for (;;) {
      const auto now = Clock::now();
      look(now);
      armed_until = now + tick;
      if (const auto next = session.next_deadline()) armed_until = std::min(armed_until, *next);
      co_await due.wait(armed_until);
    }
  }

  void look(Clock::time_point now) {
    session.expire(now, late_askers);
    for (RedisAsker& asker : late_askers) asker.tell({});
    late.add(late_askers.size());
    if (late_in_a_row == 0) late_since = now;
    late_in_a_row += static_cast<unsigned>(late_askers.size());
    late_askers.clear();
    if (!session.is_ready()) {
      if (stream && now >= setup_until) hang_up({StoreFault::probe, "a new connection did not answer within the budget"});
      return;
    }
    if (late_in_a_row >= late_in_a_row_max && now - late_since >= late_time_max) {
      return hang_up({StoreFault::timeout, std::to_string(late_in_a_row) + " answers in a row did not come within the budget"});
    }
    const auto asked = session.heartbeat_since();
    if (asked && now - *asked >= heartbeat_time_max) return hang_up({StoreFault::timeout, "the connection is silent"});
    if (!asked && now >= heartbeat_at) {
      heartbeat_at = now + heartbeat_interval;
      session.heartbeat(now);
    }
    if (options.mode == StoreMode::lease && now >= swept_at + tick) {
      swept_at = now;
      orders.clear();
      leases.sweep(steady_nanoseconds(now), orders);
      enqueue_leases(orders);
    }
    if (notes_waiting == 0) send_notes(now);
    if (session.has_output()) output.notify();
  }

  void send_notes(Clock::time_point now) {
    orders.clear();
    notes.take(steady_nanoseconds(now), notes_at_once, orders);
    for (const RedisOrder& order : orders) {
      ++notes_waiting;
      waiting.fetch_add(1, std::memory_order_relaxed);
      session.call({.source = RedisCall::Source::note, .tenant = order.tenant, .limits = {order.limit}, .asker = {}});
    }
  }
};

SharedStore::SharedStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<SharedStore>> SharedStore::open(StoreOptions options) {
  const auto refuse = [](std::string_view where, std::string what) { return fail(ErrorKind::invalid, where, std::move(what)); };
  if (!is_prefix(options.prefix)) {
    return refuse("redis prefix", "found " + portcullis::quoted(options.prefix) + ", want 1 to 64 letters, digits, `-`, `_`, `.` and `:`");
  }
  if (options.slice < 1 || options.slice > slice_max) return refuse("redis slice", "want 1 to " + std::to_string(slice_max) + " requests");
  if (options.budget <= 0us) return refuse("redis budget", "want more than nothing");
  if (!options.url.user.empty() && options.password_file.empty()) return refuse("redis URL", "names a user, want a password file too");
  if (options.replica.empty()) options.replica = std::to_string(SipKey::random().k0);
  if (options.replica.size() > replica_bytes_max) return refuse("redis replica", "want a name of at most 128 bytes");
  if (options.url.tls && !options.ca_file.empty()) {
    if (auto read = read_file(options.ca_file, ca_bytes_max); !read) return tl::unexpected(read.error());
  }
  std::unique_ptr<SharedStore> store(new SharedStore(std::make_unique<Impl>(std::move(options))));
  store->impl_->start();
  return store;
}

SharedStore::~SharedStore() {
  impl_->is_ending.store(true, std::memory_order_relaxed);
  impl_->background.reset();
  for (RedisCall& call : impl_->session.end()) impl_->unanswered(call);
  for (RedisCall& call : impl_->incoming) impl_->unanswered(call);
}

std::optional<SharedVerdict> SharedStore::would_refuse(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now) {
  SharedVerdict longest;
  for (std::size_t i = 0; i < charges.size(); ++i) {
    if (charges[i].soft) continue;
    const std::int64_t wait = impl_->refusals.wait(tenant, redis_limit(charges[i]), now);
    if (wait > longest.wait) longest = {.kind = SharedVerdict::Kind::refused, .which = i, .wait = wait};
  }
  if (longest.wait == 0) return std::nullopt;
  impl_->refused_locally.add();
  return longest;
}

bool SharedStore::ask(std::uint64_t tenant, std::span<const SharedCharge> charges, const std::shared_ptr<net::Waker>& waker,
                      std::uint64_t ticket, const std::shared_ptr<SharedVerdict>& verdict) {
  bool taken = impl_->is_up.load(std::memory_order_acquire) && !charges.empty() && charges.size() <= shared_charges_max;
  if (taken) {
    RedisCall call{.tenant = tenant, .limits = {}, .asker = {waker, ticket, verdict}};
    call.limits.reserve(charges.size());
    for (const SharedCharge& charge : charges) call.limits.push_back(redis_limit(charge));
    taken = impl_->enqueue(std::move(call));
  }
  if (!taken) impl_->not_asked.add();
  return taken;
}

SharedVerdict SharedStore::lease(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now) {
  std::vector<RedisOrder> orders;
  const SharedVerdict verdict = impl_->leases.take(tenant, charges, now, impl_->is_up.load(std::memory_order_acquire), orders);
  impl_->enqueue_leases(orders);
  if (verdict.kind == SharedVerdict::Kind::admitted) impl_->leased.add();
  return verdict;
}

void SharedStore::note_local(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now) {
  if (const std::size_t dropped = impl_->notes.note(tenant, charges, now); dropped > 0) impl_->notes_dropped.add(dropped);
}

StoreMode SharedStore::mode() const { return impl_->options.mode; }

StoreState SharedStore::state() const { return impl_->is_up.load(std::memory_order_acquire) ? StoreState::up : StoreState::away; }

unsigned SharedStore::replicas_alive() const { return impl_->replicas.load(std::memory_order_relaxed); }

nanoseconds SharedStore::away_for(std::int64_t now) const {
  if (state() == StoreState::up) return nanoseconds(0);
  return nanoseconds(std::max<std::int64_t>(0, now - impl_->away_since.load(std::memory_order_relaxed)));
}

StoreStats SharedStore::stats() const {
  StoreStats stats{.admitted = impl_->admitted.value(),
                   .refused = impl_->refused.value(),
                   .refused_locally = impl_->refused_locally.value(),
                   .late = impl_->late.value(),
                   .not_asked = impl_->not_asked.value(),
                   .foreign = impl_->foreign.value(),
                   .full = impl_->full.value(),
                   .leased = impl_->leased.value(),
                   .notes_dropped = impl_->notes_dropped.value(),
                   .connections = impl_->connections.value()};
  for (std::size_t i = 0; i < store_faults; ++i) stats.faults[i] = impl_->faults[i].value();
  return stats;
}

}  // namespace portcullis::guard
