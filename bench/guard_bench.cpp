// What a guard request costs without the wire: the whole handler on a request that passes with five keys charged, its
// parts, and the limiter with a thousand keys (in cache) and a million (a miss each).
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "guard/decide.hpp"
#include "guard/handler.hpp"
#include "guard/identify.hpp"
#include "guard/limiter.hpp"
#include "guard/path.hpp"
#include "guard/route_class.hpp"
#include "guard/trie.hpp"

namespace {

using namespace portcullis;
using namespace portcullis::guard;
using namespace std::chrono_literals;

constexpr std::string_view uri = "/web/dataset/call_kw/res.partner/web_search_read?x=1";

policy::Network network(std::string_view address, unsigned prefix) {
  const Address bytes = *parse_address(address);
  return {bytes, static_cast<std::uint8_t>(is_ipv4(bytes) ? prefix + 96 : prefix)};
}

// One tenant with an office list, an access entry and a plan whose limits are never reached.
policy::DocumentSet documents() {
  policy::DocumentSet set;
  policy::GuardPolicy& guard_policy = set.guard_policy.emplace();
  guard_policy.trusted_proxies.networks = {network("127.0.0.0", 8), network("10.42.0.0", 16)};
  guard_policy.plans = {{"gold", 4, policy::Limit{policy::LimitKey::tenant, {1e9, 1s}, 1'000'000'000}}};
  policy::ClassOverride wide;
  wide.name = "rpc-web";
  wide.limits = {{policy::LimitKey::session, {1e9, 1s}, 1'000'000'000},
                 {policy::LimitKey::address, {1e9, 1s}, 1'000'000'000},
                 {policy::LimitKey::tenant, {1e9, 1s}, 1'000'000'000}};
  guard_policy.classes = {wide};
  policy::Tenant& tenant = set.tenants.emplace_back();
  tenant.name = "acme";
  tenant.hosts = {"erp.acme.example"};
  tenant.guard.emplace().plan = "gold";
  policy::NetworkList offices;
  offices.name = "offices";
  offices.networks = {network("198.51.100.0", 24), network("2001:db8:77::", 48)};
  tenant.guard->lists = {offices};
  policy::AccessEntry entry;
  entry.classes = {"rpc-web"};
  entry.allow = {"offices"};
  entry.default_allow = false;
  tenant.guard->access = {entry};
  return set;
}

struct Sample {
  std::string cookie = "frontend_lang=fr_FR; session_id=" + std::string(84, 's') + "; cids=1";
  std::vector<net::Field> fields{{"Host", "guard.example"},
                                 {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
                                 {"Accept", "*/*"},
                                 {"Content-Type", "application/json"},
                                 {"Cookie", cookie},
                                 {"Origin", "https://erp.acme.example"},
                                 {"X-Forwarded-For", "198.51.100.7"},
                                 {"X-Forwarded-Host", "erp.acme.example"},
                                 {"X-Forwarded-Method", "POST"},
                                 {"X-Forwarded-Proto", "https"},
                                 {"X-Forwarded-Uri", uri},
                                 {"Accept-Encoding", "gzip"}};
  net::Request request;
  Sample() {
    request.method = "GET";
    request.target = "/auth";
    request.fields = fields;
    request.peer.address = *parse_address("10.42.0.3");
    request.received = Clock::now();
  }
};

void whole_handler(benchmark::State& state) {
  Guard guard;
  guard.swap_in(GuardSnapshot::compile(documents()));
  const auto handler = make_handler(guard, nullptr);
  Sample sample;
  net::Response response;
  for (auto _ : state) {
    handler->answer(sample.request, response);
    if (response.status != 200) return state.SkipWithError("did not pass");
  }
}
BENCHMARK(whole_handler);

void identify_request(benchmark::State& state) {
  const auto snapshot = GuardSnapshot::compile(documents());
  const SipKey seed = SipKey::random();
  Sample sample;
  IdentifyScratch scratch;
  for (auto _ : state) {
    Identity identity;
    benchmark::DoNotOptimize(identify(*snapshot, seed, sample.request, std::nullopt, scratch, identity));
  }
}
BENCHMARK(identify_request);

void decide_request(benchmark::State& state) {
  MomentMaker maker;
  const auto moment = maker.make(GuardSnapshot::compile(documents()), {}, 0);
  Limiter limiter;
  const SipKey seed = SipKey::random();
  GuardSubject subject{
      .tenant = *moment->documents().tenant_named("acme"), .route_class = RouteClass::rpc_web, .client = *parse_address("198.51.100.7")};
  subject.sessions.keys[subject.sessions.count++] = 42;
  DecideScratch scratch;
  std::int64_t now = 1'000'000'000'000;
  for (auto _ : state) benchmark::DoNotOptimize(decide(*moment, {.limiter = limiter, .seed = seed}, subject, ++now, scratch));
}
BENCHMARK(decide_request);

void normalise_and_classify(benchmark::State& state) {
  PathBuffer buffer;
  for (auto _ : state) {
    PathForms forms;
    benchmark::DoNotOptimize(normalise_path(uri, buffer, forms));
    benchmark::DoNotOptimize(classify(forms, "POST"));
  }
}
BENCHMARK(normalise_and_classify);

void limiter_one_key(benchmark::State& state) {
  Limiter limiter;
  const SipKey seed = SipKey::random();
  std::vector<std::uint64_t> keys(static_cast<std::size_t>(state.range(0)));
  std::mt19937_64 random(1);
  for (auto& key : keys) {
    const std::uint64_t text = random();
    key = siphash(seed, &text, sizeof text);
  }
  std::int64_t now = 1'000'000'000'000;
  std::size_t at = 0;
  for (auto _ : state) {
    Charge charge;
    charge.fingerprint = keys[at];
    charge.limit = Gcra{1000, 1'000'000};
    benchmark::DoNotOptimize(limiter.charge({&charge, 1}, now += 100));
    at = at + 1 == keys.size() ? 0 : at + 1;
  }
}
BENCHMARK(limiter_one_key)->Arg(1'000)->Arg(1'000'000);

void trie_find(benchmark::State& state) {
  std::mt19937_64 random(2);
  std::vector<Trie::Entry> entries(static_cast<std::size_t>(state.range(0)));
  for (auto& entry : entries) {
    entry.address = *parse_address("0.0.0.0");
    for (std::size_t i = mapped_prefix_bytes; i < entry.address.size(); ++i) entry.address[i] = static_cast<std::uint8_t>(random());
    entry.prefix = static_cast<std::uint8_t>(96 + 16 + random() % 17);
  }
  const Trie trie(entries);
  Address probe = *parse_address("0.0.0.0");
  for (auto _ : state) {
    const std::uint64_t bits = random();
    for (std::size_t i = 0; i < 4; ++i) probe[mapped_prefix_bytes + i] = static_cast<std::uint8_t>(bits >> (8 * i));
    benchmark::DoNotOptimize(trie.find(probe));
  }
}
BENCHMARK(trie_find)->Arg(10)->Arg(100'000);

void build_trie(benchmark::State& state) {
  std::mt19937_64 random(3);
  std::vector<Trie::Entry> entries(100'000);
  for (auto& entry : entries) {
    for (auto& byte : entry.address) byte = static_cast<std::uint8_t>(random());
    entry.prefix = static_cast<std::uint8_t>(32 + random() % 97);
  }
  for (auto _ : state) benchmark::DoNotOptimize(Trie(entries));
}
BENCHMARK(build_trie)->Unit(benchmark::kMillisecond);

void compile_tenants(benchmark::State& state) {
  policy::DocumentSet set = documents();
  const policy::Tenant tenant = set.tenants.front();
  for (int i = 1; i < state.range(0); ++i) {
    set.tenants.push_back(tenant);
    set.tenants.back().name += std::to_string(i);
    set.tenants.back().hosts = {"erp" + std::to_string(i) + ".example"};
  }
  for (auto _ : state) benchmark::DoNotOptimize(GuardSnapshot::compile(set));
}
BENCHMARK(compile_tenants)->Arg(10)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
