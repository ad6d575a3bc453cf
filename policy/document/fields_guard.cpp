// The fields of GuardPolicy, and those that a tenant's `guard` shares with it.
#include "policy/document/field_patterns.hpp"
#include "policy/document/fields.hpp"
#include "policy/document/route_classes.hpp"

namespace portcullis::policy {
namespace {

using Words = std::string_view[];
using enum FieldType;

constexpr Words mode_words{"enforce", "shadow"};
constexpr Words deny_words{"deny", "allow"};
constexpr Words default_words{"allow", "deny"};
constexpr Words key_words{"address", "session", "api-key", "tenant"};
constexpr Range label_bytes{1, 63}, names{1, 64};

constexpr Field network_item{
    .meaning = "a network such as 10.42.0.0/16 or 2001:db8::/32", .example = "192.0.2.0/24", .range = {1, 49}, .pattern = pattern::network};
constexpr Field list_name_item{.meaning = "the name of a list", .example = "offices", .range = label_bytes, .pattern = pattern::label};
constexpr Field class_item{.type = word, .meaning = "a route class", .example = "login", .words = route_class_names};

constexpr Field bucket_fields[]{
    {.name = "rate",
     .meaning = "requests a time: N/s, N/min, N/h or N/day",
     .required = true,
     .example = "30/min",
     .range = {1, 64},
     .pattern = pattern::rate},
    {.name = "burst", .type = integer, .meaning = "requests let through at once", .required = true, .example = "30", .range = burst_range},
};
constexpr Field limit_fields[]{
    {.name = "key", .type = word, .meaning = "what is counted apart", .required = true, .example = "address", .words = key_words},
    bucket_fields[0],
    bucket_fields[1],
};
constexpr Field limit_item{.type = record, .meaning = "a limit", .record = &fields::limit};
constexpr Words class_later{"onStoreLoss", "match", "concurrency", "quota", "quotas"};
constexpr Field class_fields[]{
    {.name = "limits", .type = list, .meaning = "replaces the class's whole list", .range = limits_range, .each = &limit_item},
    {.name = "cost", .type = number, .meaning = "what a request is charged to the tenant's bucket", .example = "5", .range = cost_range},
    {.name = "mode", .type = word, .meaning = "shadow only logs and counts", .example = "shadow", .words = mode_words},
};
constexpr Field class_value{.type = record, .meaning = "what differs from the built-in class", .record = &fields::class_override};
constexpr Field classes{.name = "classes",
                        .type = mapping,
                        .meaning = "overrides of the built-in route classes, by name",
                        .example = "login",
                        .range = {0, 26},
                        .words = route_class_names,
                        .each = &class_value};
constexpr Field list_fields[]{
    {.name = "name",
     .meaning = "how access entries name it",
     .required = true,
     .example = "offices",
     .range = label_bytes,
     .pattern = pattern::label},
    {.name = "cidrs", .type = list, .meaning = "its networks", .required = true, .range = {1, 4096}, .each = &network_item},
    {.name = "factor",
     .type = number,
     .meaning = "widens the limits by address of who is in it",
     .example = "10",
     .range = factor_range,
     .above_min = true},
};
constexpr Field list_item{.type = record, .meaning = "a list of networks", .record = &fields::network_list};
constexpr Field lists{.name = "lists", .type = list, .meaning = "lists of networks", .range = {0, 64}, .each = &list_item};
constexpr Field access_fields[]{
    {.name = "classes", .type = list, .meaning = "the route classes it is about", .required = true, .range = {1, 26}, .each = &class_item},
    {.name = "allow", .type = list, .meaning = "names of lists that are let in", .range = names, .each = &list_name_item},
    {.name = "deny", .type = list, .meaning = "names of lists that are kept out", .range = names, .each = &list_name_item},
    {.name = "default", .type = word, .meaning = "what no list decides", .required = true, .example = "deny", .words = default_words},
};
constexpr Field access_item{.type = record, .meaning = "who may reach some route classes", .record = &fields::access_entry};
constexpr Field access{
    .name = "access", .type = list, .meaning = "who may reach which route classes", .range = {0, 64}, .each = &access_item};

constexpr Words tenant_later{"databases", "workers", "concurrency", "quota", "quotas", "overrides", "profiles", "bans"};
constexpr Field tenant_guard_fields[]{
    {.name = "plan",
     .meaning = "a plan of the GuardPolicy",
     .required = true,
     .example = "gold",
     .range = label_bytes,
     .pattern = pattern::label},
    lists,
    access,
    classes,
    {.name = "mode", .type = word, .meaning = "shadow only logs and counts", .example = "shadow", .words = mode_words},
};

constexpr Field proxy_fields[]{
    {.name = "cidrs", .type = list, .meaning = "the networks of your proxies", .required = true, .range = {1, 256}, .each = &network_item},
    {.name = "hops",
     .type = integer,
     .meaning = "proxies that append to X-Forwarded-For, the peer included; 1 unless said",
     .example = "1",
     .range = hops_range},
};
constexpr Field plan_fields[]{
    {.name = "factor",
     .type = number,
     .meaning = "multiplies the classes' limits",
     .example = "4",
     .range = factor_range,
     .above_min = true},
    {.name = "tenant", .type = record, .meaning = "the tenant's own bucket", .record = &fields::bucket},
};
constexpr Field plan_value{.type = record, .meaning = "a plan", .record = &fields::plan};
constexpr Words guard_later{"bans", "profiles", "overrides"};
constexpr Field guard_fields[]{
    {.name = "trustedProxies",
     .type = record,
     .meaning = "whose X-Forwarded-For is believed",
     .required = true,
     .record = &fields::trusted_proxies},
    {.name = "unknownHost",
     .type = word,
     .meaning = "what befalls a request to a host that no tenant owns",
     .example = "deny",
     .fallback = "deny",
     .words = deny_words},
    classes,
    {.name = "plans",
     .type = mapping,
     .meaning = "plans by name",
     .example = "gold",
     .range = {0, 64},
     .pattern = pattern::label,
     .each = &plan_value},
    lists,
    access,
    {.name = "mode",
     .type = word,
     .meaning = "shadow only logs and counts",
     .example = "enforce",
     .fallback = "enforce",
     .words = mode_words},
};

}  // namespace

namespace fields {
constinit const Record tenant_guard{.fields = tenant_guard_fields, .later = tenant_later};
constinit const Record guard_policy{.fields = guard_fields, .later = guard_later};
constinit const Record trusted_proxies{proxy_fields};
constinit const Record plan{plan_fields};
constinit const Record bucket{bucket_fields};
constinit const Record network_list{list_fields};
constinit const Record access_entry{access_fields};
constinit const Record class_override{.fields = class_fields, .later = class_later};
constinit const Record limit{limit_fields};
}  // namespace fields

}  // namespace portcullis::policy
