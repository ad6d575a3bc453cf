#include "guard/bans.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "observe/log.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::guard {
namespace {

constexpr std::string_view automatic_reason = "failed logins";
constexpr unsigned ipv4_prefix = 8 * mapped_prefix_bytes;

bool is_ipv4_network(const policy::Network& network) { return network.prefix >= ipv4_prefix && is_ipv4(network.address); }

// One of them holds the other.
bool overlap(const policy::Network& a, const policy::Network& b) {
  const unsigned shorter = std::min(a.prefix, b.prefix);
  return is_ipv4_network(a) == is_ipv4_network(b) && masked(a.address, shorter) == masked(b.address, shorter);
}

std::chrono::seconds length_of(const policy::Bans& rules, unsigned times) {
  std::chrono::seconds length = rules.first;
  for (unsigned doubled = 1; doubled < times && length < rules.max; ++doubled) length *= 2;
  return std::min(length, rules.max);
}

void log_ban(std::string_view event, const Ban& ban, std::chrono::seconds length) {
  observe::log_limited(observe::Level::info, event,
                       {{"ban", ban.id},
                        {"source", ban_source_name(ban.source)},
                        {"tenant", ban.tenant.value_or("*")},
                        {"network", ban_network_text(ban.network)},
                        {"of", ban.login ? "login" : "address"},
                        {"seconds", std::int64_t{length.count()}},
                        {"reason", ban.reason},
                        {"by", ban.by}});
}

}  // namespace

std::string ban_network_text(const policy::Network& network) {
  return address_text(network.address) + "/" + std::to_string(is_ipv4_network(network) ? network.prefix - ipv4_prefix : network.prefix);
}

// INVARIANT: an entry that is live is in the table and in `live`; one that is not is automatic and in `remembered`, its
// tenant's and the one of all.
struct Bans::Ledger {
  using ByEnd = std::set<std::pair<Clock::time_point, std::uint64_t>>;
  struct Entry {
    Ban ban;
    BanSubject subject;
    bool live = true;
  };
  struct Room {  // of one tenant
    std::size_t automatic = 0;
    ByEnd remembered;
  };

  explicit Ledger(BanTable& fast) : table(fast), ids(0, BanTable::Hash(&fast)) {}

  BanTable& table;
  std::mutex mutex;
  std::map<std::uint64_t, Entry> entries;  // by id
  std::unordered_map<BanSubject, std::uint64_t, BanTable::Hash> ids;
  ByEnd live, remembered;
  std::unordered_map<std::uint64_t, Room> rooms;  // by tenant
  std::uint64_t last_id = 0;
  std::size_t automatic = 0, by_operator = 0;  // entries; those of an operator are all live
  BanStats stats;

  Entry* find(const BanSubject& subject) {
    const auto found = ids.find(subject);
    return found == ids.end() ? nullptr : &entries.at(found->second);
  }

  Entry& insert(const BanSubject& subject, Ban ban) {
    const std::uint64_t id = ban.id = ++last_id;
    Entry& entry = entries.emplace(id, Entry{std::move(ban), subject}).first->second;
    ids.emplace(subject, entry.ban.id);
    live.emplace(entry.ban.ends, entry.ban.id);
    if (entry.ban.source == BanSource::automatic) {
      ++automatic;
      ++rooms[subject.tenant].automatic;
    } else {
      ++by_operator;
    }
    table.put(subject, {entry.ban.id, entry.ban.source, subject.login != 0, entry.ban.ends});
    return entry;
  }

  void erase(Entry& entry) {
    const BanSubject subject = entry.subject;
    const std::pair at(entry.ban.ends, entry.ban.id);
    if (entry.live) {
      live.erase(at);
      table.erase(subject);
    } else {
      remembered.erase(at);
      rooms[subject.tenant].remembered.erase(at);
    }
    if (entry.ban.source == BanSource::automatic) {
      --automatic;
      if (--rooms[subject.tenant].automatic == 0) rooms.erase(subject.tenant);
    } else {
      --by_operator;
    }
    ids.erase(subject);
    entries.erase(at.second);
  }

  void advance(Clock::time_point now) {
    while (!live.empty() && live.begin()->first <= now) {
      const auto at = *live.begin();
      Entry& entry = entries.at(at.second);
      if (entry.ban.source == BanSource::by_operator) {
        erase(entry);
        continue;
      }
      entry.live = false;
      live.erase(at);
      table.erase(entry.subject);
      remembered.insert(at);
      rooms[entry.subject.tenant].remembered.insert(at);
    }
    while (!remembered.empty() && remembered.begin()->first + ban_memory <= now) erase(entries.at(remembered.begin()->second));
  }

  // What is only remembered makes room; false when all are live.
  bool make_room(std::uint64_t tenant, const BanOptions& options) {
    if (const auto room = rooms.find(tenant); room != rooms.end() && room->second.automatic >= options.a_tenant_max) {
      if (room->second.remembered.empty()) return false;
      erase(entries.at(room->second.remembered.begin()->second));
    }
    if (automatic < options.all_max) return true;
    if (remembered.empty()) return false;
    erase(entries.at(remembered.begin()->second));
    return true;
  }
};

