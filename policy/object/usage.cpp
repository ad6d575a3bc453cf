#include "policy/object/usage.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "policy/document/formats.hpp"

namespace portcullis::policy {
namespace {

// A ResourceList; its names are views into the object.
using Resources = std::map<std::string_view, Quantity>;

constexpr std::string_view requests_prefix = "requests.";
constexpr std::string_view huge_pages_prefix = "hugepages-";

bool is_supported_pod_level(std::string_view name) { return name == "cpu" || name == "memory" || name.starts_with(huge_pages_prefix); }

// A part of a qualified name (validation.IsQualifiedName).
bool is_name_part(std::string_view text) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  constexpr std::size_t bytes_max = 63;
  return !text.empty() && text.size() <= bytes_max && alphanumeric(text.front()) && alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

// A resource of somebody's own, such as nvidia.com/gpu (schedutil.IsDRAExtendedResourceName).
bool is_extended(std::string_view name) {
  if (name.starts_with("deviceclass.resource.kubernetes.io/")) return true;
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos || name.find("kubernetes.io/") != std::string_view::npos || name.starts_with(requests_prefix))
    return false;
  return is_name_part(name.substr(slash + 1)) && is_dns_subdomain(std::string(requests_prefix) + std::string(name.substr(0, slash)));
}

Resources read(Value list) {
  Resources out;
  if (!list.is(ValueKind::object)) return out;
  for (const Value member : list)
    if (const std::optional<Quantity> quantity = Quantity::parse(member)) out.insert_or_assign(member.key(), *quantity);
  return out;
}

void add(Resources& sum, const Resources& more) {
  for (const auto& [name, quantity] : more) {
    const auto [at, is_new] = sum.try_emplace(name, quantity);
    if (!is_new) at->second = at->second + quantity;
  }
}

void raise(Resources& to, const Resources& other) {
  for (const auto& [name, quantity] : other) {
    const auto [at, is_new] = to.try_emplace(name, quantity);
    if (!is_new && quantity > at->second) at->second = quantity;
  }
}

// Away from zero, as Quantity.RoundUp does.
Quantity rounded_up(Quantity quantity, Quantity::Nanos unit) {
  const Quantity::Nanos rest = quantity.nanos() % unit;
  if (rest == 0) return quantity;
  const Quantity::Nanos down = quantity.nanos() - rest;
  return Quantity::of_nanos(quantity.negative() ? down - unit : down + unit);
}

enum class Side : std::uint8_t { requests, limits };

// One pod's arithmetic, for requests and for limits.
class PodSum {
 public:
  PodSum(Value spec, Value status, PodDefaults defaults) : spec_(spec), status_(status), defaults_(defaults) {
    for (const Value condition : items(status["conditions"])) {
      if (condition["type"].text() != "PodResizePending") continue;
      infeasible_ = condition["reason"].text() == "Infeasible";
      break;
    }
    const Value pod_level = spec["resources"];
    requests_at_pod_ = read(pod_level["requests"]);
    limits_at_pod_ = read(pod_level["limits"]);
    if (defaults == PodDefaults::applied && requests_at_pod_.size() + limits_at_pod_.size() > 0) fill_in_pod_level();
  }

  [[nodiscard]] Resources requests() const {
    Resources sum = of_containers(Side::requests, At::now);
    for (const auto& [name, quantity] : requests_at_pod_)
      if (is_supported_pod_level(name)) sum.insert_or_assign(name, stored(quantity));
    add(sum, read_stored(spec_["overhead"]));
    return sum;
  }

  [[nodiscard]] Resources limits() const {
    Resources sum = of_containers(Side::limits, At::now);
    for (const auto& [name, quantity] : limits_at_pod_)
      if (is_supported_pod_level(name)) sum.insert_or_assign(name, stored(quantity));
    for (const auto& [name, quantity] : read_stored(spec_["overhead"]))
      if (const auto at = sum.find(name); at != sum.end() && !at->second.zero()) at->second = at->second + quantity;
    return sum;
  }

 private:
  // As the containers stand, or as the author wrote them: what the API server fills in at the pod is made from the latter.
  enum class At : std::uint8_t { now, writing };

