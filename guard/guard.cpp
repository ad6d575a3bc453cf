#include "guard/guard.hpp"

#include <chrono>
#include <utility>

namespace portcullis::guard {
namespace {

constexpr std::chrono::seconds tick_every{1};
// A blip of the store changes nothing but that limits are divided; after that each class does as its onStoreLoss says.
constexpr std::chrono::seconds store_grace{10};

}  // namespace

Guard::Guard(GuardOptions options)
    : options_(std::move(options)),
      seed_(options_.seed ? *options_.seed : SipKey::random()),
      limiter_(options_.limiter_bytes_max),
      bans_(BanOptions{.spared = [this](const BanTenant& tenant,
                                        const Address& client) { return sessions_.spares(tenant.id, client, steady_nanoseconds(now())); },
                       .wall = {}}) {
  if (options_.feedback) {
    feedback_ = std::make_unique<Feedback>(Feedback::Parts{.limiter = limiter_,
                                                           .leases = leases_,
                                                           .sessions = sessions_,
                                                           .bans = bans_,
                                                           .moment = [this] { return moment(); },
                                                           .now = [this] { return now(); }});
  }
}

Guard::~Guard() = default;

void Guard::follow(config::Store& store) {
  store.on_reload([this](const config::Store::Snapshot& snapshot, const policy::DocumentErrors& errors) {
    if (errors.empty() && snapshot != nullptr) swap_in(GuardSnapshot::compile(snapshot->documents()));
  });
  if (const auto current = store.current()) swap_in(GuardSnapshot::compile(current->documents()));
}

void Guard::swap_in(std::shared_ptr<const GuardSnapshot> snapshot) {
  const std::lock_guard lock(maker_mutex_);
  put(std::move(snapshot));
}

void Guard::tick() {
  if (feedback_ != nullptr) feedback_->expire();
  const std::lock_guard lock(maker_mutex_);
  const std::shared_ptr<const Moment> current = moment();
  if (current == nullptr || current->holds_at(wall())) return;
  put(current->shared_documents());
}

void Guard::put(std::shared_ptr<const GuardSnapshot> documents) {
  std::shared_ptr<const Moment> made =
      documents == nullptr ? nullptr : maker_.make(std::move(documents), wall(), steady_nanoseconds(now()));
  const std::lock_guard lock(mutex_);
  moment_ = std::move(made);
  version_.fetch_add(1, std::memory_order_release);
}

void Guard::run_clock() {
  clock_ = std::jthread([this](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, stop, tick_every, [&] { return stop.stop_requested(); })) tick();
  });
}

std::shared_ptr<const Moment> Guard::moment() const {
  const std::lock_guard lock(mutex_);
  return moment_;
}

Instant Guard::wall() const { return options_.wall ? options_.wall() : std::chrono::floor<std::chrono::seconds>(WallClock::now()); }

DecideParts Guard::parts(Clock::time_point now) {
  DecideParts parts{.limiter = limiter_, .seed = seed_};
  if (feedback_ != nullptr && feedback_->is_alive(now)) parts.leases = &leases_;
  if (SharedStore* const shared = store()) {
    parts.replicas = shared->replicas_alive();
    parts.store_away = shared->state() == StoreState::away;
    parts.store_away_long = parts.store_away && shared->away_for(steady_nanoseconds(now)) > store_grace;
  }
  return parts;
}

GuardSubject Guard::subject_of(const Identity& identity, std::span<const std::uint64_t> logins, std::uint32_t attempts,
                               Clock::time_point now) {
  GuardSubject subject{.tenant = *identity.tenant,
                       .route_class = *identity.route_class,
                       .client = *identity.client,
                       .sessions = identity.sessions,
                       .api_key = identity.api_key,
                       .own = identity.own,
                       .logins = logins,
                       .attempts = attempts,
                       .credentials = identity.credentials,
                       .cost_factor = identity.cost_factor};
  if (feedback_ != nullptr) {
    const std::int64_t then = steady_nanoseconds(now);
    // Of two sessions nobody can say which one Odoo follows.
    if (identity.sessions.count == 1 && sessions_.is_known(subject.tenant.id, identity.sessions.keys[0], then)) {
      subject.known_session = identity.sessions.keys[0];
    } else {
      subject.standing = sessions_.factor_at(subject.tenant.id, subject.client, then);
    }
  }
  if (const auto ban = bans_.find(subject.tenant.id, subject.client, logins, now))
    subject.ban = {.wait = std::chrono::nanoseconds(ban->ends - now).count(), .known_sessions_too = !ban->spares_sessions()};
  return subject;
}

void Guard::expose(observe::Scrape& scrape) {
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
  scrape.sample("portcullis_guard_places_held", "Places among those at work at once that are taken.", MetricType::gauge, {},
                static_cast<double>(leases_.size()));
  scrape.sample("portcullis_guard_sessions_learned_total", "Sessions that became known to be logged in.", MetricType::counter, {},
                static_cast<double>(sessions_.learned()));
  if (const std::shared_ptr<const Moment> current = moment()) {
    for (const auto& [profile, tenants] : current->profiles())
      scrape.sample("portcullis_guard_profile_tenants", "Tenants for which a profile is on.", MetricType::gauge, {{"profile", profile}},
                    static_cast<double>(tenants));
  }
  if (feedback_ != nullptr) {
    const FeedbackStats outcomes = feedback_->stats();
    scrape.sample("portcullis_guard_logins_total", "Logins by what the access log said of them.", MetricType::counter,
                  {{"outcome", "succeeded"}}, static_cast<double>(outcomes.logins_succeeded));
    scrape.sample("portcullis_guard_logins_total", "Logins by what the access log said of them.", MetricType::counter,
                  {{"outcome", "failed"}}, static_cast<double>(outcomes.logins_failed));
    scrape.sample("portcullis_guard_feedback_alive", "1 while the access log says what becomes of requests.", MetricType::gauge, {},
                  feedback_->is_alive(now()) ? 1 : 0);
  }
  if (store() != nullptr) expose_store(scrape);
}

void Guard::expose_store(observe::Scrape& scrape) {
  using observe::MetricType;
  const StoreStats stats = store()->stats();
  const auto answers = [&](std::string_view answer, std::uint64_t count) {
    scrape.sample("portcullis_guard_store_answers_total", "What the shared store said, by answer.", MetricType::counter,
                  {{"answer", std::string(answer)}}, static_cast<double>(count));
  };
  answers("admitted", stats.admitted);
  answers("refused", stats.refused);
  answers("refused-locally", stats.refused_locally);
  answers("late", stats.late);
  answers("not-asked", stats.not_asked);
  answers("foreign", stats.foreign);
  answers("full", stats.full);
  answers("leased", stats.leased);
  for (std::size_t fault = 0; fault < store_faults; ++fault)
    scrape.sample("portcullis_guard_store_faults_total", "Why the shared store went away, by fault.", MetricType::counter,
                  {{"fault", std::string(store_fault_name(static_cast<StoreFault>(fault)))}}, static_cast<double>(stats.faults[fault]));
  scrape.sample("portcullis_guard_store_up", "1 while the shared store answers.", MetricType::gauge, {},
                store()->state() == StoreState::up ? 1 : 0);
  scrape.sample("portcullis_guard_replicas", "Guards that the shared store last heard of, this one included.", MetricType::gauge, {},
                store()->replicas_alive());
}

void add_guard_metrics(observe::Metrics& metrics, Guard& guard) {
  metrics.add_source([&guard](observe::Scrape& scrape) { guard.expose(scrape); });
}

}  // namespace portcullis::guard
