#include "kube/reflector.hpp"

#include <utility>

#include "base/text.hpp"
#include "kube/metadata_list.hpp"
#include "kube/resource_version.hpp"
#include "kube/status.hpp"
#include "observe/log.hpp"

namespace portcullis::kube {
namespace {

using observe::Level;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t refusal_bytes_max = 64 * 1024;
constexpr int status_ok = 200, status_forbidden = 403, status_not_found = 404, status_gone = 410, status_too_many = 429,
              status_timeout = 504;

constexpr std::string_view initial_events_end = "k8s.io/initial-events-end";

}  // namespace

Reflector::Reflector(Resource resource, Sink& sink, ReflectorOptions options, Clock::time_point now)
    : resource_(std::move(resource)),
      sink_(sink),
      options_(std::move(options)),
      phase_(options_.watch_list ? Phase::watch_list : Phase::list),
      not_before_(now) {
  not_before_ += milliseconds(static_cast<std::int64_t>(static_cast<double>(options_.start_spread.count()) * options_.chance()));
}

std::string Reflector::target(std::string_view query) const {
  std::string text = options_.name_space.empty() ? resource_.path() : resource_.path_in(options_.name_space);
  text += '?';
  text += query;
  if (!options_.label_selector.empty()) text += "&labelSelector=" + query_escaped(options_.label_selector);
  return text;
}

std::string Reflector::accept(bool list) const {
  if (!options_.metadata_only) return "application/json";
  return std::string(list ? metadata_list_type : "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");
}

Reflector::Action Reflector::next(Clock::time_point now) {
  if (now < not_before_) return {Step::wait, not_before_, {}};
  if (phase_ == Phase::list) {
    if (next_page_.empty()) begin_list(now);
    listing_ = true;
    Action action{Step::list, now + list_time_max, {}};
    std::string query = paged_ ? "limit=" + std::to_string(page_items) : "limit=0";
    if (!next_page_.empty()) query += "&continue=" + query_escaped(next_page_);
    action.request.target = target(query);
    action.request.accept = accept(true);
    action.request.gzip = true;
    return action;
  }
  ++counts_.watches;
  open_ = true;
  status_ = 0;
  retry_after_.reset();
  refusal_.clear();
  opened_at_ = last_event_ = now;
  heard_ = 0;
  stream_error_.reset();
  list_next_ = resume_next_ = mark_late_ = false;
  if (probe_ != Probe::resumed) probe_ = Probe::none;
  probe_due_ = {};
  lines_.reset();
  const auto time = watch_time_min + seconds(static_cast<std::int64_t>(options_.chance() * static_cast<double>(watch_time_min.count())));
  std::string query = "watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(time.count());
  if (phase_ == Phase::watch_list) {
    begin_list(now);
    query += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  } else {
    query += "&resourceVersion=" + query_escaped(version_);
  }
  Action action{Step::watch, now + time + watch_grace, {}};
  action.request.target = target(query);
  action.request.accept = accept(false);
  return action;
}

void Reflector::begin_list(Clock::time_point now) {
  ++counts_.lists;
  pages_ = 0;
  if (synced_) ++counts_.relists;
  list_began_ = now;
  sink_.begin();
}

void Reflector::whole(Clock::time_point now, std::string version, Clock::time_point as_of) {
  version_ = std::move(version);
  progress_ = as_of;
  listed_at_ = now;
  synced_ = served_ = true;
  was_told_ = false;
  trouble_.clear();
  phase_ = Phase::watch;
  paged_ = true;
  silent_proofs_ = 0;
  sink_.replaced(version_);
}

void Reflector::relist(Clock::time_point now) {
  phase_ = options_.watch_list ? Phase::watch_list : Phase::list;
  next_page_.clear();
  // At once, unless the last list was of no use either.
  if (listed_at_ != Clock::time_point{} && now - listed_at_ < settled_after) {
    back_off(now, std::nullopt, "what was listed is too old to be watched");
  } else {
    not_before_ = now;
  }
}

void Reflector::back_off(Clock::time_point now, std::optional<std::uint32_t> retry_after, std::string trouble) {
  ++counts_.failures;
  milliseconds wait = backoff_.next(now, options_.chance());
  if (retry_after) {
    // By chance up to a second more, so that those who were told the same do not come back together.
    const milliseconds told = seconds(*retry_after) + milliseconds(static_cast<std::int64_t>(options_.chance() * 1'000));
    wait = std::max(wait, told);
  }
  not_before_ = now + wait;
  trouble_ = std::move(trouble);
  observe::log_limited(Level::warn, "kube_watch_trouble",
                       {{"resource", resource_.name()}, {"reason", trouble_}, {"wait_ms", static_cast<std::int64_t>(wait.count())}});
}

void Reflector::refused(Clock::time_point now, int status, std::optional<std::uint32_t> retry_after, std::string_view body) {
  const StatusText text = read_status(body);
  std::string trouble = std::to_string(status) + (text.message.empty() ? "" : " " + printable(text.message));
  if (status == status_forbidden) {
    ++counts_.failures;
    not_before_ = now + forbidden_pause + milliseconds(static_cast<std::int64_t>(options_.chance() * 3'000));
    trouble_ = "403, want the verbs list and watch of " + resource_.name();
    observe::log_limited(Level::error, "kube_forbidden", {{"resource", resource_.name()}, {"reason", trouble}}, 1);
    return;
  }
  if (status == status_not_found) {
    // Its CRD is gone or was never there: nothing of it exists, which is something to know.
    if (served_ || !was_told_) {
      sink_.not_served();
      observe::log(Level::info, "kube_not_served", {{"resource", resource_.name()}});
    }
    served_ = false;
    was_told_ = true;
    synced_ = true;
    version_.clear();
    progress_ = now;
    trouble_.clear();
    phase_ = options_.watch_list ? Phase::watch_list : Phase::list;
    next_page_.clear();
    not_before_ = now + options_.not_served_pause;
    return;
  }
  back_off(now, retry_after, std::move(trouble));
}

void Reflector::listed(Clock::time_point now, Result<ApiResponse> response) {
  listing_ = false;
  if (std::exchange(list_next_, false)) {  // what was asked for is not what is wanted any more
    next_page_.clear();
    return;
  }
  if (!response) {
    next_page_.clear();
    return back_off(now, std::nullopt, response.error().message());
  }
  if (response->status != status_ok) {
    const bool token_expired = response->status == status_gone && !next_page_.empty();
    next_page_.clear();
    if (!token_expired) return refused(now, response->status, response->retry_after_seconds, response->body);
    // The rest of that list is gone: all of it anew, in one piece.
    paged_ = false;
    not_before_ = now;
    ++counts_.failures;
    return;
  }
  auto head = reader_.list(pad(response->body), [&](policy::Value item) { sink_.take(item); });
  if (!head) {
    next_page_.clear();
    return back_off(now, std::nullopt, head.error().message());
  }
  if (head->version.empty()) {
    next_page_.clear();
    return back_off(now, std::nullopt, "the list has no resourceVersion to watch from");
  }
  if (!head->next.empty()) {
    if (head->next == next_page_ || ++pages_ > pages_max) {
      next_page_.clear();
      return back_off(now, std::nullopt, "the list does not end");
    }
    next_page_ = std::move(head->next);
    return;
  }
  next_page_.clear();
  whole(now, std::move(head->version), list_began_);
}

bool Reflector::watch_head(Clock::time_point now, const ApiResponse& head) {
  status_ = head.status;
  retry_after_ = head.retry_after_seconds;
  last_event_ = now;
  if (status_ == status_ok && phase_ == Phase::watch) {
    trouble_.clear();
    probe_due_ = now + reopened_settle;
    answered_at_ = now;
  }
  return true;
}

bool Reflector::watch_bytes(Clock::time_point now, std::string_view bytes) {
  if (list_next_ || resume_next_) return false;
  if (status_ != status_ok) {
    refusal_.append(bytes.substr(0, refusal_bytes_max - std::min(refusal_.size(), refusal_bytes_max)));
    return true;
  }
  const Result<bool> went_on = lines_.feed(bytes, [&](const WatchEvent& each) { return event(now, each); });
  if (!went_on) {
    // An event was lost.
    stream_error_ = StreamError{0, went_on.error().message()};
    return false;
  }
  return *went_on;
}

bool Reflector::event(Clock::time_point now, const WatchEvent& event) {
  if (event.type == EventType::error) {
    const auto code = event.object["code"].integer();
    stream_error_ =
        StreamError{code && *code > 0 && *code < 1'000 ? static_cast<int>(*code) : 500, std::string(event.object["message"].text())};
    const auto seconds_told = event.object["details"]["retryAfterSeconds"].integer();
    if (seconds_told && *seconds_told > 0 && *seconds_told < 3'600) retry_after_ = static_cast<std::uint32_t>(*seconds_told);
    return false;
  }
  ++heard_;
  silent_proofs_ = 0;
  last_event_ = now;
  if (event.type == EventType::bookmark) {
    bookmark(now, event);
    return true;
  }
  const std::string_view version = metadata_text(event.object, "resourceVersion");
  if (event.type == EventType::other) {
    observe::log_limited(Level::warn, "kube_event_unknown", {{"resource", resource_.name()}, {"type", printable(event.type_name)}}, 1);
    if (phase_ == Phase::watch && !version.empty()) version_ = version;
    return true;
  }
  ++counts_.events;
  if (phase_ == Phase::watch_list) {
    if (event.type == EventType::deleted) {
      stream_error_ = StreamError{0, "a deletion before the end of the list"};
      return false;
    }
    sink_.take(event.object);
    return true;
  }
  progress_ = now;
  if (!version.empty()) version_ = version;
  sink_.changed(event);
  return true;
}

void Reflector::bookmark(Clock::time_point now, const WatchEvent& event) {
  ++counts_.bookmarks;
  const std::string_view version = metadata_text(event.object, "resourceVersion");
  if (version.empty()) return;
  if (phase_ == Phase::watch_list) {
    if (event.object["metadata"]["annotations"][initial_events_end].text() == "true") whole(now, std::string(version), list_began_);
    return;
  }
  version_ = version;
  progress_ = now;
  trouble_.clear();
  sink_.progressed(version_);
}

void Reflector::watch_list_failed(Clock::time_point now, int status, std::string trouble) {
  // What says something about the server's state says it about any request; all else may be about this way of asking.
  if (status == status_too_many || status == status_gone || status == status_timeout)
    return back_off(now, retry_after_, std::move(trouble));
  if (status == status_forbidden || status == status_not_found) return refused(now, status, retry_after_, refusal_);
  observe::log_limited(Level::info, "kube_watch_list_fallback", {{"resource", resource_.name()}, {"reason", printable(trouble)}}, 1);
  phase_ = Phase::list;
  next_page_.clear();
  not_before_ = now;
}

void Reflector::watch_ended(Clock::time_point now, const Result<StreamEnd>& end) {
  open_ = false;
  probe_ = Probe::none;
  if (std::exchange(resume_next_, false) && !list_next_) {
    probe_ = Probe::resumed;
    not_before_ = now;
    return;
  }
  if (std::exchange(list_next_, false)) {
    phase_ = phase_ == Phase::watch_list || !options_.watch_list ? Phase::list : Phase::watch_list;
    next_page_.clear();
    not_before_ = now;
    return;
  }
  if (status_ == 0) return back_off(now, std::nullopt, end ? "the answer ended before it began" : end.error().message());
  if (status_ != status_ok) {
    if (phase_ == Phase::watch_list) return watch_list_failed(now, status_, std::to_string(status_) + " " + read_status(refusal_).message);
    if (status_ == status_gone) return relist(now);
    return refused(now, status_, retry_after_, refusal_);
  }
  if (phase_ == Phase::watch_list) {
    if (stream_error_) return watch_list_failed(now, stream_error_->code, stream_error_->what);
    return watch_list_failed(now, 0, "the stream ended before the end of the list");
  }
  if (stream_error_) {
    if (stream_error_->code == status_gone || stream_error_->code == status_timeout || stream_error_->code == 0) {
      if (stream_error_->code != status_gone)
        observe::log_limited(Level::warn, "kube_watch_broken",
                             {{"resource", resource_.name()}, {"reason", printable(stream_error_->what)}});
      return relist(now);
    }
    return back_off(now, retry_after_, std::to_string(stream_error_->code) + " " + printable(stream_error_->what));
  }
  const auto lived = now - opened_at_;
  if (lived < watch_spacing && heard_ == 0) return back_off(now, std::nullopt, "a watch ended as soon as it began");
  if (lived >= settled_after) backoff_.reset();
  not_before_ = opened_at_ + watch_spacing;
}

Reflector::Advice Reflector::tick(Clock::time_point now) {
  if (!open_ || status_ != status_ok) return Advice::none;
  if (list_next_) return Advice::end_stream;
  if (phase_ == Phase::watch_list) {
    const auto silent = now - last_event_;
    if (silent > mark_expected && !std::exchange(mark_late_, true))
      observe::log(Level::warn, "kube_watch_list_slow", {{"resource", resource_.name()}, {"reason", "no end of the list yet"}});
    if (silent <= mark_given_up) return Advice::none;
    list_next_ = true;
    return Advice::end_stream;
  }
  return tick_watch(now);
}

Reflector::Advice Reflector::tick_watch(Clock::time_point now) {
  if (probe_ == Probe::asked) return Advice::none;
  if (probe_ != Probe::none && progress_ >= probe_began_) probe_ = Probe::none;  // it spoke meanwhile
  if (probe_ == Probe::answered) {
    if (now < probe_due_) return Advice::none;
    resume_next_ = resumes_;
    if (!resumes_) {
      observe::log_limited(Level::warn, "kube_watch_silent", {{"resource", resource_.name()}, {"version", version_}}, 1);
      list_next_ = true;
    }
    return Advice::end_stream;
  }
  if (probe_ == Probe::resumed) {
    if (now - opened_at_ < probe_settle || now < probe_due_) return Advice::none;
    probe_ = Probe::none;
    ++silent_proofs_;
    progress_ = std::max(progress_, probe_began_);
    sink_.progressed(version_);
    return Advice::none;
  }
  // Where the server was away for long, the first bookmark of the new watch is not waited for.
  const Clock::time_point silent_since = status_ == status_ok ? progress_ : std::max(progress_, opened_at_);
  return now - silent_since > probe_after && now >= probe_due_ ? Advice::probe : Advice::none;
}

ApiRequest Reflector::probe(Clock::time_point now) {
  probe_ = Probe::asked;
  probe_began_ = now;
  resumes_ = false;
  ++counts_.probes;
  ApiRequest request;
  request.target = target("limit=1");
  request.accept = metadata_list_type;
  return request;
}

void Reflector::probed(Clock::time_point now, Result<ApiResponse> response) {
  if (probe_ != Probe::asked) return;  // the watch it was about has ended
  probe_ = Probe::none;
  probe_due_ = now + probe_pause;
  if (!response || response->status != status_ok) return;
  const auto head = reader_.list(pad(response->body), [](policy::Value) {});
  if (!head) return;
  server_is_at(head->version);
  switch (compare_versions(head->version, version_)) {
    case VersionOrder::same:
      progress_ = std::max(progress_, probe_began_);
      sink_.progressed(version_);
      return;
    case VersionOrder::newer:
      // Something happened, here or elsewhere in the store.
      resumes_ = silent_proofs_ < silent_proofs_max;
      if (resumes_ && probe_began_ - answered_at_ < just_open) {  // no need to open again what was opened a moment ago
        probe_ = Probe::resumed;
        probe_due_ = now + probe_settle;
        return;
      }
      break;
    case VersionOrder::older:
      // The server went back in time (etcd restored from a backup): the watch will say nothing until it has caught up.
    case VersionOrder::unknown:
      break;
  }
  probe_ = Probe::answered;
  probe_due_ = now + probe_settle;
}

void Reflector::server_is_at(std::string_view version) {
  const auto theirs = revision_of(version), ours = revision_of(version_);
  if (theirs && ours) rv_lag_ = static_cast<std::int64_t>(*theirs - *ours);  // below zero: it went back in time
}

void Reflector::start_over(bool metadata_only, Clock::time_point now) {
  options_.metadata_only = metadata_only;
  if (open_ || listing_) {
    list_next_ = true;
    return;
  }
  phase_ = options_.watch_list ? Phase::watch_list : Phase::list;
  next_page_.clear();
  not_before_ = std::min(not_before_, now);
}

void Reflector::retry_now(Clock::time_point now) {
  if (!served_) not_before_ = std::min(not_before_, now);
}

}  // namespace portcullis::kube
