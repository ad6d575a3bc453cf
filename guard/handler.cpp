#include "guard/handler.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "guard/decide.hpp"
#include "guard/denial.hpp"
#include "guard/doors.hpp"
#include "guard/identify.hpp"
#include "guard/login_body.hpp"
#include "guard/shared_charges.hpp"
#include "observe/log.hpp"

namespace portcullis::guard {
namespace {

constexpr std::string_view alive_path = "/healthz", ready_path = "/readyz";
constexpr std::size_t logged_method_bytes_max = 32;
constexpr std::size_t attempts_max = 10'000;  // so that a cost stays a number
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
    case Reason::foreign_database:
      return true;
    default:
      return false;
  }
}

// A request on its way to an answer. Views are into the request, and into the documents of the moment.
struct Asked {
  const Moment* moment = nullptr;
  const GuardTenant* tenant = nullptr;
  std::optional<RouteClass> route_class;
  std::size_t metric_class = 0;
  std::string_view class_name, method, path;
  std::optional<Address> client;
  DenialBody body = DenialBody::problem;  // of one that may be denied
  Dialect dialect = Dialect::traefik;
  Clock::time_point received;
  Outcome outcome;
  std::optional<Planted> planted;
};

// One that waits for the store: what its views were of is kept.
struct Waiting {
  Waiting(const Asked& request, std::shared_ptr<const Moment> held, std::vector<Charge> charged, std::vector<SharedCharge> counted)
      : asked(request),
        moment(std::move(held)),
        method(request.method),
        path(request.path),
        charges(std::move(charged)),
        shared(std::move(counted)) {
    asked.method = method;
    asked.path = path;
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  Asked asked;
  std::shared_ptr<const Moment> moment;
  std::string method, path;
  std::vector<Charge> charges;
  std::vector<SharedCharge> shared;
  std::shared_ptr<SharedVerdict> verdict = std::make_shared<SharedVerdict>();
};

class GuardHandler final : public net::Handler {
 public:
  GuardHandler(Guard& guard, std::unique_ptr<audit::Log::Writer> writer)
      : guard_(guard), writer_(std::move(writer)), jitter_(SipKey::random().k0), version_(guard.version()), moment_(guard.moment()) {}

  void attach(const std::shared_ptr<net::Waker>& waker) override { waker_ = waker; }

  void answer(const net::Request& request, net::Response& response) override {
    response.clear();
    const std::string_view path = request.path();
    if (const std::optional<Door> door = find_door(path)) return judge(request, *door, response);
    response.content_type = "text/plain; charset=utf-8";
    if (path == alive_path) {
      response.body = "ok\n";
    } else if (path == ready_path) {
      const bool ready = !request.draining && moment() != nullptr;
      response.status = ready ? 200 : 503;
      response.body = ready ? "ok\n" : request.draining ? "draining\n" : "no documents\n";
    } else {
      response.status = 404;
      response.body = "the guard answers /auth, /v1/traefik/<tenant>, /v1/traefik/<tenant>/login and /v1/nginx/<tenant>\n";
    }
  }

  void finish(std::uint64_t ticket, net::Response& response) override {
    const auto found = waiting_.find(ticket);
    if (found == waiting_.end()) {
      response.status = 500;
      return;
    }
    Waiting& waiting = *found->second;
    response.clear();
    if (waiting.verdict->kind == SharedVerdict::Kind::refused)
      refuse_by_store(waiting.asked, waiting.charges, waiting.shared, *waiting.verdict);
    conclude(waiting.asked, response);
    waiting_.erase(found);
  }

  void abandoned(std::uint64_t ticket) noexcept override {
    const auto found = waiting_.find(ticket);
    if (found == waiting_.end()) return;
    // What was charged stays charged: it was asked for. Only nobody is at work.
    give_places_back(found->second->asked.outcome);
    waiting_.erase(found);
  }

 private:
  // Renewed under the guard's mutex only when its version moved; the version is read first, so no swap is missed.
  const Moment* moment() {
    if (const std::uint64_t version = guard_.version(); version != version_) {
      moment_ = guard_.moment();
      version_ = version;
    }
    return moment_.get();
  }

  void judge(const net::Request& request, const Door& door, net::Response& response) {
    if (moment() == nullptr) {
      response.status = 503;
      response.header("retry-after", "1");
      return;
    }
    const GuardSnapshot& documents = moment_->documents();
    Identity identity;
    const Reason unknown = identify(documents, guard_.seed(), request, door.tenant, identify_, identity);
    if (unknown != Reason::none) return refuse_unknown(request, door, identity, unknown, response);
    if (door.login && !read_logins(request, identity)) return refuse_unknown(request, door, identity, Reason::foreign_database, response);
    const Clock::time_point now = guard_.now();
    const GuardSubject subject =
        door.login ? guard_.subject_of(identity, logins_, attempts_, now) : guard_.subject_of(identity, {}, 1, now);
    const DecideParts parts = guard_.parts(now);
    const Outcome outcome = decide(*moment_, parts, subject, steady_nanoseconds(now), decide_);
    Asked asked = describe(request, door, identity);
    asked.outcome = outcome;
    if (outcome.verdict != Verdict::pass || guard_.store() != nullptr) asked.body = body_for(identity);
    if (outcome.verdict == Verdict::pass) {
      plan_feedback(subject, identity, asked);
      if (guard_.store() != nullptr && outcome.reason == Reason::none && ask_store(asked, subject, now, response)) return;
    }
    conclude(asked, response);
  }

