// The fields of a GuardPolicy's profiles and of what switches them by hand.
#include "policy/document/field_patterns.hpp"
#include "policy/document/fields.hpp"
#include "policy/document/route_classes.hpp"

namespace portcullis::policy {
namespace {

using enum FieldType;

constexpr Range label_bytes{1, 63};

constexpr Field tenant_item{.meaning = "a tenant", .example = "acme", .range = label_bytes, .pattern = pattern::label};
constexpr Field tier_item{.type = integer, .meaning = "a tier", .example = "1", .range = tier_range};
constexpr Field class_item{.type = word, .meaning = "a route class", .example = "upload", .words = route_class_names};
constexpr Field list_item{
    .meaning = "the name of a list of the GuardPolicy", .example = "offices", .range = label_bytes, .pattern = pattern::label};

constexpr Field period_ref_fields[]{
    {.name = "calendar", .meaning = "a Calendar", .required = true, .example = "finance", .pattern = pattern::subdomain},
    {.name = "period",
     .meaning = "a period of that Calendar",
     .required = true,
     .example = "month-end-close",
     .range = label_bytes,
     .pattern = pattern::label},
};
constexpr Field period_ref_item{.type = record, .meaning = "a period of a Calendar", .record = &fields::period_ref};
constexpr Field match_fields[]{
    {.name = "tenants", .type = list, .meaning = "tenants", .range = {1, 1'000}, .each = &tenant_item},
    {.name = "tiers", .type = list, .meaning = "tiers of tenants", .range = {1, 3}, .each = &tier_item},
};
constexpr Field factor{.name = "factor",
                       .type = number,
                       .meaning = "multiplies the limits of every class and the tenant's bucket",
                       .example = "2",
                       .range = factor_range,
                       .above_min = true};
constexpr Field profile_class_fields[]{
    {.name = "factor",
     .type = number,
     .meaning = "multiplies the class's limits and concurrency",
     .required = true,
     .example = "0.5",
     .range = factor_range,
     .above_min = true},
};
constexpr Field profile_class_value{.type = record, .meaning = "what becomes of a class", .record = &fields::profile_class};
constexpr Field maintenance_fields[]{
    {.name = "message", .meaning = "what users are told", .required = true, .example = "Odoo is being upgraded.", .range = sentence_range},
    {.name = "allow", .type = list, .meaning = "lists of the GuardPolicy that are let through", .range = {1, 64}, .each = &list_item},
};
constexpr Field profile_fields[]{
    {.name = "name",
     .meaning = "how overrides name it",
     .required = true,
     .example = "month-end",
     .range = label_bytes,
     .pattern = pattern::label},
    {.name = "when",
     .type = list,
     .meaning = "periods it holds in, any of them; by an override only unless said",
     .range = when_range,
     .each = &period_ref_item},
    {.name = "match", .type = record, .meaning = "whom it is for; everybody unless said", .record = &fields::profile_match},
    factor,
    {.name = "classes",
     .type = mapping,
     .meaning = "built-in route classes by name",
     .example = "report",
     .range = {0, 26},
     .pattern = pattern::label,
     .each = &profile_class_value},
    {.name = "deny", .type = list, .meaning = "route classes that are refused", .range = {1, 26}, .each = &class_item},
    {.name = "maintenance", .type = record, .meaning = "nobody is let through but its lists", .record = &fields::maintenance},
};

constexpr FieldCheck override_checks[]{{"!has(self.from) || self.from < self.expiresAt", "want `expiresAt` after `from`"}};
constexpr Field override_fields[]{
    {.name = "profile",
     .meaning = "a profile of this GuardPolicy",
     .required = true,
     .example = "month-end",
     .range = label_bytes,
     .pattern = pattern::label},
    {.name = "active", .type = boolean, .meaning = "false: off although a period says on; true unless said", .example = "true"},
    {.name = "tenants",
     .type = list,
     .meaning = "of the tenants that the profile is for; all unless said",
     .range = {1, 1'000},
     .each = &tenant_item},
    {.name = "from", .type = instant, .meaning = "RFC 3339 with an offset; at once unless said", .example = "2026-11-25T08:00:00+01:00"},
    {.name = "expiresAt",
     .type = instant,
     .meaning = "RFC 3339 with an offset; from then on it is inert",
     .required = true,
     .example = "2026-11-25T10:00:00+01:00"},
    {.name = "reason", .meaning = "why", .required = true, .example = "upgrade to 18", .range = sentence_range},
};

}  // namespace

namespace fields {
constinit const Record profile{profile_fields};
constinit const Record period_ref{period_ref_fields};
constinit const Record profile_match{match_fields};
constinit const Record profile_class{profile_class_fields};
constinit const Record maintenance{maintenance_fields};
constinit const Record profile_override{.fields = override_fields, .checks = override_checks};
}  // namespace fields

}  // namespace portcullis::policy
