// What is to become of certificates: single steps, and years of them under a random schedule.
#include "webhook/certificate_plan.hpp"

#include <array>
#include <random>

#include "net/certificate_authority.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::days day{1};
const Instant start{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};
const CertificateTerms terms{
    .names = net::service_names("portcullis-webhook", "gate"), .leaf_lifetime = 90 * day, .authority_lifetime = 3650 * day};

// The name of the step that comes next, which is taken; "" when all is well.
std::string step(CertificateSet& set, Trust trust, Instant now) {
  auto next = next_step(set, trust, terms, now).value();
  if (!next) return {};
  set = std::move(next->set);
  return std::string(step_name(next->what));
}

CertificateSet begun() {
  CertificateSet set;
  REQUIRE(step(set, Trust::unknown, start) == "begun");
  return set;
}

std::size_t trusted(const CertificateSet& set) { return net::read_certificates(set.bundle, "").value().size(); }

}  // namespace

TEST_CASE("an empty Secret gets an authority and a leaf at once", "[webhook][certificates]") {
  CertificateSet set = begun();
  CHECK(can_serve(set, terms, start));
  CHECK(trusted(set) == 1);
  CHECK_FALSE(set.retire_at);
  CHECK((leaf_due(set) == start + 60 * day));
  for (const Trust trust : {Trust::unknown, Trust::differs, Trust::settling, Trust::settled}) CHECK(step(set, trust, start).empty());
  CHECK(read_set(files_of(set)) == set);
}

TEST_CASE("a leaf is renewed at two thirds of its life, whatever is trusted", "[webhook][certificates]") {
  CertificateSet set = begun();
  const CertificateSet before = set;
  CHECK(step(set, Trust::unknown, start + 59 * day).empty());
  CHECK(step(set, Trust::unknown, start + 61 * day) == "leaf_renewed");
  CHECK(set.authority == before.authority);
  CHECK(set.bundle == before.bundle);
  CHECK_FALSE(set.leaf == before.leaf);
  CHECK(can_serve(set, terms, start + 61 * day));
}

TEST_CASE("an authority is renewed in an order that nobody notices", "[webhook][certificates]") {
  CertificateSet set = begun();
  Instant now = start;
  for (; now < start + 2400 * day; now += 61 * day) REQUIRE(step(set, Trust::settled, now) == (now == start ? "" : "leaf_renewed"));
  const net::PemPair former = set.authority;
  now = start + 2440 * day;
  CHECK(step(set, Trust::settled, now) == "authority_announced");
  CHECK(set.authority == former);
  CHECK(trusted(set) == 2);
  for (const Trust trust : {Trust::unknown, Trust::differs, Trust::settling}) {
    while (step(set, trust, now) == "leaf_renewed") {
    }
    CHECK(set.authority == former);
  }
  CHECK(step(set, Trust::settled, now) == "authority_renewed");
  CHECK_FALSE(set.authority == former);
  CHECK(set.next == net::PemPair{});
  CHECK(trusted(set) == 2);
  CHECK(can_serve(set, terms, now));
  REQUIRE(set.retire_at);
  CHECK(*set.retire_at >= now + terms.leaf_lifetime);
  CHECK(step(set, Trust::settled, now).empty());
  now = *set.retire_at;
  while (step(set, Trust::settled, now) == "leaf_renewed") {
  }
  CHECK(trusted(set) == 1);
  CHECK(can_serve(set, terms, now));
}

TEST_CASE("what somebody's hand did to the Secret is mended", "[webhook][certificates]") {
  struct Case {
    const char* name;
    void (*spoil)(CertificateSet&);
    const char* step;
    std::size_t trusted;
    bool same_leaf;  // a replica that serves it goes on
  };
  const Case cases[] = {
      {"the leaf is gone", [](CertificateSet& set) { set.leaf = {}; }, "leaf_renewed", 1, false},
      {"the leaf's key is another's", [](CertificateSet& set) { set.leaf.key = set.authority.key; }, "leaf_renewed", 1, false},
      {"the bundle is gone", [](CertificateSet& set) { set.bundle.clear(); }, "bundle_mended", 1, true},
      {"the authority's key is gone", [](CertificateSet& set) { set.authority.key.clear(); }, "authority_announced", 2, true},
      {"the authority is gone", [](CertificateSet& set) { set.authority = {}; }, "authority_announced", 2, true},
      {"only the bundle is left",
       [](CertificateSet& set) { set = {.authority = {}, .leaf = {}, .next = {}, .bundle = set.bundle, .retire_at = {}}; }, "begun", 2,
       false},
      {"all is gone", [](CertificateSet& set) { set = {}; }, "begun", 1, false},
      {"a leaf as authority", [](CertificateSet& set) { set.authority = set.leaf; }, "authority_announced", 2, true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CertificateSet set = begun();
      const CertificateSet before = set;
      c.spoil(set);
      CHECK(step(set, Trust::differs, start + day) == c.step);
      CHECK((set.leaf == before.leaf) == c.same_leaf);
      for (int more = 0; more < 4 && !step(set, Trust::settled, start + day).empty(); ++more) {
      }
      CHECK(can_serve(set, terms, start + day));
      CHECK(trusted(set) >= c.trusted - (c.step == std::string("authority_announced") ? 1 : 0));
    }
  }
}