Bans::Bans(BanOptions options)
    : options_(std::move(options)),
      counts_(options_.counts_max),
      table_(std::make_unique<BanTable>(SipKey::random())),
      ledger_(std::make_unique<Ledger>(*table_)) {
  if (!options_.wall) options_.wall = [] { return std::chrono::floor<std::chrono::seconds>(WallClock::now()); };
}

Bans::~Bans() = default;

std::optional<BanView> Bans::failed(const BanTenant& tenant, const Address& client, std::optional<std::uint64_t> login,
                                    const policy::Bans& rules, Clock::time_point now) {
  failures_.fetch_add(1, std::memory_order_relaxed);
  if (rules.failures == 0) return std::nullopt;
  if (login == 0) login = 1;  // 0 is no login
  const BanSubject address = BanSubject::of_client(tenant.id, client), pair = BanSubject::of_client(tenant.id, client, login.value_or(0));
  const FailureCounts::Count of_address = counts_.add(table_->hash(address), login, rules.window, now);
  const FailureCounts::Count of_pair = login ? counts_.add(table_->hash(pair), login, rules.window, now) : FailureCounts::Count{};
  if (of_address.failures >= rules.failures && of_address.several_logins) {
    if (!options_.spared || !options_.spared(tenant, client)) {
      counts_.clear(table_->hash(address));
      if (login) counts_.clear(table_->hash(pair));
      return ban(address, tenant.name, rules, now);
    }
    spared_.fetch_add(1, std::memory_order_relaxed);
  }
  const bool all_of_one = login && of_address.failures >= rules.failures && !of_address.several_logins;
  if (!all_of_one && (!login || of_pair.failures < rules.failures)) return std::nullopt;
  if (all_of_one) counts_.clear(table_->hash(address));
  counts_.clear(table_->hash(pair));
  return ban(pair, tenant.name, rules, now);
}

void Bans::succeeded(const BanTenant& tenant, const Address& client, std::optional<std::uint64_t> login, const policy::Bans& rules,
                     Clock::time_point now) {
  if (!login) return;
  if (login == 0) login = 1;
  counts_.clear(table_->hash(BanSubject::of_client(tenant.id, client, *login)));
  counts_.clear_of_login(table_->hash(BanSubject::of_client(tenant.id, client)), *login, rules.window, now);
}

std::optional<BanView> Bans::ban(const BanSubject& subject, std::string_view tenant, const policy::Bans& rules, Clock::time_point now) {
  std::unique_lock lock(ledger_->mutex);
  ledger_->advance(now);
  unsigned times = 1;
  if (Ledger::Entry* const before = ledger_->find(subject)) {
    if (before->live) return std::nullopt;
    times = before->ban.times + 1;
    ledger_->erase(*before);
  }
  if (!ledger_->make_room(subject.tenant, options_)) {
    ++ledger_->stats.refused;
    lock.unlock();
    observe::log_limited(observe::Level::warn, "ban_refused", {{"tenant", tenant}, {"reason", "no room for more bans"}}, 1);
    return std::nullopt;
  }
  const std::chrono::seconds length = length_of(rules, times);
  const Ban made = ledger_
                       ->insert(subject, {.id = 0,
                                          .tenant = std::string(tenant),
                                          .network = {subject.network, subject.prefix},
                                          .login = subject.login != 0 ? std::optional(subject.login) : std::nullopt,
                                          .source = BanSource::automatic,
                                          .reason = std::string(automatic_reason),
                                          .by = "guard",
                                          .created = options_.wall(),
                                          .ends = now + length,
                                          .times = times})
                       .ban;
  ++(subject.login != 0 ? ledger_->stats.added_logins : ledger_->stats.added_addresses);
  lock.unlock();
  log_ban("ban_added", made, length);
  return BanView{made.id, made.source, subject.login != 0, made.ends};
}

