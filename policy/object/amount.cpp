#include "policy/object/amount.hpp"

namespace portcullis::policy {
namespace {

Quantity::Nanos nanos_a_unit(std::string_view dimension) {
  const std::string_view resource = split_dimension(dimension).resource;
  const bool is_cpu = resource == "cpu" || resource == "requests.cpu" || resource == "limits.cpu";
  return is_cpu ? 1'000'000 : 1'000'000'000;
}

}  // namespace

std::int64_t base_units(std::string_view resource, Quantity quantity) {
  if (quantity.negative()) return 0;
  const Quantity::Nanos unit = nanos_a_unit(resource);
  const Quantity::Nanos units = quantity.nanos() / unit + (quantity.nanos() % unit != 0 ? 1 : 0);
  return units > units_max ? units_max : static_cast<std::int64_t>(units);
}

Quantity quantity_of(std::string_view resource, std::int64_t units) { return Quantity::of_nanos(nanos_a_unit(resource) * units); }

std::string amount_text(std::string_view resource, std::int64_t units) { return quantity_of(resource, units).text(); }

Dimension split_dimension(std::string_view dimension) {
  const std::size_t slash = dimension.find('/');
  if (slash == std::string_view::npos) return {{}, dimension};
  const std::string_view first = dimension.substr(0, slash);
  // A namespace's name has no dot; what leads a resource's name before a slash has one, or is `count`.
  if (first == "count" || first.find('.') != std::string_view::npos) return {{}, dimension};
  return {first, dimension.substr(slash + 1)};
}

}  // namespace portcullis::policy