  void refuse_unknown(const net::Request& request, const Door& door, const Identity& identity, Reason reason, net::Response& response) {
    guard_.metrics().count_unclassed(reason);
    write_denial({.dialect = door.dialect,
                  .status = refusal_status(reason),
                  .reason = reason,
                  .body = denial_body(DenialShape::negotiate, identify_.headers, {})},
                 response);
    if (is_alarming(reason)) {
      observe::log_limited(observe::Level::warn, "guard_refused",
                           {{"reason", reason_name(reason)}, {"peer", request.peer.text()}, {"host", identify_.headers.host}});
    }
    Asked asked = describe(request, door, identity);
    asked.outcome = {.verdict = Verdict::refuse, .reason = reason};
    record(asked, response.status);
  }

  // False where a login names a database that is not the tenant's.
  bool read_logins(const net::Request& request, const Identity& identity) {
    logins_.clear();
    attempts_ = 1;
    const LoginBody body = read_login_body({.path = identity.path.decoded,
                                            .query = identity.path.query,
                                            .content_type = identify_.headers.content_type,
                                            .body = request.body});
    // One that cannot be read may hold as many as one that can be.
    const std::size_t count = body.kind == LoginBody::Kind::unreadable ? std::max(body.count, login_attempts_max) : body.count;
    attempts_ = static_cast<std::uint32_t>(std::clamp<std::size_t>(count, 1, attempts_max));
    for (const LoginAttempt& attempt : body.attempts) {
      if (!attempt.database.empty() && !moment_->documents().may_name_database(*identity.tenant, attempt.database)) return false;
      if (attempt.login.empty()) continue;
      const std::uint64_t login = siphash(guard_.seed(), attempt.login);
      if (std::find(logins_.begin(), logins_.end(), login) == logins_.end()) logins_.push_back(login);
    }
    return true;
  }

  Asked describe(const net::Request& request, const Door& door, const Identity& identity) const {
    Asked asked;
    asked.moment = moment_.get();
    asked.tenant = identity.tenant;
    asked.route_class = identity.route_class;
    asked.metric_class = identity.own != nullptr ? GuardMetrics::own_classes : identity.route_class ? index_of(*identity.route_class) : 0;
    asked.class_name = identity.class_name();
    asked.method = identify_.headers.method.substr(0, logged_method_bytes_max);
    asked.path = identity.path.raw;
    asked.client = identity.client;
    asked.dialect = door.dialect;
    asked.received = request.received;
    return asked;
  }

  [[nodiscard]] DenialBody body_for(const Identity& identity) const {
    const DenialShape shape = identity.own != nullptr ? DenialShape::negotiate : route_class_info(*identity.route_class).shape;
    return denial_body(shape, identify_.headers, identity.path.decoded);
  }

  void give_places_back(const Outcome& outcome) {
    for (std::size_t i = 0; i < outcome.lease_count; ++i) guard_.leases().give_back(outcome.leases[i]);
  }

  // What to remember of a request until the access log speaks of it.
  void plan_feedback(const GuardSubject& subject, const Identity& identity, Asked& asked) {
    if (guard_.feedback() == nullptr) return;
    Planted planted;
    planted.tenant = subject.tenant.id;
    planted.client = subject.client;
    planted.leases = asked.outcome.leases;
    planted.lease_count = asked.outcome.lease_count;
    if (subject.route_class == RouteClass::login && is_login_form(identity.path.decoded)) planted.sign = OutcomeSign::form;
    if (subject.route_class == RouteClass::rpc_json2 && subject.api_key) planted.sign = OutcomeSign::bearer;
    if (!subject.logins.empty()) planted.login = subject.logins.front();
    if (identity.proves_login && identity.sessions.count == 1) planted.session = identity.sessions.keys[0];
    if (!planted.is_needed()) return;
    if (planted.sign == OutcomeSign::form) note_refunds(planted);
    asked.planted = planted;
  }

  void note_refunds(Planted& planted) const {
    for (const Charge& charge : decide_.charges) {
      const auto kind = static_cast<KeyKind>(charge.tag);
      const bool of_logins = kind == KeyKind::address || kind == KeyKind::session || kind == KeyKind::login || kind == KeyKind::tenant;
      if (of_logins && planted.refund_count < planted.refunds.size())
        planted.refunds[planted.refund_count++] = {charge.fingerprint, charge.limit, charge.cost};
    }
  }

