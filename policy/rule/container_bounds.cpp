// container-bounds: every container says what it needs, within what the hoster allows.
//
// Params:  require              keys such as requests.cpu, limits.memory; default [requests.cpu, requests.memory, limits.memory]
//          min, max             quantities by such a key
//          maxLimitRequestRatio of cpu and memory, where a limit is set
//          defaults             quantities by such a key, filled in with `inject: true`
// Judges:  CREATE and UPDATE of every workload, and pods/resize
// Reads:   resources of init containers, sidecars and containers, and the pod's own spec.resources, by effective meaning as
//          Kubernetes and its LimitRange have it: a request that is absent is the limit; what a container leaves out the pod's
//          own resources give; a limit of 0 is none and a request of 0 asks for nothing (threats A77); a bound on a limit
//          wants one to be there.
// Not its: ephemeral containers, which cannot carry resources; sums over containers or replicas (tenant-budget)
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "policy/object/quantity.hpp"
#include "policy/rule/images.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr Range ratio_range{1, 1000};
constexpr std::int64_t ratio_scale = 1000;  // ratios are kept in thousandths: finer than anybody writes one
constexpr std::size_t resources_max = 8;    // different resources in one rule: each costs stack and time for every container
constexpr Range require_range{0, 2 * resources_max};
constexpr std::size_t mended_containers_max = 1'000;  // of one pod: no node runs more, and naming each takes as many steps
constexpr std::string_view requests = "requests", limits = "limits";
// Kubernetes caps quantities here; what is at the cap is no amount that anybody meant (threats A75).
const Quantity quantity_cap = Quantity::of_units(std::numeric_limits<std::int64_t>::max());

enum class Side { request, limit };

struct Bound {
  bool required = false;
  std::optional<Quantity> min, max, fallback;
  [[nodiscard]] bool wants_one(Side side) const { return required || (side == Side::request ? min : max).has_value(); }
};

struct Resource {
  std::string name;
  Bound request, limit;
  bool has_ratio = false;
  [[nodiscard]] const Bound& bound(Side side) const { return side == Side::request ? request : limit; }
};

// One amount as an object gives it.
struct Amount {
  Value node;
  Quantity value;
  [[nodiscard]] bool given() const { return static_cast<bool>(node); }
  [[nodiscard]] bool positive() const { return given() && !value.zero(); }
};

// What one container, or the pod itself, says of the resources that the rule knows, in the rule's order.
struct Amounts {
  std::array<Amount, resources_max> request, limit;
  std::array<Amount, resources_max>& side(Side side) { return side == Side::request ? request : limit; }
  [[nodiscard]] const std::array<Amount, resources_max>& side(Side side) const { return side == Side::request ? request : limit; }
};

// Kubernetes' defaulting: a request that is absent is the limit.
const Amount& effective(const Amounts& amounts, Side side, std::size_t i) {
  if (side == Side::request && !amounts.request[i].given()) return amounts.limit[i];
  return amounts.side(side)[i];
}

std::string_view side_word(Side side) { return side == Side::request ? "request" : "limit"; }
std::string_view side_key(Side side) { return side == Side::request ? requests : limits; }

std::string member(std::string_view name) {  // of a path, as Value::path() writes one
  const std::string text(name);
  return text.find_first_of(".[]/\"") == std::string::npos ? "." + text : "[\"" + text + "\"]";
}

class ContainerBounds final : public Rule {
 public:
  ContainerBounds(std::vector<Resource> resources, std::optional<std::int64_t> ratio_thousandths)
      : resources_(std::move(resources)), ratio_thousandths_(ratio_thousandths) {}

  void evaluate(const Subject& subject, const Facts&, Findings& findings) const override {
    for (const PodTemplate& pod : subject.judged().templates) {
      report_misplaced(pod, findings);
      Amounts shared;
      if (!read(pod.resources, pod.resources, shared, findings)) continue;
      Relied relied;
      for (const Container& container : pod.containers) {
        if (!container.well_formed) {
          report(container.node, container.node, findings, [&] {
            return Finding{.what = "wrong type",
                           .where = container.node.path(),
                           .found = std::string(kind_name(container.node.kind())),
                           .wanted = "an object",
                           .fix = "write the container as an object"};
          });
          continue;
        }
        if (container.kind == ContainerKind::ephemeral) continue;
        Amounts own;
        if (read(container.resources, container.node, own, findings)) judge(container, own, shared, relied, findings);
      }
      judge_shared(pod, shared, relied, findings);
    }
  }

