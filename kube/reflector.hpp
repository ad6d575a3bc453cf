// List and watch of one resource as a machine that does no I/O: asked for the next action, told what came of it. What it hears
// goes to a Sink. client-go's reflector, with three differences: lists are always consistent (resourceVersion unset), a broken
// watch is resumed and never a reason to list, and silence is looked into (Advice::probe). An API server sends bookmarks each minute,
// but none for a resource of which it has not seen an event itself; so silence alone is no fault. A list of one object tells whether
// the server went back in time, and the watch is opened again from where it was: what it does not say within moments did not happen.
//
// A list is followed by a watch from its version; a watch is resumed from the last version heard, until the server says that it
// is too old (410) or the machine finds that it missed something; then everything is listed anew while the Sink goes on serving
// what it had. Where the server can (KEP-3157) and it is asked for, list and watch are one stream; any trouble with that falls
// back to list, then watch, and the stream is tried again at the next list.
//
// No more than one watch a second is opened, and after each failure a Backoff is waited for: a server that answers nonsense is not
// hammered.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "kube/api.hpp"
#include "kube/backoff.hpp"
#include "kube/resource.hpp"
#include "kube/sink.hpp"
#include "kube/watch_lines.hpp"

namespace portcullis::kube {

struct ReflectorOptions {
  bool metadata_only = false;                 // objects without spec and status
  bool watch_list = false;                    // list and watch as one stream; lists of many large objects cost the server less memory so
  std::string label_selector;                 // "app=x"; "" for all
  std::string name_space;                     // "" for all
  std::chrono::milliseconds start_spread{0};  // the first action waits up to so long by chance
  std::chrono::seconds not_served_pause{60};  // before it is asked for again
  std::function<double()> chance;             // in [0, 1)
};

class Reflector {
 public:
  static constexpr unsigned page_items = 500, pages_max = 10'000;
  static constexpr std::chrono::seconds list_time_max{60}, watch_time_min{300}, watch_grace{30};
  static constexpr std::chrono::seconds forbidden_pause{30};
  static constexpr std::chrono::seconds watch_spacing{1};                      // between two watches
  static constexpr std::chrono::seconds settled_after{5};                      // a watch that lived so long ends a row of failures
  static constexpr std::chrono::seconds mark_expected{10}, mark_given_up{60};  // the end mark of a stream that lists
  static constexpr std::chrono::seconds probe_after{90};                       // bookmarks come each minute: one was missed
  static constexpr unsigned silent_proofs_max = 3;
  static constexpr std::chrono::seconds reopened_settle{1}, just_open{5};  // what happened meanwhile is told at once
  static constexpr std::chrono::seconds probe_settle{3}, probe_pause{15}, probe_time_max{10};

  enum class Step { wait, list, watch };
  struct Action {
    Step step = Step::wait;
    Deadline until;      // of wait: when to ask again; else: the request's deadline
    ApiRequest request;  // of list and watch
  };
  enum class Advice { none, probe, end_stream };

  Reflector(Resource resource, Sink& sink, ReflectorOptions options, Clock::time_point now);

  Action next(Clock::time_point now);
  void listed(Clock::time_point now, Result<ApiResponse> response);
  bool watch_head(Clock::time_point now, const ApiResponse& head);
  bool watch_bytes(Clock::time_point now, std::string_view bytes);
  void watch_ended(Clock::time_point now, const Result<StreamEnd>& end);

  // Once a second or so, whatever else is under way: what silence means.
  Advice tick(Clock::time_point now);
  ApiRequest probe(Clock::time_point now);  // when advised
  void probed(Clock::time_point now, Result<ApiResponse> response);

  // A consistent list of all objects was just answered at `version`: what is known is as far behind as it is below that.
  void server_is_at(std::string_view version);

  // Everything anew, by a list: after a change of what is kept of objects. The stream, if any, should be ended.
  void start_over(bool metadata_only, Clock::time_point now);
  // A resource that was not served may be now.
  void retry_now(Clock::time_point now);

  [[nodiscard]] const Resource& resource() const { return resource_; }
  [[nodiscard]] bool synced() const { return synced_; }
  [[nodiscard]] bool served() const { return served_; }
  [[nodiscard]] bool metadata_only() const { return options_.metadata_only; }
  [[nodiscard]] Clock::time_point progress() const { return progress_; }  // all there was at this time has been said
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] std::optional<std::int64_t> rv_lag() const { return rv_lag_; }  // as measured last
  [[nodiscard]] const std::string& trouble() const { return trouble_; }         // "" when all is well

  struct Counts {
    std::uint64_t lists = 0, relists = 0, watches = 0, probes = 0, events = 0, bookmarks = 0, failures = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  enum class Phase { list, watch_list, watch };

  [[nodiscard]] std::string target(std::string_view query) const;
  [[nodiscard]] std::string accept(bool list) const;
  void begin_list(Clock::time_point now);
  void whole(Clock::time_point now, std::string version, Clock::time_point as_of);
  void relist(Clock::time_point now);
  void back_off(Clock::time_point now, std::optional<std::uint32_t> retry_after, std::string trouble);
  void refused(Clock::time_point now, int status, std::optional<std::uint32_t> retry_after, std::string_view body);
  bool event(Clock::time_point now, const WatchEvent& event);
  void bookmark(Clock::time_point now, const WatchEvent& event);
  Advice tick_watch(Clock::time_point now);
  void watch_list_failed(Clock::time_point now, int status, std::string trouble);

  Resource resource_;
  Sink& sink_;
  ReflectorOptions options_;
  ObjectReader reader_;
  WatchLines lines_;
  Backoff backoff_;

  Phase phase_;
  Deadline not_before_;
  std::string version_, trouble_;
  bool synced_ = false, served_ = true, was_told_ = false;
  Clock::time_point progress_{}, list_began_{}, listed_at_{};
  std::string next_page_;
  bool paged_ = true, listing_ = false;
  unsigned pages_ = 0;

  // Of the watch under way.
  bool open_ = false;
  int status_ = 0;  // 0: no head yet
  std::optional<std::uint32_t> retry_after_;
  std::string refusal_;  // the body of an answer that is no stream
  Clock::time_point opened_at_{}, last_event_{};
  std::uint64_t heard_ = 0;  // events and bookmarks
  struct StreamError {
    int code = 0;
    std::string what;
  };
  std::optional<StreamError> stream_error_;
  bool list_next_ = false;  // what is under way is not wanted any more: list
  bool mark_late_ = false;

  enum class Probe { none, asked, answered, resumed } probe_ = Probe::none;
  bool resumes_ = false;        // what an answered probe leads to, else a list
  bool resume_next_ = false;    // end the stream, then open it again where it was
  unsigned silent_proofs_ = 0;  // in a row
  Clock::time_point probe_began_{}, probe_due_{}, answered_at_{};
  std::optional<std::int64_t> rv_lag_;
  Counts counts_;
};

}  // namespace portcullis::kube
