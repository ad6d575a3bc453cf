#include "webhook/handler.hpp"

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "observe/log.hpp"
#include "policy/engine.hpp"
#include "webhook/answer.hpp"
#include "webhook/deadline.hpp"
#include "webhook/patching.hpp"
#include "webhook/review.hpp"

namespace portcullis::webhook {
namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::string_view text_type = "text/plain; charset=utf-8";
constexpr std::size_t reason_bytes_max = 1'024;  // of a record; the whole text is in the answer

Instant system_now() { return std::chrono::floor<std::chrono::seconds>(WallClock::now()); }

bool is_json(std::string_view content_type) {
  constexpr std::string_view wanted = "application/json";
  if (content_type.size() < wanted.size()) return false;
  const bool same = std::equal(wanted.begin(), wanted.end(), content_type.begin(),
                               [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b); });
  return same && (content_type.size() == wanted.size() || content_type[wanted.size()] == ';' || content_type[wanted.size()] == ' ');
}

enum class Door { validate, mutate };

class WebhookHandler final : public net::Handler {
 public:
  WebhookHandler(const config::Store& store, audit::Log& log, WebhookMetrics& metrics, WebhookOptions options)
      : store_(store), reader_(store), writer_(log.writer()), metrics_(metrics), options_(std::move(options)) {
    if (!options_.now) options_.now = system_now;
  }

  void answer(const net::Request& request, net::Response& response) override {
    const std::string_view path = request.path();
    if (path == "/validate") return review(Door::validate, request, response);
    if (path == "/mutate") return review(Door::mutate, request, response);
    if (path == "/healthz") return say(response, 200, "ok\n");
    if (path == "/readyz") return ready(request, response);
    say(response, 404, "no such path; POST /validate or /mutate\n");
  }

 private:
  static void say(net::Response& response, int status, std::string_view text) {
    response.status = status;
    response.content_type = text_type;
    response.body.assign(text);
  }

  void ready(const net::Request& request, net::Response& response) {
    if (request.draining) return say(response, 503, "draining\n");
    const config::StoreStatus status = store_.status();
    say(response, 200, "ok\n");
    response.body += "documents " + std::string(reader_.snapshot()->hash()) + "\n";
    if (!status.last_error.empty()) response.body += "last reload refused: " + printable(status.last_error, message_bytes_max) + "\n";
  }

  void review(Door door, const net::Request& request, net::Response& response) {
    if (request.method != "POST") {
      response.header("allow", "POST");
      return say(response, 405, "want POST\n");
    }
    if (!is_json(field_value(request, "content-type"))) return say(response, 415, "want Content-Type: application/json\n");
    const policy::PolicySnapshot& snapshot = *reader_.snapshot();
    const std::chrono::milliseconds budget = answer_budget(request.query());
    const Result<void> read = read_review(request.body, snapshot.documents().platform.workload_kinds, options_.budget, review_);
    if (!read) {
      metrics_.malformed.add();
      observe::log_limited(observe::Level::warn, "review_refused", {{"peer", request.peer.text()}, {"reason", read.error().message()}});
      return say(response, 400, "no AdmissionReview that can be judged: " + read.error().message() + "\n");
    }
    if (Clock::now() > request.received + budget) {
      metrics_.late.add();
      response.header("retry-after", "1");
      return say(response, 503, "the review's time was over before it could be judged\n");
    }
    if (door == Door::validate) {
      validate(request, snapshot, budget, response);
    } else {
      mutate(request, snapshot, budget, response);
    }
  }

  // What denies at both doors without judging: an object too large to judge, or one that says it is elsewhere.
  bool deny_unjudged(const policy::PolicySnapshot& snapshot) {
    decision_.clear();
    if (review_.over != policy::OverBudget::no) {
      decision_.limit = review_.over == policy::OverBudget::depth
                            ? "the object is nested deeper than " + std::to_string(options_.budget.depth_max) + " levels"
                            : "the object has more than " + std::to_string(options_.budget.nodes_max) + " values";
    } else if (review_.namespace_differs) {
      policy::PolicyFinding& finding = decision_.findings.emplace_back();
      finding.rule = "namespace-mismatch";
      finding.policy = snapshot.documents().platform.name;
      finding.finding = {.what = "object of another namespace",
                         .where = "metadata.namespace",
                         .found = quoted(review_.subject.judged().metadata["namespace"].text()),
                         .wanted = "the namespace of the request",
                         .fix = "send the object to its own namespace"};
    } else {
      return false;
    }
    decision_.verdict = policy::Verdict::deny;
    return true;
  }

  void validate(const net::Request& request, const policy::PolicySnapshot& snapshot, std::chrono::milliseconds budget,
                net::Response& response) {
    if (!deny_unjudged(snapshot)) snapshot.judge(review_.subject, options_.now(), scratch_, decision_);
    response.content_type = json_type;
    write_validation(review_.uid, review_.subject, decision_, snapshot.hash(), response.body);
    metrics_.count(decision_);
    const auto took = Clock::now() - request.received;
    metrics_.validate_duration.observe(std::chrono::duration<double>(took).count());
    record(Door::validate, request, snapshot, budget, took, verdict_name(decision_.verdict), false);
  }