  void mend(const Subject& subject, const Facts&, Patch& patch) const override {
    // The API server refuses a change of resources in a pod or a Job that is already there.
    const bool is_fixed = subject.is("Pod", "") || subject.is("Job", "batch");
    if (!subject.subresource.empty() || (is_fixed && subject.operation != Operation::create)) return;
    for (const PodTemplate& pod : subject.judged().templates) {
      Findings unreadable;
      Amounts shared;
      if (pod.containers.size() > mended_containers_max) continue;
      if (pod.misplaced || !read(pod.resources, pod.resources, shared, unreadable) || !unreadable.empty()) continue;
      for (const Container& container : pod.containers) {
        if (!container.well_formed || container.kind == ContainerKind::ephemeral) continue;
        Amounts own;
        if (read(container.resources, container.node, own, unreadable) && unreadable.empty()) mend(container, own, shared, patch);
        unreadable.clear();
      }
    }
  }

 private:
  // Of which of the pod's own resources a container makes use, because it has none itself.
  struct Relied {
    std::array<bool, resources_max> request{}, limit{};
    bool& of(Side side, std::size_t i) { return side == Side::request ? request[i] : limit[i]; }
  };

  // Words are made only for a finding that is kept.
  template <class Make>
  static void report(Value at, Value scope, Findings& findings, const Make& make) {
    if (findings.full()) return findings.add({});
    Finding finding = make();
    finding.at = at;
    finding.scope = scope;
    findings.add(std::move(finding));
  }

  static bool is_object(Value value, Value scope, Findings& findings) {
    if (!value.present() || value.is(ValueKind::object)) return true;
    report(value, scope, findings, [&] {
      return Finding{.what = "wrong type",
                     .where = value.path(),
                     .found = std::string(kind_name(value.kind())),
                     .wanted = "an object",
                     .fix = "write quantities by resource, such as {memory: 1Gi}"};
    });
    return false;
  }

  // Reads `resources` in one pass. False when it is not what resources must be; that has been reported then.
  bool read(Value resources, Value scope, Amounts& out, Findings& findings) const {
    if (!resources.present()) return true;
    if (!is_object(resources, scope, findings)) return false;
    bool readable = true;
    for (const Value part : resources) {
      const bool is_request = part.key() == requests;
      if (!is_request && part.key() != limits) continue;
      if (!is_object(part, scope, findings)) {
        readable = false;
        continue;
      }
      std::array<Amount, resources_max>& amounts = is_request ? out.request : out.limit;
      for (const Value entry : part) {
        if (!entry.present()) continue;
        const std::optional<Quantity> quantity = Quantity::parse(entry);
        if (!quantity || quantity->negative() || *quantity >= quantity_cap) {
          report_quantity(entry, scope, quantity, findings);
          readable = false;
          continue;
        }
        for (std::size_t i = 0; i < resources_.size(); ++i) {
          if (resources_[i].name != entry.key()) continue;
          amounts[i] = {entry, *quantity};
          break;
        }
      }
    }
    return readable;
  }

  static void report_quantity(Value entry, Value scope, const std::optional<Quantity>& quantity, Findings& findings) {
    report(entry, scope, findings, [&] {
      const bool is_text = entry.is(ValueKind::string);
      return Finding{.what = !quantity              ? "unreadable quantity"
                             : quantity->negative() ? "negative quantity"
                                                    : "quantity too large",
                     .where = entry.path(),
                     .found = is_text                       ? quoted(entry.text())
                              : entry.is(ValueKind::number) ? quoted(entry.token())
                                                            : std::string(kind_name(entry.kind())),
                     .wanted = !quantity              ? "a quantity such as 500m or 2Gi"
                               : quantity->negative() ? "none below 0"
                                                      : "less than 2^63",
                     .fix = "write the amount the container needs"};
    });
  }

