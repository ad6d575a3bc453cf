#include "guard/handler.hpp"

#include <chrono>
#include <utility>

#include "guard/decide.hpp"
#include "guard/denial.hpp"
#include "guard/identify.hpp"
#include "observe/log.hpp"

namespace portcullis::guard {
namespace {

constexpr std::string_view host_path = "/auth", traefik_path = "/v1/traefik/", alive_path = "/healthz", ready_path = "/readyz";
constexpr std::size_t logged_method_bytes_max = 32;

// Small and fast, for jitter only (Marsaglia, "Xorshift RNGs", 2003).
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed | 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  std::uint64_t state_;
};

// Reasons that speak of a proxy that is not set up as it must be, or of someone who tries to pass as another.
bool is_alarming(Reason reason) {
  switch (reason) {
    case Reason::untrusted_peer:
    case Reason::missing_forwarded_for:
    case Reason::missing_forwarded_host:
    case Reason::missing_forwarded_uri:
    case Reason::missing_forwarded_method:
    case Reason::doubled_header:
    case Reason::aliased_header:
    case Reason::unknown_tenant:
    case Reason::host_mismatch:
      return true;
    default:
      return false;
  }
}

class GuardHandler final : public net::Handler {
 public:
  GuardHandler(Guard& guard, std::unique_ptr<audit::Log::Writer> writer)
      : guard_(guard), writer_(std::move(writer)), jitter_(SipKey::random().k0), version_(guard.version()), snapshot_(guard.snapshot()) {}

  void answer(const net::Request& request, net::Response& response) override {
    response.clear();
    const std::string_view path = request.path();
    if (path == host_path) return judge(request, std::nullopt, response);
    if (path.starts_with(traefik_path)) return judge(request, path.substr(traefik_path.size()), response);
    response.content_type = "text/plain; charset=utf-8";
    if (path == alive_path) {
      response.body = "ok\n";
    } else if (path == ready_path) {
      const bool ready = !request.draining && snapshot() != nullptr;
      response.status = ready ? 200 : 503;
      response.body = ready ? "ok\n" : request.draining ? "draining\n" : "no documents\n";
    } else {
      response.status = 404;
      response.body = "the guard answers /auth and /v1/traefik/<tenant>\n";
    }
  }

 private:
  // Renewed under the guard's mutex only when its version moved; the version is read first, so no swap is missed.
  const GuardSnapshot* snapshot() {
    if (const std::uint64_t version = guard_.version(); version != version_) {
      snapshot_ = guard_.snapshot();
      version_ = version;
    }
    return snapshot_.get();
  }

  void judge(const net::Request& request, std::optional<std::string_view> named, net::Response& response) {
    const GuardSnapshot* const documents = snapshot();
    if (documents == nullptr) {
      response.status = 503;
      response.header("retry-after", "1");
      return;
    }
    Identity identity;
    Outcome outcome;
    const Reason unknown = identify(*documents, guard_.seed(), request, named, identify_, identity);
    if (unknown != Reason::none) {
      outcome = {.verdict = Verdict::refuse, .reason = unknown};
      guard_.metrics().count_unclassed(unknown);
      write_denial(
          {.status = refusal_status(unknown), .reason = unknown, .body = denial_body(DenialShape::negotiate, identify_.headers, {})},
          response);
      if (is_alarming(unknown)) {
        observe::log_limited(observe::Level::warn, "guard_refused",
                             {{"reason", reason_name(unknown)}, {"peer", request.peer.text()}, {"host", identify_.headers.host}});
      }
    } else {
      outcome = decide_known(*documents, identity, response);
    }
    const std::chrono::nanoseconds took = std::max(guard_.now() - request.received, Clock::duration::zero());
    guard_.metrics().duration.observe(std::chrono::duration<double>(took).count());
    record(*documents, identity, outcome, response.status, took);
  }