TEST_CASE("an announced authority takes over at once where nothing is served any more", "[webhook][certificates]") {
  CertificateSet set = begun();
  set.authority.key.clear();
  REQUIRE(step(set, Trust::differs, start + day) == "authority_announced");
  const net::PemPair next = set.next;
  CHECK(step(set, Trust::differs, start + 91 * day) == "authority_renewed");
  CHECK(set.authority == next);
  CHECK(can_serve(set, terms, start + 91 * day));
}

TEST_CASE("other names are certified anew", "[webhook][certificates]") {
  CertificateSet set = begun();
  CertificateTerms moved = terms;
  moved.names = net::service_names("portcullis-webhook", "elsewhere");
  const auto next = next_step(set, Trust::settled, moved, start).value();
  REQUIRE(next);
  CHECK(next->what == CertificateStep::What::leaf_renewed);
  CHECK(can_serve(next->set, moved, start));
  CHECK(next->set.authority == set.authority);
}

TEST_CASE("a shorter life that is wanted by now is given at once, a longer one in its time", "[webhook][certificates]") {
  const CertificateSet set = begun();
  CertificateTerms other = terms;
  other.leaf_lifetime = 30 * day;
  const auto shorter = next_step(set, Trust::settled, other, start).value();
  REQUIRE(shorter);
  CHECK(shorter->what == CertificateStep::What::leaf_renewed);
  CHECK_FALSE(next_step(shorter->set, Trust::settled, other, start).value());
  other.leaf_lifetime = 180 * day;
  CHECK_FALSE(next_step(set, Trust::settled, other, start).value());
}

// Three replicas decide from what they last read of the Secret, write by compare-and-swap, and serve what they last read; two
// API servers learn of the configurations late. Whoever calls whom, whenever: the call is trusted.
TEST_CASE("no call fails in years of renewals", "[webhook][certificates]") {
  constexpr auto lag_max = 20s;  // of an API server behind the configurations
  constexpr auto settle = 30s;   // longer than that
  const CertificateTerms short_terms{.names = terms.names, .leaf_lifetime = 20min, .authority_lifetime = 100min};
  struct Replica {
    CertificateSet seen;
    std::uint64_t version = 0;
    std::optional<Instant> agreed_since;
    std::string agreed_bundle;
  };
  struct Server {
    std::string bundle;
    Instant learned;
  };
  std::mt19937 random(1);
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
  CertificateSet secret;
  std::uint64_t version = 1;
  std::string live;  // caBundle of the configurations
  std::array<Replica, 3> replicas;
  std::array<Server, 2> servers;
  std::map<std::string, int> steps;
  Instant now = start;
  std::size_t calls = 0;
  std::map<std::pair<std::string, std::string>, Instant> called_before;
  for (int turn = 0; turn < 900; ++turn) {
    now += std::chrono::seconds(1 + below(20));
    for (Server& server : servers) {
      if (server.bundle == live || below(3) == 0 || now - server.learned > lag_max) {
        server.bundle = live;
        server.learned = now;
      }
    }
    Replica& replica = replicas[static_cast<std::size_t>(below(3))];
    if (below(4) != 0) {
      replica.seen = secret;
      replica.version = version;
    }
    Trust trust = Trust::unknown;
    if (below(5) != 0) {
      const bool agrees = live == replica.seen.bundle;
      if (!agrees || replica.agreed_bundle != live) replica.agreed_since.reset();
      if (agrees && !replica.agreed_since) replica.agreed_since = now;
      replica.agreed_bundle = live;
      trust = !agrees ? Trust::differs : now - *replica.agreed_since >= settle ? Trust::settled : Trust::settling;
    }
    if (auto next = next_step(replica.seen, trust, short_terms, now).value()) {
      if (replica.version == version) {
        secret = next->set;
        ++version;
        ++steps[std::string(step_name(next->what))];
      }
      replica.seen = secret;
      replica.version = version;
    } else if (trust == Trust::differs && replica.version == version) {
      live = replica.seen.bundle;
      for (Server& server : servers) server.learned = now;
    }
    if (turn < 20) continue;  // not everybody has begun
    for (Replica& each : replicas) {
      if (!can_serve(each.seen, short_terms, now)) each.seen = secret, each.version = version;  // it asks at once
      for (const Server& server : servers) {
        // The same pair was good a moment ago.
        auto& good_until = called_before[{each.seen.leaf.certificate, server.bundle}];
        if (now < good_until) continue;
        good_until = now + 1min;
        const auto called = net::verify_chain(each.seen.leaf.certificate, server.bundle, short_terms.names.front(), now);
        CAPTURE(turn, (called ? "" : called.error().message()));
        REQUIRE(called);
        ++calls;
      }
    }
  }
  CHECK(calls > 150);
  CHECK(steps["begun"] == 1);
  CHECK(steps["leaf_renewed"] >= 10);
  CHECK(steps["authority_announced"] >= 2);
  CHECK(steps["authority_renewed"] >= 2);
  CHECK(steps["authority_retired"] >= 1);
}