  // defaultHugePagePodLimits, then defaultPodRequests, of the API server.
  void fill_in_pod_level() {
    for (const auto& [name, quantity] : of_containers(Side::limits, At::writing))
      if (name.starts_with(huge_pages_prefix) && requests_at_pod_.count(name) == 0) limits_at_pod_.try_emplace(name, quantity);
    if (limits_at_pod_.empty()) return;
    for (const auto& [name, quantity] : of_containers(Side::requests, At::writing))
      if (name == "cpu" || name == "memory") requests_at_pod_.try_emplace(name, quantity);
    for (const auto& [name, quantity] : limits_at_pod_)
      if (is_supported_pod_level(name)) requests_at_pod_.try_emplace(name, quantity);
  }

  // What is stored is rounded up to thousandths.
  [[nodiscard]] Quantity stored(Quantity quantity) const {
    constexpr Quantity::Nanos thousandth = 1'000'000;
    return defaults_ == PodDefaults::applied ? rounded_up(quantity, thousandth) : quantity;
  }
  [[nodiscard]] Resources read_stored(Value list) const {
    Resources resources = read(list);
    for (auto& [name, quantity] : resources) quantity = stored(quantity);
    return resources;
  }

  static Value items(Value list) { return list.is(ValueKind::array) ? list : Value{}; }

  // The status of a container by its name; of an init container's and a container's of one name, the init container's.
  [[nodiscard]] Value status_of(std::string_view name) const {
    for (const std::string_view list : {"initContainerStatuses", "containerStatuses"}) {
      Value found;
      for (const Value each : items(status_[list]))
        if (each["name"].text() == name) found = each;
      if (found) return found;
    }
    return {};
  }

  // What a container takes: as wanted, or more while a resize in place is under way.
  [[nodiscard]] Resources effective(Value container, Side side, At at, bool has_status) const {
    const Value resources = container["resources"];
    Resources wanted = read(resources[side == Side::requests ? "requests" : "limits"]);
    if (side == Side::requests && defaults_ == PodDefaults::applied)
      for (const auto& [name, quantity] : read(resources["limits"])) wanted.try_emplace(name, quantity);
    if (at == At::writing) return wanted;
    for (auto& [name, quantity] : wanted) quantity = stored(quantity);
    if (!has_status || !status_.present()) return wanted;
    const Value status = status_of(container["name"].text());
    const Value actuated = status["resources"];
    if (!actuated.present()) return wanted;
    if (infeasible_) wanted.clear();
    raise(wanted, read_stored(actuated[side == Side::requests ? "requests" : "limits"]));
    if (side == Side::requests) raise(wanted, read_stored(status["allocatedResources"]));
    return wanted;
  }

  // All containers at once, or an init container beside the sidecars started before it, by resource whichever is more.
  [[nodiscard]] Resources of_containers(Side side, At at) const {
    Resources sum, sidecars, initial;
    for (const Value container : items(spec_["containers"])) add(sum, effective(container, side, at, true));
    for (const Value container : items(spec_["initContainers"])) {
      const bool is_sidecar = container["restartPolicy"].text() == "Always";
      Resources own = effective(container, side, at, is_sidecar);
      if (is_sidecar) {
        add(sum, own);
        add(sidecars, own);
        raise(initial, sidecars);
      } else {
        add(own, sidecars);
        raise(initial, own);
      }
    }
    raise(sum, initial);
    return sum;
  }