  Outcome decide_known(const GuardSnapshot& documents, const Identity& identity, net::Response& response) {
    const RouteClass route_class = *identity.route_class;
    const GuardSubject subject{*identity.tenant, route_class, *identity.client, identity.sessions, identity.api_key};
    const std::int64_t now = std::chrono::nanoseconds(guard_.now().time_since_epoch()).count();
    const Outcome outcome = decide(documents, guard_.limiter(), guard_.seed(), subject, now, decide_);
    guard_.metrics().count(route_class, outcome.verdict, outcome.shadow ? Reason::none : outcome.reason);
    if (outcome.shadow) guard_.metrics().count_shadow(route_class, outcome.reason);
    if (outcome.verdict != Verdict::pass) {
      write_denial({.status = outcome.verdict == Verdict::slow ? 429 : 403,
                    .reason = outcome.reason,
                    .body = denial_body(route_class_info(route_class).shape, identify_.headers, identity.path.decoded),
                    .route_class = route_class,
                    .limit = outcome.limit,
                    .random = jitter_.next()},
                   response);
    }
    return outcome;
  }

  void record(const GuardSnapshot& documents, const Identity& identity, const Outcome& outcome, int status, std::chrono::nanoseconds took) {
    if (writer_ == nullptr) return;
    audit::GuardRecord record;
    if (identity.tenant != nullptr) record.tenant = identity.tenant->name;
    if (identity.route_class) record.route_class = route_class_name(*identity.route_class);
    record.verdict = verdict_name(outcome.verdict);
    record.reason = reason_name(outcome.reason);
    record.method = identify_.headers.method.substr(0, logged_method_bytes_max);
    record.path = identity.path.raw;
    if (identity.client) record.client = *identity.client;
    record.status = status;
    record.shadow = outcome.shadow;
    record.policy_hash = documents.hash();
    record.microseconds = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    writer_->record(record);
  }

  Guard& guard_;
  std::unique_ptr<audit::Log::Writer> writer_;
  Jitter jitter_;
  std::uint64_t version_;
  std::shared_ptr<const GuardSnapshot> snapshot_;
  IdentifyScratch identify_;
  DecideScratch decide_;
};

}  // namespace

Guard::Guard(GuardOptions options) : options_(std::move(options)), limiter_(options_.limiter_bytes_max), bans_(options_.bans) {}

void Guard::follow(config::Store& store) {
  store.on_reload([this](const config::Store::Snapshot& snapshot, const policy::DocumentErrors& errors) {
    if (errors.empty() && snapshot != nullptr) swap_in(GuardSnapshot::compile(snapshot->documents()));
  });
  if (const auto current = store.current()) swap_in(GuardSnapshot::compile(current->documents()));
}

void Guard::swap_in(std::shared_ptr<const GuardSnapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(snapshot);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const GuardSnapshot> Guard::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Guard::expose(observe::Scrape& scrape) const {
  using observe::MetricType;
  metrics_.expose(scrape);
  bans_.expose(scrape, now());
  const Limiter::Stats stats = limiter_.stats();
  scrape.sample("portcullis_guard_limiter_keys", "Keys that the limiter holds, paid or not.", MetricType::gauge, {},
                static_cast<double>(stats.keys));
  scrape.sample("portcullis_guard_limiter_keys_max", "Keys that the limiter has room for.", MetricType::gauge, {},
                static_cast<double>(stats.keys_max));
  scrape.sample("portcullis_guard_limiter_forgotten_total", "Keys forgotten before they had paid, because their bucket was full.",
                MetricType::counter, {}, static_cast<double>(stats.forgotten));
}

net::Server::HandlerFactory make_handlers(Guard& guard, audit::Log& log) {
  return [&guard, &log](unsigned) { return make_handler(guard, log.writer()); };
}

std::unique_ptr<net::Handler> make_handler(Guard& guard, std::unique_ptr<audit::Log::Writer> writer) {
  return std::make_unique<GuardHandler>(guard, std::move(writer));
}

void add_guard_metrics(observe::Metrics& metrics, const Guard& guard) {
  metrics.add_source([&guard](observe::Scrape& scrape) { guard.expose(scrape); });
}

}  // namespace portcullis::guard
