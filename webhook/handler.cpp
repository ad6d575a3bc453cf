#include "webhook/handler.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>

#include "base/text.hpp"
#include "net/waker.hpp"
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

// One review as it was asked.
struct Asked {
  std::string_view body;  // body_padding_bytes readable behind it
  Clock::time_point received;
  std::chrono::milliseconds budget;
};

// A review whose answer waits for the ledger. The ledger's thread writes `outcome` before it wakes the loop, and nobody reads
// it before.
struct Waiting {
  std::string body;  // with its padding
  std::size_t body_bytes = 0;
  Clock::time_point received;
  std::chrono::milliseconds budget{};
  config::Store::Snapshot documents;  // that asked for the charge: the answer to it is an answer to them alone
  policy::ChargeOutcome outcome;
};

class WebhookHandler final : public net::Handler {
 public:
  WebhookHandler(const config::Store& store, audit::Log& log, WebhookMetrics& metrics, WebhookOptions options)
      : store_(store), reader_(store), writer_(log.writer()), metrics_(metrics), options_(std::move(options)) {
    if (!options_.now) options_.now = system_now;
    if (options_.cluster) cluster_.emplace(*options_.cluster);
  }

  void attach(const std::shared_ptr<net::Waker>& waker) override { waker_ = waker; }

  void answer(const net::Request& request, net::Response& response) override {
    const std::string_view path = request.path();
    if (path == "/validate") return review(Door::validate, request, response);
    if (path == "/mutate") return review(Door::mutate, request, response);
    if (path == "/healthz") return say(response, 200, "ok\n");
    if (path == "/readyz") return ready(request, response);
    say(response, 404, "no such path; POST /validate or /mutate\n");
  }

  void finish(std::uint64_t ticket, net::Response& response) override {
    const auto found = waiting_.find(ticket);
    if (found == waiting_.end()) return say(response, 500, "internal error: nobody waits for this\n");
    const std::shared_ptr<Waiting> waiting = found->second;
    forget(found);
    const policy::PolicySnapshot& snapshot = *waiting->documents;
    const Asked asked{std::string_view(waiting->body).substr(0, waiting->body_bytes), waiting->received, waiting->budget};
    // It could be read the first time, by the same documents.
    if (const Result<void> read = read_review(asked.body, snapshot.documents().platform.workload_kinds, options_.budget, review_); !read)
      return refuse_unread(read.error(), "", response);
    judge(snapshot, &waiting->outcome);
    answer_validation(asked, snapshot, response);
  }

  void abandoned(std::uint64_t ticket) noexcept override {
    if (const auto found = waiting_.find(ticket); found != waiting_.end()) forget(found);
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
    const std::string why = options_.not_ready_because ? options_.not_ready_because() : std::string();
    say(response, why.empty() ? 200 : 503, why.empty() ? std::string_view("ok\n") : std::string_view(why));
    if (!why.empty()) response.body += '\n';
    response.body += "documents " + std::string(reader_.snapshot()->hash()) + "\n";
    if (!status.last_error.empty()) response.body += "last reload refused: " + printable(status.last_error, message_bytes_max) + "\n";
  }

  void review(Door door, const net::Request& request, net::Response& response) {
    if (request.method != "POST") {
      response.header("allow", "POST");
      return say(response, 405, "want POST\n");
    }
    if (!is_json(field_value(request, "content-type"))) return say(response, 415, "want Content-Type: application/json\n");
    const config::Store::Snapshot& documents = reader_.snapshot();
    const policy::PolicySnapshot& snapshot = *documents;
    const std::chrono::milliseconds budget = answer_budget(request.query());
    const Result<void> read = read_review(request.body, snapshot.documents().platform.workload_kinds, options_.budget, review_);
    if (!read) return refuse_unread(read.error(), request.peer.text(), response);
    if (Clock::now() > request.received + budget) {
      metrics_.late.add();
      response.header("retry-after", "1");
      return say(response, 503, "the review's time was over before it could be judged\n");
    }
    const Asked asked{request.body, request.received, budget};
    if (door == Door::validate) {
      validate(asked, documents, response);
    } else {
      mutate(asked, snapshot, response);
    }
  }