  void judge(const Container& container, const Amounts& own, const Amounts& shared, Relied& relied, Findings& findings) const {
    for (std::size_t i = 0; i < resources_.size(); ++i) {
      const Resource& resource = resources_[i];
      for (const Side side : {Side::request, Side::limit}) {
        const Amount& amount = effective(own, side, i);
        if (amount.positive()) {
          judge_amount(amount, resource, side, container.node, findings);
        } else if (effective(shared, side, i).positive()) {
          relied.of(side, i) = true;
        } else if (resource.bound(side).wants_one(side)) {
          report_missing(container, own.side(side)[i], resource, side, findings);
        }
      }
      judge_ratio(own, resource, i, container.node, findings);
    }
  }

  void judge_shared(const PodTemplate& pod, const Amounts& shared, const Relied& relied, Findings& findings) const {
    for (std::size_t i = 0; i < resources_.size(); ++i) {
      if (relied.request[i]) judge_amount(effective(shared, Side::request, i), resources_[i], Side::request, pod.resources, findings);
      if (relied.limit[i]) judge_amount(effective(shared, Side::limit, i), resources_[i], Side::limit, pod.resources, findings);
      judge_ratio(shared, resources_[i], i, pod.resources, findings);
    }
  }

  static void judge_amount(const Amount& amount, const Resource& resource, Side side, Value scope, Findings& findings) {
    const Bound& bound = resource.bound(side);
    const bool too_small = bound.min && amount.value < *bound.min;
    if (!too_small && !(bound.max && amount.value > *bound.max)) return;
    report(amount.node, scope, findings, [&] {
      const std::string name = resource.name + " " + std::string(side_word(side));
      const std::string wanted = too_small ? "at least " + bound.min->text() : "at most " + bound.max->text();
      return Finding{.what = name + (too_small ? " too small" : " too large"),
                     .where = amount.node.path(),
                     .found = shown(amount.node),
                     .wanted = wanted,
                     .fix = "set the " + name + " to " + wanted};
    });
  }

  // A limit over nothing, or over a request of 0, is no ratio: it may be used up by everyone at once.
  void judge_ratio(const Amounts& amounts, const Resource& resource, std::size_t i, Value scope, Findings& findings) const {
    if (!ratio_thousandths_ || !resource.has_ratio) return;
    const Amount& limit = amounts.limit[i];
    const Amount& request = effective(amounts, Side::request, i);
    if (!limit.positive() || limit.value * ratio_scale <= request.value * *ratio_thousandths_) return;
    report(limit.node, scope, findings, [&] {
      return Finding{.what = resource.name + " limit far above request",
                     .where = limit.node.path(),
                     .found = shown(limit.node) + " over a request of " + shown(request.node),
                     .wanted = "at most " + ratio_text() + " times the request",
                     .fix = "raise the request to what is really used, or lower the limit"};
    });
  }

  static std::string shown(Value node) { return quoted(node.is(ValueKind::string) ? node.text() : node.token()); }

  [[nodiscard]] std::string ratio_text() const {
    return Quantity::of_nanos(static_cast<Quantity::Nanos>(*ratio_thousandths_) * 1'000'000).text();
  }

  void report_missing(const Container& container, const Amount& amount, const Resource& resource, Side side, Findings& findings) const {
    const Value resources = container.resources.present() ? container.resources : container.node;
    const Value list = container.resources[side_key(side)];
    report(amount.given()   ? amount.node
           : list.present() ? list
                            : resources,
           container.node, findings, [&] {
             const Bound& bound = resource.bound(side);
             const std::string name = resource.name + " " + std::string(side_word(side));
             const std::string path = ".resources." + std::string(side_key(side)) + member(resource.name);
             std::string wanted = "a " + name;
             if (bound.min) wanted += " of at least " + bound.min->text();
             if (bound.max) wanted += (bound.min ? " and at most " : " of at most ") + bound.max->text();
             const std::string_view container_name = container.name.text();
             return Finding{.what = "no " + name,
                            .where = container.node.path() + path,
                            .found = amount.given() ? shown(amount.node) : "nothing",
                            .wanted = wanted,
                            .fix = "set " + path.substr(1) + (container_name.empty() ? "" : " of container " + quoted(container_name))};
           });
  }