  Value spec_, status_;
  PodDefaults defaults_;
  bool infeasible_ = false;
  Resources requests_at_pod_, limits_at_pod_;
};

void put(Usage& usage, std::string_view name, Quantity quantity) { usage.insert_or_assign(std::string(name), quantity); }

// podComputeUsageHelper of the evaluator.
void put_compute(const PodSum& pod, Usage& usage) {
  put(usage, "pods", Quantity::of_units(1));
  for (const auto& [name, quantity] : pod.requests()) {
    const bool is_huge = name.starts_with(huge_pages_prefix);
    const bool is_plain = name == "cpu" || name == "memory" || name == "ephemeral-storage";
    if (is_plain || is_huge) put(usage, name, quantity);
    if (is_plain || is_huge || is_extended(name)) put(usage, std::string(requests_prefix) + std::string(name), quantity);
  }
  for (const auto& [name, quantity] : pod.limits())
    if (name == "cpu" || name == "memory" || name == "ephemeral-storage") put(usage, "limits." + std::string(name), quantity);
}

void put_pod(Value pod, Instant now, PodDefaults defaults, Usage& usage) {
  const std::string_view phase = pod["status"]["phase"].text();
  if (phase == "Failed" || phase == "Succeeded") return;
  if (const std::optional<Instant> end = usage_ends(pod); end && now > *end) return;
  put_compute(PodSum(pod["spec"], pod["status"], defaults), usage);
}

void put_claim(Value claim, Usage& usage) {
  constexpr std::string_view old_class_annotation = "volume.beta.kubernetes.io/storage-class";
  put(usage, "persistentvolumeclaims", Quantity::of_units(1));
  const Value annotated = claim["metadata"]["annotations"][old_class_annotation];
  const std::string_view storage_class = annotated ? annotated.text() : claim["spec"]["storageClassName"].text();
  const std::string by_class = std::string(storage_class) + ".storageclass.storage.k8s.io/";
  if (!storage_class.empty()) put(usage, by_class + "persistentvolumeclaims", Quantity::of_units(1));
  const std::optional<Quantity> wanted = Quantity::parse(claim["spec"]["resources"]["requests"]["storage"]);
  if (!wanted) return;
  constexpr Quantity::Nanos whole = 1'000'000'000;
  Quantity storage = rounded_up(*wanted, whole);
  const std::optional<Quantity> allocated = Quantity::parse(claim["status"]["allocatedResources"]["storage"]);
  if (allocated && *allocated > storage) storage = rounded_up(*allocated, whole);
  put(usage, "requests.storage", storage);
  if (!storage_class.empty()) put(usage, by_class + "requests.storage", storage);
}

void put_service(Value service, Usage& usage) {
  const Value spec = service["spec"], ports = spec["ports"];
  const std::string_view type = spec["type"].text();
  std::int64_t node_ports = 0;
  if (type == "NodePort" || type == "LoadBalancer") {
    const Value allocates = spec["allocateLoadBalancerNodePorts"];
    const bool only_named = type == "LoadBalancer" && allocates.is(ValueKind::boolean) && !allocates.is_true();
    if (ports.is(ValueKind::array))
      for (const Value port : ports)
        if (!only_named || port["nodePort"].integer().value_or(0) != 0) ++node_ports;
  }
  put(usage, "services", Quantity::of_units(1));
  put(usage, "services.loadbalancers", Quantity::of_units(type == "LoadBalancer" ? 1 : 0));
  put(usage, "services.nodeports", Quantity::of_units(node_ports));
}

}  // namespace

Usage usage_of(Value object, std::string_view resource, std::string_view group, Instant now, PodDefaults defaults) {
  Usage usage;
  std::string count = "count/" + std::string(resource);
  if (!group.empty()) (count += '.') += group;
  usage.emplace(std::move(count), Quantity::of_units(1));
  if (!group.empty()) return usage;
  constexpr std::array<std::string_view, 4> by_their_name{"configmaps", "replicationcontrollers", "resourcequotas", "secrets"};
  if (resource == "pods") {
    put_pod(object, now, defaults, usage);
  } else if (resource == "persistentvolumeclaims") {
    put_claim(object, usage);
  } else if (resource == "services") {
    put_service(object, usage);
  } else if (std::find(by_their_name.begin(), by_their_name.end(), resource) != by_their_name.end()) {
    put(usage, resource, Quantity::of_units(1));
  }
  return usage;
}

Usage pod_usage(const PodTemplate& pod) {
  Usage usage;
  put(usage, "count/pods", Quantity::of_units(1));
  put_compute(PodSum(pod.spec, {}, PodDefaults::applied), usage);
  return usage;
}

std::optional<Instant> usage_ends(Value pod) {
  const Value metadata = pod["metadata"];
  const std::optional<std::int64_t> grace = metadata["deletionGracePeriodSeconds"].integer();
  const std::optional<Instant> deletion = parse_instant(metadata["deletionTimestamp"].text());
  if (!grace || !deletion) return std::nullopt;
  constexpr std::int64_t seconds_max = 1'000'000'000;  // beyond any pod's life, and no overflow of the clock
  return *deletion + std::chrono::seconds(std::clamp(*grace, -seconds_max, seconds_max));
}

}  // namespace portcullis::policy
