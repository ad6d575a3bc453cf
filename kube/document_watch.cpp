#include "kube/document_watch.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <random>
#include <utility>

#include "kube/document_status.hpp"
#include "kube/facts.hpp"
#include "kube/reflector_task.hpp"
#include "kube/status.hpp"
#include "observe/log.hpp"
#include "policy/object/to_json.hpp"

namespace portcullis::kube {
namespace {

using observe::Level;
using policy::Value;

constexpr std::string_view group = "portcullis.dev", version = "v1";
struct Kind {
  std::string_view plural, kind;
};
constexpr std::array kinds{Kind{"platforms", "Platform"},        Kind{"tenants", "Tenant"},
                           Kind{"policies", "Policy"},           Kind{"policyexceptions", "PolicyException"},
                           Kind{"guardpolicies", "GuardPolicy"}, Kind{"calendars", "Calendar"}};
constexpr std::chrono::seconds write_time_max{10}, report_time{1}, missing_pause{10};

// A name as JSON needs no escapes: the API server lets only DNS names through.
std::string document_json(std::string_view kind, std::string_view name, Value spec) {
  std::string text = R"({"apiVersion":"portcullis.dev/v1","kind":")";
  text += kind;
  text += R"(","metadata":{"name":")";
  text += name;
  text += "\"}";
  // Absent stays absent: documents say themselves that a spec is wanted.
  if (spec) text += ",\"spec\":" + policy::to_json(spec);
  text += '}';
  return text;
}

// What is kept of an object: its document, and enough of its status to know whether it says the truth.
struct Document {
  std::string json;
  std::int64_t generation = 0;
  std::string conditions;  // JSON of status.conditions; "" without
};

}  // namespace

struct DocumentWatch::Impl : std::enable_shared_from_this<DocumentWatch::Impl> {
  using Documents = std::map<std::string, Document, std::less<>>;  // by name in the kind

  // One kind's objects.
  struct Objects final : public Sink {
    Impl* owner = nullptr;
    Kind kind;
    Documents there, coming;
    bool served = false;           // and listed
    std::uint64_t unreadable = 0;  // objects without a name, since the start
    std::shared_ptr<ReflectorTask> task;

    [[nodiscard]] bool put(Documents& into, Value object) {
      const std::string_view name = metadata_text(object, "name");
      if (name.empty()) {
        ++unreadable;
        return false;
      }
      Document document;
      document.json = document_json(kind.kind, name, object["spec"]);
      document.generation = object["metadata"]["generation"].integer().value_or(0);
      if (const Value conditions = object["status"]["conditions"]) document.conditions = policy::to_json(conditions);
      Document& known = into[std::string(name)];
      // A status that was written changes no document.
      const bool changed = known.json != document.json;
      known = std::move(document);
      return changed;
    }
    void begin() override { coming.clear(); }
    void take(Value object) override { (void)put(coming, object); }
    void replaced(std::string_view) override {
      bool changed = !served || there.size() != coming.size();
      for (const auto& [name, document] : coming) {
        const auto known = there.find(name);
        changed = changed || known == there.end() || known->second.json != document.json;
      }
      there = std::exchange(coming, {});
      served = true;
      if (changed) owner->changed_now();
    }
    void changed(const WatchEvent& event) override {
      if (event.type != EventType::deleted) {
        if (put(there, event.object)) owner->changed_now();
        return;
      }
      if (there.erase(std::string(metadata_text(event.object, "name"))) > 0) owner->changed_now();
    }
    void progressed(std::string_view) override {}
    void not_served() override {
      served = false;
      observe::log(Level::error, "documents_kind_missing", {{"resource", std::string(kind.plural) + "." + std::string(group)}});
    }
  };

  Impl(net::Background& background_, Api& api_, Options options_, Changed changed_)
      : background(background_), api(api_), options(options_), tell(std::move(changed_)) {}

  net::Background& background;
  Api& api;
  const Options options;
  const Changed tell;

  // Of the kube thread.
  ListGate gate;
  std::mt19937_64 random{std::random_device{}()};
  std::array<Objects, kinds.size()> objects;
  net::Event wake;
  bool dirty = false, stopping = false, to_write = false;
  std::map<std::string, Outcome> outcomes;  // of the set that was handed on last

  mutable std::mutex mutex;
  ClusterStatus reported;
  std::vector<Clock::time_point> progress;

  double chance() { return std::uniform_real_distribution<double>(0.0, 1.0)(random); }
  void changed_now() {
    dirty = true;
    wake.notify();
  }
  [[nodiscard]] bool is_whole() const {
    return std::all_of(objects.begin(), objects.end(), [](const Objects& each) { return each.served; });
  }

  void hand_on() {
    dirty = false;
    std::vector<CustomDocument> set;
    std::vector<std::string> names;
    for (const Objects& each : objects)
      for (const auto& [name, document] : each.there) set.push_back({std::string(each.kind.kind) + "/" + name, document.json});
    std::sort(set.begin(), set.end(), [](const CustomDocument& a, const CustomDocument& b) { return a.name < b.name; });
    names.reserve(set.size());
    for (const CustomDocument& each : set) names.push_back(each.name);
    outcomes = outcomes_of(names, tell(set));
    to_write = true;
  }

  void report() {
    ClusterStatus status;
    status.current = true;
    std::vector<Clock::time_point> times;
    for (const Objects& each : objects) {
      ResourceStatus& one = status.resources.emplace_back();
      const Reflector& reflector = each.task->reflector();
      one.resource = reflector.resource().name();
      one.served = reflector.served();
      one.synced = each.served;
      one.version = reflector.version();
      one.objects = each.there.size();
      one.unreadable = each.unreadable;
      one.counts = reflector.counts();
      one.trouble = reflector.trouble();
      if (!one.served) one.trouble = "its CRD is not installed";
      times.push_back(reflector.progress());
    }
    const std::lock_guard lock(mutex);
    reported = std::move(status);
    progress = std::move(times);
  }