  void mend(const Container& container, const Amounts& own, const Amounts& shared, Patch& patch) const {
    std::array<std::string, 2> added;  // members of requests and limits, as JSON
    std::array<std::vector<std::pair<std::string, std::string>>, 2> single;
    for (std::size_t i = 0; i < resources_.size(); ++i) {
      const Resource& resource = resources_[i];
      if (shared.request[i].given() || shared.limit[i].given()) continue;  // the pod gives it, and a container's share would have to fit
      const std::optional<Quantity> limit = own.limit[i].given() ? std::optional(own.limit[i].value) : resource.limit.fallback;
      const bool adds_request = resource.request.fallback && !effective(own, Side::request, i).given();
      const Quantity request = adds_request ? *resource.request.fallback : effective(own, Side::request, i).value;
      const bool adds_limit = resource.limit.fallback && !own.limit[i].given() && *limit >= request;  // else the API server refuses it
      for (const auto& [adds, side] : {std::pair(adds_request, Side::request), std::pair(adds_limit, Side::limit)}) {
        if (!adds) continue;
        const std::string value = json_string(resource.bound(side).fallback->text());
        std::string& members = added[static_cast<std::size_t>(side)];
        members += (members.empty() ? "" : ",") + json_string(resource.name) + ":" + value;
        single[static_cast<std::size_t>(side)].emplace_back(resource.name, value);
      }
    }
    const std::string path = json_pointer(container.node) + "/resources";
    if (!container.resources.present()) {
      std::string all;
      for (const Side side : {Side::limit, Side::request})
        if (const std::string& members = added[static_cast<std::size_t>(side)]; !members.empty())
          all += (all.empty() ? "" : ",") + json_string(side_key(side)) + ":{" + members + "}";
      if (!all.empty()) patch.add(path, "{" + all + "}");
      return;
    }
    for (const Side side : {Side::limit, Side::request}) {
      const std::string& members = added[static_cast<std::size_t>(side)];
      if (members.empty()) continue;
      const std::string side_path = path + "/" + std::string(side_key(side));
      if (!container.resources[side_key(side)].present()) {
        patch.add(side_path, "{" + members + "}");
      } else {
        for (const auto& [name, value] : single[static_cast<std::size_t>(side)]) patch.add(side_path + "/" + pointer_token(name), value);
      }
    }
  }

  std::vector<Resource> resources_;
  std::optional<std::int64_t> ratio_thousandths_;
};

// Gathers the parameters' keys into resources.
class Reader {
 public:
  explicit Reader(const Params& params) : params_(params) {}

  Result<RulePtr> read() {
    for (const std::string& key : params_.strings("require", {"requests.cpu", "requests.memory", "limits.memory"}))
      if (Bound* bound = bound_of("require", key)) bound->required = true;
    for (const auto& [key, quantity] : params_.quantities("min"))
      if (Bound* bound = bound_of("min", key)) bound->min = quantity;
    for (const auto& [key, quantity] : params_.quantities("max"))
      if (Bound* bound = bound_of("max", key)) bound->max = quantity;
    for (const auto& [key, quantity] : params_.quantities("defaults"))
      if (Bound* bound = bound_of("defaults", key)) bound->fallback = quantity;
    std::optional<std::int64_t> ratio;
    if (params_.has("maxLimitRequestRatio")) {
      ratio = std::llround(params_.number("maxLimitRequestRatio", 1) * static_cast<double>(ratio_scale));
      for (const std::string_view name : {"cpu", "memory"})
        if (Resource* resource = resource_of("maxLimitRequestRatio", name)) resource->has_ratio = true;
    }
    for (const Resource& resource : resources_) check(resource, ratio);
    if (error_) return tl::unexpected(*error_);
    if (std::none_of(resources_.begin(), resources_.end(), [](const Resource& r) {
          return r.has_ratio || r.request.required || r.limit.required || r.request.min || r.request.max || r.limit.min || r.limit.max;
        }))
      return tl::unexpected(params_.error("require", "found nothing to judge, want a key in `require`, `min` or `max`, or a ratio"));
    return RulePtr(std::make_unique<const ContainerBounds>(std::move(resources_), ratio));
  }

 private:
  void refuse(std::string_view param, std::string what) {
    if (!error_) error_ = params_.error(param, std::move(what));
  }

  Resource* resource_of(std::string_view param, std::string_view name) {
    const auto found = std::find_if(resources_.begin(), resources_.end(), [&](const Resource& each) { return each.name == name; });
    if (found != resources_.end()) return &*found;
    if (resources_.size() == resources_max) {
      refuse(param, "found more than " + std::to_string(resources_max) + " different resources, want fewer in one rule");
      return nullptr;
    }
    return &resources_.emplace_back(Resource{std::string(name), {}, {}, false});
  }

