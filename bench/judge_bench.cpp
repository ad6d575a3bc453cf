// What reading and judging a review costs, without the wire: the reference review of 10 KB, six rules and the whole answer.
#include <benchmark/benchmark.h>

#include <fstream>
#include <sstream>
#include <string>

#include "policy/document/load.hpp"
#include "policy/engine.hpp"
#include "webhook/answer.hpp"
#include "webhook/review.hpp"

namespace {

using namespace portcullis;

constexpr const char* platform = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: meridian-advisory}
spec:
  tier: 1
  timeZone: Europe/Zurich
  namespaces: [{name: meridian-finance-prod, environment: production, tenancy: dedicated}]
)";

constexpr const char* rules[] = {
    "{id: container-bounds, with: {require: [requests.cpu, requests.memory, limits.memory]}}",
    "{id: anti-affinity, with: {topologyKey: topology.kubernetes.io/zone}}",
    "{id: image-registry, with: {allow: [\"registry.hoster.example/odoo/**\"]}}",
    "{id: image-digest, with: {require: digest}}",
    "{id: no-inline-secret}",
    "{id: secret-reference}",
};

std::string file(const std::string& name) {
  std::stringstream text;
  text << std::ifstream(std::string(PORTCULLIS_SOURCE_DIR) + "/" + name).rdbuf();
  return text.str();
}

// The set with the first `count` rules (6: all), or only rule `only`.
std::shared_ptr<const policy::PolicySnapshot> snapshot(int only = -1, int more_policies = 0, int more_tenants = 0) {
  std::string text = platform;
  text += "---\napiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: production}\nspec:\n  rules:\n";
  for (int rule = 0; rule < 6; ++rule)
    if (only < 0 || rule == only) text += "    - " + std::string(rules[rule]) + "\n";
  for (int i = 0; i < more_tenants; ++i) {
    const std::string name = "tenant-" + std::to_string(i);
    text.append("---\napiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: ").append(name);
    text.append("}\nspec: {tier: 2, timeZone: UTC, namespaces: [{name: ").append(name);
    text.append("-prod, environment: production, tenancy: dedicated}]}\n");
  }
  for (int i = 0; i < more_policies; ++i) {
    text.append("---\napiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: p").append(std::to_string(i));
    text.append("}\nspec: {match: {tiers: [").append(std::to_string(2 + i % 2));
    text.append("]}, rules: [{id: replica-floor, with: {min: ").append(std::to_string(2 + i % 90)).append("}}]}\n");
  }
  auto documents = policy::load_documents({{"bench.yaml", text}});
  if (!documents) throw std::runtime_error(documents.error().front().message());
  auto compiled = policy::PolicySnapshot::compile(std::move(*documents));
  if (!compiled) throw std::runtime_error(compiled.error().front().message());
  return *compiled;
}

struct Body {
  explicit Body(const std::string& name) : text(file(name)), size(text.size()) { text.resize(size + 64); }
  [[nodiscard]] std::string_view view() const { return {text.data(), size}; }
  std::string text;
  std::size_t size;
};

void read_review(benchmark::State& state) {
  const Body body("bench/data/review-10k.json");
  webhook::Review review;
  for (auto _ : state)
    if (!webhook::read_review(body.view(), {}, {}, review)) state.SkipWithError("refused");
}
BENCHMARK(read_review)->Unit(benchmark::kMicrosecond);

void judge(benchmark::State& state) {
  const auto compiled = snapshot(static_cast<int>(state.range(0)));
  const Body body("bench/data/review-10k.json");
  webhook::Review review;
  if (!webhook::read_review(body.view(), {}, {}, review)) state.SkipWithError("refused");
  policy::PolicySnapshot::Scratch scratch;
  policy::Decision decision;
  const Instant now(std::chrono::seconds(1'763'900'000));
  for (auto _ : state) compiled->judge(review.subject, now, scratch, decision);
  if (decision.verdict != policy::Verdict::allow) state.SkipWithError("not allowed");
  state.SetLabel(state.range(0) < 0 ? "six rules" : std::string(rules[state.range(0)]).substr(5, 20));
}
BENCHMARK(judge)->DenseRange(-1, 5)->Unit(benchmark::kMicrosecond);

void judge_among(benchmark::State& state) {
  const auto compiled = snapshot(-1, static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const Body body("bench/data/review-10k.json");
  webhook::Review review;
  if (!webhook::read_review(body.view(), {}, {}, review)) state.SkipWithError("refused");
  policy::PolicySnapshot::Scratch scratch;
  policy::Decision decision;
  for (auto _ : state) compiled->judge(review.subject, Instant(std::chrono::seconds(1'763'900'000)), scratch, decision);
  state.SetLabel("policies, tenants");
}
BENCHMARK(judge_among)->Args({10, 10})->Args({1'000, 10})->Args({10, 10'000})->Unit(benchmark::kMicrosecond);

void whole_review(benchmark::State& state) {
  const auto compiled = snapshot();
  const Body body("bench/data/review-10k.json");
  webhook::Review review;
  policy::PolicySnapshot::Scratch scratch;
  policy::Decision decision;
  std::string answer;
  for (auto _ : state) {
    if (!webhook::read_review(body.view(), {}, {}, review)) state.SkipWithError("refused");
    compiled->judge(review.subject, Instant(std::chrono::seconds(1'763'900'000)), scratch, decision);
    webhook::write_validation(review.uid, review.subject, decision, compiled->hash(), answer);
    benchmark::DoNotOptimize(answer.data());
  }
}
BENCHMARK(whole_review)->Unit(benchmark::kMicrosecond);

}  // namespace