  void refuse_unread(const Error& error, std::string_view peer, net::Response& response) {
    metrics_.malformed.add();
    observe::log_limited(observe::Level::warn, "review_refused", {{"peer", peer}, {"reason", error.message()}});
    say(response, 400, "no AdmissionReview that can be judged: " + error.message() + "\n");
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

  void judge(const policy::PolicySnapshot& snapshot, const policy::ChargeOutcome* outcome) {
    const policy::ClusterFacts* facts = cluster_ ? &cluster_->facts() : nullptr;
    snapshot.judge(review_.subject, options_.now(), scratch_, decision_, facts, outcome);
  }

  void validate(const Asked& asked, const config::Store::Snapshot& documents, net::Response& response) {
    const policy::PolicySnapshot& snapshot = *documents;
    if (!deny_unjudged(snapshot)) {
      judge(snapshot, nullptr);
      if (decision_.charge && ask_ledger(asked, documents, response)) return;
    }
    answer_validation(asked, snapshot, response);
  }

  // True when the answer waits; else the decision holds.
  bool ask_ledger(const Asked& asked, const config::Store::Snapshot& documents, net::Response& response) {
    policy::ChargeOutcome outcome;
    if (!options_.ledger) {
      outcome.why = "there is no ledger";
    } else if (review_.subject.dry_run) {
      outcome = options_.ledger->would_grant(*decision_.charge);
    } else if (waiting_.size() >= waiting_reviews_max || waiting_bytes_ + asked.body.size() > waiting_bytes_max) {
      outcome.why = "too many reviews wait for the ledger";
    } else {
      const Clock::time_point now = Clock::now();
      const Deadline deadline = std::min(asked.received + asked.budget - ledger_margin, now + ledger_time_max);
      auto waiting = std::make_shared<Waiting>();
      waiting->body.reserve(asked.body.size() + net::body_padding_bytes);
      waiting->body.append(asked.body).append(net::body_padding_bytes, '\0');
      waiting->body_bytes = asked.body.size();
      waiting->received = asked.received;
      waiting->budget = asked.budget;
      waiting->documents = documents;
      const std::uint64_t ticket = ++last_ticket_;
      waiting_bytes_ += waiting->body_bytes;
      waiting_.emplace(ticket, waiting);
      response.wait(ticket);
      options_.ledger->charge(*std::move(decision_.charge), deadline,
                              [waiting = std::move(waiting), waker = waker_, ticket](policy::ChargeOutcome said) {
                                waiting->outcome = std::move(said);
                                waker->wake(ticket);
                              });
      return true;
    }
    judge(*documents, &outcome);
    return false;
  }

  void forget(std::map<std::uint64_t, std::shared_ptr<Waiting>>::iterator found) noexcept {
    waiting_bytes_ -= found->second->body_bytes;
    waiting_.erase(found);
  }

  void note_deletion() {
    const policy::Subject& subject = review_.subject;
    if (!options_.ledger || subject.operation != policy::Operation::remove || subject.dry_run || !subject.subresource.empty() ||
        decision_.verdict == policy::Verdict::deny)
      return;
    std::string resource(subject.resource);
    if (!subject.resource_group.empty()) (resource += '.') += subject.resource_group;
    options_.ledger->deleted(resource, subject.name_space, subject.name);
  }

  // What `decision_` says, sent and recorded.
  void answer_validation(const Asked& asked, const policy::PolicySnapshot& snapshot, net::Response& response) {
    const auto took = Clock::now() - asked.received;
    if (!decision_.unavailable.empty()) {
      metrics_.unavailable.add();
      observe::log_limited(observe::Level::warn, "review_not_judged",
                           {{"kind", review_.subject.kind},
                            {"namespace", review_.subject.name_space},
                            {"name", review_.subject.name},
                            {"reason", decision_.unavailable}});
      response.header("retry-after", "1");
      say(response, 503, decision_.unavailable + "\n");
      record(Door::validate, asked, snapshot, took, "error", false);
      return;
    }
    response.content_type = json_type;
    write_validation(review_.uid, review_.subject, decision_, snapshot.hash(), response.body);
    note_deletion();
    metrics_.count(decision_);
    metrics_.validate_duration.observe(std::chrono::duration<double>(took).count());
    record(Door::validate, asked, snapshot, took, verdict_name(decision_.verdict), false);
  }

  void mutate(const Asked& asked, const policy::PolicySnapshot& snapshot, net::Response& response) {
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
          record(Door::mutate, asked, snapshot, Clock::now() - asked.received, "error", false);
          return;
        }
        metrics_.patches.add();
      }
      write_mutation(review_.uid, patch_, response.body);
    }
    const auto took = Clock::now() - asked.received;
    metrics_.mutate_duration.observe(std::chrono::duration<double>(took).count());
    record(Door::mutate, asked, snapshot, took, verdict, !patch_.empty());
  }

  void record(Door door, const Asked& asked, const policy::PolicySnapshot& snapshot, Clock::duration took, std::string_view verdict,
              bool patched) {
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
    record.reason = decision_.verdict == policy::Verdict::deny ? std::string_view(reason)
                    : !decision_.unavailable.empty()           ? std::string_view(decision_.unavailable)
                                                               : decision_.skipped;
    record.policy_hash = snapshot.hash();
    const policy::Value annotations = subject.judged().annotations;
    if (annotations.present()) {
      record.change_ticket = annotations["portcullis.dev/change-ticket"].text();
      record.approved_by = annotations["portcullis.dev/approved-by"].text();
    }
    // Hashing 10 KB costs as much as judging it, so the plain allows go without.
    if (verdict != "allow" || patched || !decision_.findings.empty()) record.input = asked.body;
    record.microseconds = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    record.deadline_ms = asked.budget.count();
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
  std::optional<kube::ClusterReader> cluster_;
  std::unique_ptr<audit::Log::Writer> writer_;
  WebhookMetrics& metrics_;
  WebhookOptions options_;
  std::shared_ptr<net::Waker> waker_;
  std::map<std::uint64_t, std::shared_ptr<Waiting>> waiting_;  // by ticket
  std::size_t waiting_bytes_ = 0;
  std::uint64_t last_ticket_ = 0;

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