  Bound* bound_of(std::string_view param, std::string_view key) {
    const bool is_request = key.starts_with("requests.");
    if ((!is_request && !key.starts_with("limits.")) || key.find('.') + 1 == key.size()) {
      refuse(param, "found " + quoted(key) + ", want a key such as requests.cpu or limits.memory");
      return nullptr;
    }
    Resource* resource = resource_of(param, key.substr(key.find('.') + 1));
    if (!resource) return nullptr;
    return is_request ? &resource->request : &resource->limit;
  }

  // A rule that contradicts itself would deny everything, or mend into a denial.
  void check(const Resource& resource, const std::optional<std::int64_t>& ratio) {
    for (const Side side : {Side::request, Side::limit}) {
      const Bound& bound = resource.bound(side);
      const std::string key = std::string(side_key(side)) + "." + resource.name;
      for (const auto& [param, value] : {std::pair("min", bound.min), std::pair("max", bound.max), std::pair("defaults", bound.fallback)})
        if (value && *value >= quantity_cap) refuse(param, "found " + value->text() + " for " + key + ", want less than 2^63");
      if (bound.min && bound.max && *bound.min > *bound.max)
        refuse("min", "found " + bound.min->text() + " for " + key + ", want at most its `max` of " + bound.max->text());
      if (!bound.fallback) continue;
      if (bound.fallback->zero()) refuse("defaults", "found 0 for " + key + ", want an amount above 0");
      if (bound.min && *bound.fallback < *bound.min)
        refuse("defaults", "found " + bound.fallback->text() + " for " + key + ", want at least its `min` of " + bound.min->text());
      if (bound.max && *bound.fallback > *bound.max)
        refuse("defaults", "found " + bound.fallback->text() + " for " + key + ", want at most its `max` of " + bound.max->text());
    }
    const std::optional<Quantity>&request = resource.request.fallback, &limit = resource.limit.fallback;
    if (!request || !limit) return;
    if (*request > *limit)
      refuse("defaults", "found " + request->text() + " for requests." + resource.name + ", want at most its limit of " + limit->text());
    if (ratio && resource.has_ratio && *limit * ratio_scale > *request * *ratio)
      refuse("defaults",
             "found " + limit->text() + " for limits." + resource.name + ", want it within `maxLimitRequestRatio` of its request");
  }

  const Params& params_;
  std::vector<Resource> resources_;
  std::optional<Error> error_;
};

Result<RulePtr> compile_container_bounds(const Params& params) { return Reader(params).read(); }

}  // namespace

extern const RuleInfo container_bounds;  // a const alone would stay in this file
const RuleInfo container_bounds{
    .id = "container-bounds",
    .summary = "Every container asks for what it needs and is limited to what the hoster allows",
    .why =
        "A container without a memory limit takes its neighbours' memory and then their node; one without requests is placed where "
        "there is no room and evicted first, at month-end as on any other day.",
    .kinds = {},
    .subresources = {"resize"},
    .params = {{.name = "require",
                .type = ParamType::strings,
                .meaning = "what each container must set above 0: `requests.` or `limits.` and a resource",
                .range = require_range,
                .fallback = "[requests.cpu, requests.memory, limits.memory]"},
               {.name = "min", .type = ParamType::quantities, .meaning = "the least amount by such a key; of a request it must be set"},
               {.name = "max", .type = ParamType::quantities, .meaning = "the largest amount by such a key; of a limit it must be set"},
               {.name = "maxLimitRequestRatio",
                .type = ParamType::number,
                .meaning = "how many times its request a cpu or memory limit may be",
                .range = ratio_range},
               {.name = "defaults",
                .type = ParamType::quantities,
                .meaning = "with `inject: true`: amounts by such a key for containers that leave them out"}},
    .mends = true,
    .example = {.with = "{max: {limits.memory: 8Gi}}",
                .allowed = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: registry.hoster.example/odoo/server:17.0
      resources:
        requests: {cpu: 500m, memory: 1Gi}
        limits: {memory: 2Gi}
)",
                .denied = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: registry.hoster.example/odoo/server:17.0
      resources:
        requests: {cpu: 500m, memory: 1Gi}
)"},
    .since = "0.1.0",
    .compile = compile_container_bounds,
};

}  // namespace portcullis::policy::rule
