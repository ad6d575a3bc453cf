// What a decision costs its loop to record, and whether writing lines by hand pays: the same record by nlohmann/json.
//
// Record/*: Log::Writer::record() alone, in bursts that fit the buffer; the writing thread empties it outside the time taken.
// Written/*: a burst from the first record until all of it is with the kernel (/dev/null), a line.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "audit/line.hpp"
#include "audit/log.hpp"
#include "base/clock.hpp"

namespace portcullis::audit {
namespace {

constexpr int burst = 4096;
constexpr std::array<std::string_view, 2> rules{"image-digest", "replica-floor"};
constexpr std::array<std::uint8_t, 4> address{203, 0, 113, 7};

AdmissionRecord admission() {
  AdmissionRecord record;
  record.uid = "705ab4f5-6393-11e8-b7cc-42010a800002";
  record.operation = "CREATE";
  record.resource = "apps/v1/deployments";
  record.kind = "Deployment";
  record.name_space = "t-acme";
  record.name = "odoo";
  record.tenant = "acme";
  record.user = "system:serviceaccount:argocd:argocd-application-controller";
  record.verdict = "deny";
  record.rules = rules;
  record.reason = "image has no digest: spec.template.spec.containers[odoo].image: found `odoo:17`, want a digest";
  record.policy_hash = "sha256:0f343b0931126a20f133d67c2b018a3b0f343b0931126a20f133d67c2b018a3b";
  record.door = "validate";
  record.microseconds = 41;
  record.deadline_ms = 9000;
  return record;
}

GuardRecord guard() {
  GuardRecord record;
  record.tenant = "acme";
  record.route_class = "page";
  record.verdict = "refuse";  // a pass may be dropped, which is cheaper than it should look here
  record.reason = "page-ip";
  record.method = "GET";
  record.path = "/web/dataset/call_kw/sale.order/web_search_read";
  record.client = address;
  record.status = 429;
  record.policy_hash = "sha256:0f343b0931126a20f133d67c2b018a3b0f343b0931126a20f133d67c2b018a3b";
  record.microseconds = 6;
  return record;
}

template <class Record>
void run(benchmark::State& state, const Record& record, bool is_flush_counted) {
  LogOptions options;
  options.file = "/dev/null";
  options.buffer_bytes_max = 16 * 1024 * 1024;  // a burst fits wherever the ring stands
  const auto opened = Log::open(options);
  if (!opened) std::abort();
  Log& log = **opened;
  const auto writer = log.writer();
  for (auto _ : state) {
    const auto start = Clock::now();
    for (int i = 0; i < burst; ++i) writer->record(record);
    if (is_flush_counted) log.flush();
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
    if (!is_flush_counted) log.flush();
  }
  if (log.stats().dropped > 0 || log.stats().waits > 0) state.SkipWithError("the buffer was too small for the burst");
  state.SetItemsProcessed(state.iterations() * burst);
}

// The same line as a tree and its dump.
void run_nlohmann(benchmark::State& state) {
  const AdmissionRecord record = admission();
  for (auto _ : state) {
    nlohmann::ordered_json line;
    const Moment moment = Moment::now();
    line["t"] = "2026-11-23T14:46:27.123456Z";
    line["mono"] = moment.steady_microseconds;
    line["boot"] = "0123456789abcdef0123456789abcdef";
    line["kind"] = "admission";
    line["door"] = record.door;
    line["uid"] = record.uid;
    line["op"] = record.operation;
    line["res"] = record.resource;
    line["object"] = record.kind;
    line["ns"] = record.name_space;
    line["name"] = record.name;
    line["tenant"] = record.tenant;
    line["who"] = record.user;
    line["verdict"] = record.verdict;
    line["rules"] = record.rules;
    line["reason"] = record.reason;
    line["policy"] = record.policy_hash;
    line["us"] = record.microseconds;
    line["dry"] = record.dry_run;
    line["deadline_ms"] = record.deadline_ms;
    line["patched"] = record.patched;
    benchmark::DoNotOptimize(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  state.SetItemsProcessed(state.iterations());
}

template <class Record>
void run_line(benchmark::State& state, const Record& record) {
  LineFormat format("0123456789abcdef0123456789abcdef");
  std::string out(frame_text_bytes_max, '\0');
  for (auto _ : state) {
    benchmark::DoNotOptimize(format.write(record, Moment::now(), out.data()));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(run_line, audit_line_admission, admission());
BENCHMARK_CAPTURE(run_line, audit_line_guard, guard());
BENCHMARK(run_nlohmann)->Name("audit_line_admission_nlohmann");
BENCHMARK_CAPTURE(run, audit_record_admission, admission(), false)->UseManualTime();
BENCHMARK_CAPTURE(run, audit_record_guard, guard(), false)->UseManualTime();
BENCHMARK_CAPTURE(run, audit_written_admission, admission(), true)->UseManualTime();
BENCHMARK_CAPTURE(run, audit_written_guard, guard(), true)->UseManualTime();

}  // namespace
}  // namespace portcullis::audit
