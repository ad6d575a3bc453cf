#include "webhook/metrics.hpp"

#include <algorithm>

#include "policy/rule/rule.hpp"

namespace portcullis::webhook {
namespace {

constexpr std::array<policy::Verdict, 3> verdicts{policy::Verdict::allow, policy::Verdict::warn, policy::Verdict::deny};

}  // namespace

WebhookMetrics::WebhookMetrics() {
  std::vector<std::string_view> ids = policy::rule_ids();
  ids.insert(ids.end(), {"unknown-namespace", "namespace-mismatch"});  // findings that no policy asks for
  for (const std::string_view id : ids) {
    rules_.push_back(std::make_unique<RuleCounters>());
    rules_.back()->rule = id;
  }
}

void WebhookMetrics::count(const policy::Decision& decision) {
  if (decision.verdict != policy::Verdict::deny &&
      std::any_of(decision.unjudged.begin(), decision.unjudged.end(),
                  [](const policy::Unjudged& each) { return each.mode == policy::Mode::enforce; }))
    failed_open.add();
  if (!decision.limit.empty()) {
    over_budget.add();
  } else if (!decision.skipped.empty()) {
    skipped_.add();
  } else if (decision.findings.empty()) {
    plain_allows_.add();
  }
  for (const policy::PolicyFinding& finding : decision.findings)
    for (const auto& each : rules_)
      if (each->rule == finding.rule) each->by_verdict[static_cast<std::size_t>(finding.weight())].add();
}

void WebhookMetrics::expose(observe::Scrape& scrape) const {
  using observe::MetricType;
  constexpr std::string_view decisions = "portcullis_decisions_total";
  constexpr std::string_view decisions_help = "Decisions by door, verdict and rule; without findings the rule is `none`.";
  const auto decision = [&](std::string_view verdict, std::string_view rule, const observe::Counter& counter) {
    scrape.sample(decisions, decisions_help, MetricType::counter,
                  {{"door", "webhook"}, {"verdict", std::string(verdict)}, {"rule", std::string(rule)}},
                  static_cast<double>(counter.value()));
  };
  decision("allow", "none", plain_allows_);
  decision("allow", "skipped", skipped_);
  decision("deny", "work-budget", over_budget);
  for (const auto& each : rules_)
    for (const policy::Verdict verdict : verdicts)
      decision(verdict_name(verdict), each->rule, each->by_verdict[static_cast<std::size_t>(verdict)]);
  constexpr std::string_view duration = "portcullis_webhook_request_duration_seconds";
  constexpr std::string_view duration_help = "Time from the first byte of a review to its answer.";
  scrape.histogram(duration, duration_help, {{"path", "/validate"}}, validate_duration.totals());
  scrape.histogram(duration, duration_help, {{"path", "/mutate"}}, mutate_duration.totals());
  const auto counter = [&](std::string_view name, std::string_view help, const observe::Counter& value) {
    scrape.sample(name, help, MetricType::counter, {}, static_cast<double>(value.value()));
  };
  counter("portcullis_webhook_patches_total", "Answers of /mutate that carried a patch.", patches);
  counter("portcullis_webhook_malformed_total", "Reviews that could not be read, answered 4xx.", malformed);
  counter("portcullis_webhook_late_total", "Reviews answered 503 because their deadline had passed.", late);
  counter("portcullis_webhook_unavailable_total", "Reviews answered 503 because a fact that a rule needs could not be had.", unavailable);
  counter("portcullis_webhook_failed_open_total", "Reviews let through though a rule could not be judged, as its failureMode says.",
          failed_open);
  counter("portcullis_webhook_patch_errors_total", "Patches that could not be proven, answered 500.", patch_errors);
}

}  // namespace portcullis::webhook