  void mutate(const net::Request& request, const policy::PolicySnapshot& snapshot, std::chrono::milliseconds budget,
              net::Response& response) {
    response.content_type = json_type;
    patch_.clear();
    std::string_view verdict = "allow";
    if (deny_unjudged(snapshot)) {
      write_validation(review_.uid, review_.subject, decision_, snapshot.hash(), response.body);
      metrics_.count(decision_);
      verdict = "deny";
    } else {
      const Instant now = options_.now();
      snapshot.mend(review_.subject, now, scratch_, patch_);
      if (!patch_.empty()) {
        if (const Result<void> proven = prove(snapshot, review_.subject, now, patch_); !proven) {
          metrics_.patch_errors.add();
          observe::log_limited(observe::Level::error, "patch_not_sent",
                               {{"kind", review_.subject.kind},
                                {"namespace", review_.subject.name_space},
                                {"name", review_.subject.name},
                                {"reason", proven.error().message()}});
          patch_.clear();
          say(response, 500, "internal error: a patch was made that does not hold\n");
          record(Door::mutate, request, snapshot, budget, Clock::now() - request.received, "error", false);
          return;
        }
        metrics_.patches.add();
      }
      write_mutation(review_.uid, patch_, response.body);
    }
    const auto took = Clock::now() - request.received;
    metrics_.mutate_duration.observe(std::chrono::duration<double>(took).count());
    record(Door::mutate, request, snapshot, budget, took, verdict, !patch_.empty());
  }

  void record(Door door, const net::Request& request, const policy::PolicySnapshot& snapshot, std::chrono::milliseconds budget,
              Clock::duration took, std::string_view verdict, bool patched) {
    const policy::Subject& subject = review_.subject;
    resource_.clear();
    if (!subject.resource_group.empty()) resource_.append(subject.resource_group) += '/';
    resource_.append(subject.version) += '/';
    resource_ += subject.resource;
    if (!subject.subresource.empty()) (resource_ += '/') += subject.subresource;
    rules_.clear();
    std::string_view exception;
    for (const policy::PolicyFinding& finding : decision_.findings) {
      if (std::find(rules_.begin(), rules_.end(), finding.rule) == rules_.end()) rules_.push_back(finding.rule);
      if (!finding.exception.empty()) exception = finding.exception;
    }
    std::string reason;
    if (decision_.verdict == policy::Verdict::deny) {
      reason = denial_message(decision_);
      std::replace(reason.begin(), reason.end(), '\n', ' ');  // a record is one line
      reason = printable(reason, reason_bytes_max);
    }
    audit::AdmissionRecord record;
    record.door = door == Door::validate ? "validate" : "mutate";
    record.uid = review_.uid;
    record.operation = operation_name(subject.operation);
    record.resource = resource_;
    record.kind = subject.kind;
    record.name_space = subject.name_space;
    record.name = subject.name;
    record.tenant = tenant_of(snapshot);
    record.user = subject.user.name;
    record.verdict = verdict;
    record.rules = rules_;
    record.exception = exception;
    record.reason = decision_.verdict == policy::Verdict::deny ? std::string_view(reason) : decision_.skipped;
    record.policy_hash = snapshot.hash();
    const policy::Value annotations = subject.judged().annotations;
    if (annotations.present()) {
      record.change_ticket = annotations["portcullis.dev/change-ticket"].text();
      record.approved_by = annotations["portcullis.dev/approved-by"].text();
    }
    // Hashing 10 KB costs as much as judging it, so the plain allows go without.
    if (verdict != "allow" || patched || !decision_.findings.empty()) record.input = request.body;
    record.microseconds = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    record.deadline_ms = budget.count();
    record.dry_run = subject.dry_run;
    record.patched = patched;
    writer_->record(record);
  }

  std::string_view tenant_of(const policy::PolicySnapshot& snapshot) const {
    if (!decision_.tenant.empty()) return decision_.tenant;
    const auto owner = snapshot.owner_of(review_.subject.name_space);
    return owner ? std::string_view(owner.tenant->name) : std::string_view{};
  }

  const config::Store& store_;
  config::Reader reader_;
  std::unique_ptr<audit::Log::Writer> writer_;
  WebhookMetrics& metrics_;
  WebhookOptions options_;

  // Memory of the loop, reused from review to review.
  Review review_;
  policy::Decision decision_;
  policy::Patch patch_;
  policy::PolicySnapshot::Scratch scratch_;
  std::string resource_;
  std::vector<std::string_view> rules_;
};

}  // namespace

net::Server::HandlerFactory make_handlers(const config::Store& store, audit::Log& log, WebhookMetrics& metrics, WebhookOptions options) {
  return [&store, &log, &metrics, options = std::move(options)](unsigned) -> std::unique_ptr<net::Handler> {
    return std::make_unique<WebhookHandler>(store, log, metrics, options);
  };
}

}  // namespace portcullis::webhook