Result<Ban> Bans::add(const OperatorBan& wanted, Clock::time_point now) {
  const auto refuse = [](std::string_view where, std::string what) { return fail(ErrorKind::invalid, where, std::move(what)); };
  if (wanted.length <= std::chrono::seconds(0) || wanted.length > ban_length_max)
    return refuse("duration", "want more than nothing, and at most " + policy::duration_text(ban_length_max));
  const bool ipv4 = is_ipv4_network(wanted.network);
  if (masked(wanted.network.address, wanted.network.prefix) != wanted.network.address)
    return refuse("cidr", "has address bits beyond its length");
  if (wanted.network.prefix < (ipv4 ? ipv4_prefix + ban_prefix_min_ipv4 : ban_prefix_min_ipv6))
    return refuse("cidr", "found " + ban_network_text(wanted.network) + ", want /" +
                              std::to_string(ipv4 ? ban_prefix_min_ipv4 : ban_prefix_min_ipv6) +
                              " or longer; access lists keep out what is wider");
  for (const auto& [where, text] : {std::pair("reason", &wanted.reason), std::pair("by", &wanted.by)}) {
    if (text->empty()) return refuse(where, "is missing");
    if (text->size() > ban_text_bytes_max || !is_utf8(*text))
      return refuse(where, "want UTF-8 of at most " + std::to_string(ban_text_bytes_max) + " bytes");
  }
  const BanSubject subject{wanted.tenant ? wanted.tenant->id : 0, wanted.network.address, 0, wanted.network.prefix, !wanted.tenant};

  std::unique_lock lock(ledger_->mutex);
  ledger_->advance(now);
  Ledger::Entry* const before = ledger_->find(subject);
  const bool takes_its_place = before != nullptr && before->ban.source == BanSource::by_operator;
  if (!takes_its_place && ledger_->by_operator >= options_.by_operator_max) {
    ++ledger_->stats.refused;
    return fail(ErrorKind::limit_exceeded, "bans", "there are " + std::to_string(options_.by_operator_max) + " already; delete some first");
  }
  if (before != nullptr) ledger_->erase(*before);
  Ban made = ledger_
                 ->insert(subject, {.id = 0,
                                    .tenant = wanted.tenant ? std::optional(std::string(wanted.tenant->name)) : std::nullopt,
                                    .network = wanted.network,
                                    .login = std::nullopt,
                                    .source = BanSource::by_operator,
                                    .reason = wanted.reason,
                                    .by = wanted.by,
                                    .created = options_.wall(),
                                    .ends = now + wanted.length,
                                    .times = 1})
                 .ban;
  ++ledger_->stats.added_by_operator;
  lock.unlock();
  log_ban("ban_added", made, wanted.length);
  return made;
}

std::optional<Ban> Bans::remove(std::uint64_t id, Clock::time_point now) {
  const std::lock_guard lock(ledger_->mutex);
  ledger_->advance(now);
  const auto found = ledger_->entries.find(id);
  if (found == ledger_->entries.end() || !found->second.live) return std::nullopt;
  Ban ban = found->second.ban;
  ledger_->erase(found->second);
  return ban;
}

std::vector<Ban> Bans::remove(const policy::Network& network, const std::optional<std::string>& tenant, Clock::time_point now) {
  const std::lock_guard lock(ledger_->mutex);
  ledger_->advance(now);
  std::vector<Ban> removed;
  for (auto each = ledger_->entries.begin(); each != ledger_->entries.end();) {
    Ledger::Entry& entry = (each++)->second;
    if (!entry.live || entry.ban.network.prefix != network.prefix || entry.ban.network.address != network.address) continue;
    if (tenant && entry.ban.tenant != tenant) continue;
    removed.push_back(entry.ban);
    ledger_->erase(entry);
  }
  return removed;
}

std::vector<Ban> Bans::list(const Filter& filter, Clock::time_point now) const {
  const std::lock_guard lock(ledger_->mutex);
  ledger_->advance(now);
  std::vector<Ban> bans;
  for (const auto& [id, entry] : ledger_->entries) {
    if (!entry.live || (filter.tenant && entry.ban.tenant && entry.ban.tenant != filter.tenant)) continue;
    if (!filter.network || overlap(entry.ban.network, *filter.network)) bans.push_back(entry.ban);
  }
  return bans;
}

BanStats Bans::stats(Clock::time_point now) const {
  const std::lock_guard lock(ledger_->mutex);
  ledger_->advance(now);
  BanStats stats = ledger_->stats;
  stats.live_automatic = ledger_->live.size() - ledger_->by_operator;
  stats.live_by_operator = ledger_->by_operator;
  stats.failures = failures_.load(std::memory_order_relaxed);
  stats.spared = spared_.load(std::memory_order_relaxed);
  stats.counts_forgotten = counts_.forgotten();
  return stats;
}

void Bans::expose(observe::Scrape& scrape, Clock::time_point now) const {
  using observe::MetricType;
  const BanStats stats = this->stats(now);
  for (const auto& [source, count] :
       {std::pair(BanSource::automatic, stats.live_automatic), std::pair(BanSource::by_operator, stats.live_by_operator)})
    scrape.sample("portcullis_guard_bans", "Bans in force, by who made them.", MetricType::gauge,
                  {{"source", std::string(ban_source_name(source))}}, static_cast<double>(count));
  for (const auto& [kind, count] : {std::pair("address", stats.added_addresses), std::pair("login", stats.added_logins),
                                    std::pair("operator", stats.added_by_operator)})
    scrape.sample("portcullis_guard_bans_added_total", "Bans made: of an address, of a login from an address, by an operator.",
                  MetricType::counter, {{"kind", kind}}, static_cast<double>(count));
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    scrape.sample(name, help, MetricType::counter, {}, static_cast<double>(value));
  };
  counter("portcullis_guard_bans_refused_total", "Bans not made, because there was no room for more.", stats.refused);
  counter("portcullis_guard_bans_spared_total", "Failures after which an address was not banned, because enough people work from there.",
          stats.spared);
  counter("portcullis_guard_login_failures_total", "Logins that failed.", stats.failures);
  counter("portcullis_guard_failure_counts_forgotten_total", "Counts of failed logins pushed out by others while they still counted.",
          stats.counts_forgotten);
}

}  // namespace portcullis::guard