  // True where the answer waits for the store. Else `asked.outcome` says what it said, if anything.
  bool ask_store(Asked& asked, const GuardSubject& subject, Clock::time_point now, net::Response& response) {
    SharedStore& store = *guard_.store();
    const std::int64_t then = steady_nanoseconds(now);
    share_charges(decide_.charges, then, shared_);
    if (shared_.empty()) return false;
    if (const auto refused = store.would_refuse(subject.tenant.id, shared_, then)) {
      refuse_by_store(asked, decide_.charges, shared_, *refused);
      return false;
    }
    if (store.mode() == StoreMode::lease) {
      const SharedVerdict verdict = store.lease(subject.tenant.id, shared_, then);
      if (verdict.kind == SharedVerdict::Kind::refused) refuse_by_store(asked, decide_.charges, shared_, verdict);
      if (verdict.kind != SharedVerdict::Kind::unknown) return false;
    }
    const std::uint64_t ticket = ++last_ticket_;
    const auto waiting = waiting_.emplace(ticket, std::make_unique<Waiting>(asked, moment_, decide_.charges, shared_)).first;
    const std::shared_ptr<SharedVerdict> verdict = waiting->second->verdict;
    if (store.ask(subject.tenant.id, shared_, waker_, ticket, verdict)) {
      response.wait(ticket);
      return true;
    }
    waiting_.erase(waiting);
    store.note_local(subject.tenant.id, shared_, then);
    return false;
  }

  // The store counts for all replicas and says no: what was charged here is given back, for all are charged or none.
  void refuse_by_store(Asked& asked, std::span<const Charge> charges, std::span<const SharedCharge> shared, const SharedVerdict& verdict) {
    for (const Charge& charge : charges) guard_.limiter().refund(charge);
    give_places_back(asked.outcome);
    asked.outcome = refused_by_store(charges, shared[std::min(verdict.which, shared.size() - 1)], verdict);
    asked.planted.reset();
  }

  void conclude(const Asked& asked, net::Response& response) {
    const Outcome& outcome = asked.outcome;
    guard_.metrics().count(asked.metric_class, outcome.verdict, outcome.shadow ? Reason::none : outcome.reason);
    if (outcome.shadow) guard_.metrics().count_shadow(asked.metric_class, outcome.reason);
    if (outcome.verdict != Verdict::pass) {
      write_denial(denial_of(asked), response);
    } else if (asked.planted) {
      response.header(id_header, guard_.feedback()->plant(*asked.planted, guard_.now()).text());
    }
    record(asked, response.status);
  }

  Denial denial_of(const Asked& asked) {
    Denial denial{.dialect = asked.dialect,
                  .status = judged_status(asked.outcome.verdict, asked.outcome.reason),
                  .reason = asked.outcome.reason,
                  .body = asked.body,
                  .route_class = asked.route_class,
                  .class_name = asked.class_name,
                  .limit = asked.outcome.limit,
                  .random = jitter_.next()};
    if (const Adjustment* const adjustment = asked.moment->adjustment(*asked.tenant)) denial.message = adjustment->message;
    return denial;
  }

  void record(const Asked& asked, int status) {
    const std::chrono::nanoseconds took = std::max(guard_.now() - asked.received, Clock::duration::zero());
    guard_.metrics().duration.observe(std::chrono::duration<double>(took).count());
    if (writer_ == nullptr) return;
    audit::GuardRecord record;
    if (asked.tenant != nullptr) record.tenant = asked.tenant->name;
    record.route_class = asked.class_name;
    record.verdict = verdict_name(asked.outcome.verdict);
    record.reason = reason_name(asked.outcome.reason);
    record.method = asked.method;
    record.path = asked.path;
    if (asked.client) record.client = *asked.client;
    record.status = status;
    record.shadow = asked.outcome.shadow;
    record.policy_hash = asked.moment->documents().hash();
    record.microseconds = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    writer_->record(record);
  }

  Guard& guard_;
  std::unique_ptr<audit::Log::Writer> writer_;
  std::shared_ptr<net::Waker> waker_;
  Jitter jitter_;
  std::uint64_t version_;
  std::shared_ptr<const Moment> moment_;
  IdentifyScratch identify_;
  DecideScratch decide_;
  std::vector<std::uint64_t> logins_;
  std::uint32_t attempts_ = 1;
  std::vector<SharedCharge> shared_;
  std::uint64_t last_ticket_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Waiting>> waiting_;
};

}  // namespace

net::Server::HandlerFactory make_handlers(Guard& guard, audit::Log& log) {
  return [&guard, &log](unsigned) { return make_handler(guard, log.writer()); };
}

std::unique_ptr<net::Handler> make_handler(Guard& guard, std::unique_ptr<audit::Log::Writer> writer) {
  return std::make_unique<GuardHandler>(guard, std::move(writer));
}

}  // namespace portcullis::guard