  // From any thread.
  [[nodiscard]] ClusterStatus status() const {
    const Clock::time_point now = Clock::now();
    const std::lock_guard lock(mutex);
    ClusterStatus status = reported;
    for (std::size_t index = 0; index < status.resources.size(); ++index) status.resources[index].age = now - progress[index];
    return status;
  }

  static Task<void> keep_handing_on(std::shared_ptr<Impl> self) {
    Deadline again = Clock::now() + report_time, retry = Clock::time_point::max();
    while (!self->stopping) {
      if (!self->dirty) {
        const bool told = co_await self->wake.wait(again);
        if (!told && Clock::now() < again) co_return;  // cancelled
      }
      if (self->dirty && self->is_whole()) {
        const bool slept = co_await net::sleep_until(Clock::now() + self->options.settle);
        if (!slept) co_return;
        if (self->is_whole()) self->hand_on();
      } else {
        self->dirty = false;  // what is missing says so when it comes
      }
      self->report();
      again = Clock::now() + report_time;
      if (!self->to_write && Clock::now() < retry) continue;
      self->to_write = false;
      const auto spread =
          std::chrono::milliseconds(static_cast<std::int64_t>(self->chance() * static_cast<double>(self->options.write_spread.count())));
      const bool slept = co_await net::sleep_until(Clock::now() + spread);
      if (!slept) co_return;
      Task<bool> work = write_all(self);
      const bool written = co_await std::move(work);
      retry = written ? Clock::time_point::max() : Clock::now() + self->options.retry;
    }
  }

  // Each status that does not say what came of its document. False: not all could be written.
  static Task<bool> write_all(std::shared_ptr<Impl> self) {
    bool all = true;
    for (Objects& each : self->objects) {
      std::vector<std::string> names;
      for (const auto& [name, document] : each.there) names.push_back(name);
      for (const std::string& name : names) {
        if (self->dirty || self->stopping) co_return true;  // it will be judged anew first
        const auto request = self->status_request(each, name);
        if (!request) continue;
        const Result<ApiResponse> response = co_await self->api.call(*request, Clock::now() + write_time_max);
        if (response && response->status < 300) continue;
        all = all && response && response->status == 404;  // deleted meanwhile
        observe::log_limited(Level::warn, "document_status_not_written",
                             {{"document", std::string(each.kind.kind) + "/" + name},
                              {"reason", response ? std::to_string(response->status) + " " + read_status(response->body).message
                                                  : response.error().message()}});
      }
    }
    co_return all;
  }

  std::optional<ApiRequest> status_request(const Objects& each, const std::string& name) const {
    const auto document = each.there.find(name);
    const auto outcome = outcomes.find(std::string(each.kind.kind) + "/" + name);
    if (document == each.there.end() || outcome == outcomes.end()) return std::nullopt;
    // A list is no object: wrapped, so that the reader takes it.
    const auto tree =
        policy::Tree::parse_copy("{\"conditions\":" + (document->second.conditions.empty() ? "null" : document->second.conditions) + "}");
    const Value conditions = tree ? tree->root()["conditions"] : Value{};
    auto patch =
        status_patch(conditions, document->second.generation, outcome->second, std::chrono::floor<std::chrono::seconds>(WallClock::now()));
    if (!patch) return std::nullopt;
    ApiRequest request;
    request.method = "PATCH";
    request.target = each.task->reflector().resource().path() + "/" + name + "/status?fieldManager=portcullis";
    request.body = *std::move(patch);
    request.content_type = "application/merge-patch+json";
    request.lane = ApiRequest::Lane::writes;
    return request;
  }
};

DocumentWatch::DocumentWatch(net::Background& background, Api& api, Options options, Changed changed)
    : impl_(std::make_shared<Impl>(background, api, options, std::move(changed))) {
  for (std::size_t index = 0; index < kinds.size(); ++index) {
    Impl::Objects& each = impl_->objects[index];
    each.owner = impl_.get();
    each.kind = kinds[index];
    ReflectorOptions how;
    how.start_spread = options.start_spread;
    how.not_served_pause = missing_pause;
    how.chance = [impl = impl_.get()] { return impl->chance(); };
    const Resource resource{std::string(group), std::string(version), std::string(each.kind.plural), std::string(each.kind.kind), false};
    each.task = std::make_shared<ReflectorTask>(api, impl_->gate, each, resource, std::move(how));
  }
}

DocumentWatch::~DocumentWatch() { stop(); }

void DocumentWatch::start() {
  impl_->background.post([impl = impl_] {
    impl->report();
    for (Impl::Objects& each : impl->objects) ReflectorTask::start(impl->background, each.task, impl);
    impl->background.spawn("kube_documents", [impl] { return Impl::keep_handing_on(impl); });
  });
}

void DocumentWatch::stop() {
  impl_->background.post([impl = impl_] {
    impl->stopping = true;
    for (Impl::Objects& each : impl->objects) each.task->stop();
    impl->wake.notify();
  });
}

ClusterStatus DocumentWatch::status() const { return impl_->status(); }

void DocumentWatch::add_metrics(observe::Metrics& metrics) const {
  metrics.add_source([impl = impl_](observe::Scrape& scrape) { sample_status(scrape, impl->status()); });
}

}  // namespace portcullis::kube
