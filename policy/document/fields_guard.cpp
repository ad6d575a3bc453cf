// The fields of GuardPolicy, and those that a tenant's `guard` shares with it; those of profiles are in fields_profile.cpp.
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
constexpr Words key_words{"address", "session", "login", "api-key", "tenant"};
constexpr Words share_key_words{"address", "session", "api-key", "tenant"};
constexpr Words period_words{"day", "month"};
constexpr Words store_loss_words{"local", "open", "closed"};
constexpr Words fairness_words{"weighted"};
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
constexpr Field quota_fields[]{
    {.name = "key", .type = word, .meaning = "what is counted apart", .required = true, .example = "tenant", .words = share_key_words},
    {.name = "count", .type = integer, .meaning = "requests", .required = true, .example = "20000", .range = quota_count_range},
    {.name = "per",
     .type = word,
     .meaning = "a calendar day or month, in the tenant's zone",
     .required = true,
     .example = "day",
     .words = period_words},
};
constexpr Field quota_item{.type = record, .meaning = "requests a day or month", .record = &fields::quota};
constexpr Field concurrency_fields[]{
    {.name = "key", .type = word, .meaning = "what is counted apart", .required = true, .example = "tenant", .words = share_key_words},
    {.name = "max", .type = integer, .meaning = "requests at the same time", .required = true, .example = "2", .range = at_once_range},
    {.name = "ttl",
     .meaning = "a place is given back then at the latest; PT2M unless said",
     .example = "PT2M",
     .range = {2, 64},
     .pattern = pattern::duration},
};
constexpr Field concurrency_item{.type = record, .meaning = "requests at the same time", .record = &fields::concurrency};
constexpr Field limits{
    .name = "limits", .type = list, .meaning = "replaces the class's whole list", .range = limits_range, .each = &limit_item};
constexpr Field cost{
    .name = "cost", .type = number, .meaning = "what a request is charged to the tenant's bucket", .example = "5", .range = cost_range};
constexpr Field class_mode{
    .name = "mode", .type = word, .meaning = "shadow only logs and counts", .example = "shadow", .words = mode_words};
constexpr Field on_store_loss{.name = "onStoreLoss",
                              .type = word,
                              .meaning = "while the shared store is away: limits divided by the replicas, whole, or no request at all",
                              .example = "local",
                              .words = store_loss_words};
constexpr Field class_quotas{
    .name = "quotas", .type = list, .meaning = "replaces the class's whole list", .range = quotas_range, .each = &quota_item};
constexpr Field class_concurrency{.name = "concurrency",
                                  .type = list,
                                  .meaning = "replaces the class's whole list",
                                  .range = concurrency_range,
                                  .each = &concurrency_item};
constexpr Field class_fields[]{limits, cost, class_mode, on_store_loss, class_quotas, class_concurrency};
constexpr Misplaced class_misplaced[]{
    {"match", "want it in a class of a tenant's own (Tenant.spec.guard.classes): the paths of the built-in classes are Odoo's"}};
constexpr Field path_item{.meaning = "an absolute path; a `/**` at its end takes in what is below",
                          .example = "/edi/**",
                          .range = path_bytes_range,
                          .pattern = pattern::path};
constexpr Field tenant_class_fields[]{
    {.name = "match", .type = list, .meaning = "the paths of an own class", .range = paths_range, .each = &path_item},
    limits,
    cost,
    class_mode,
    on_store_loss,
    class_quotas,
    class_concurrency,
};
constexpr Field class_value{.type = record, .meaning = "what differs from the built-in class", .record = &fields::class_override};
constexpr Field classes{.name = "classes",
                        .type = mapping,
                        .meaning = "overrides of the built-in route classes, by name",
                        .example = "login",
                        .range = {0, 26},
                        .words = route_class_names,
                        .each = &class_value};
constexpr Field tenant_class_value{
    .type = record, .meaning = "what differs from the built-in class, or a class of its own with `match`", .record = &fields::tenant_class};
constexpr Field tenant_classes{.name = "classes",
                               .type = mapping,
                               .meaning = "overrides of the built-in route classes, and classes of its own, by name",
                               .example = "edi",
                               .range = {0, 58},
                               .pattern = pattern::label,
                               .each = &tenant_class_value};
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
constexpr Field access_classes{
    .name = "classes", .type = list, .meaning = "the route classes it is about", .required = true, .range = {1, 26}, .each = &class_item};
constexpr Field tenant_access_class{
    .meaning = "a route class, built in or the tenant's own", .example = "edi", .range = label_bytes, .pattern = pattern::label};
constexpr Field tenant_access_classes{.name = "classes",
                                      .type = list,
                                      .meaning = "the route classes it is about",
                                      .required = true,
                                      .range = {1, 58},
                                      .each = &tenant_access_class};
constexpr Field access_allow{
    .name = "allow", .type = list, .meaning = "names of lists that are let in", .range = names, .each = &list_name_item};
constexpr Field access_deny{
    .name = "deny", .type = list, .meaning = "names of lists that are kept out", .range = names, .each = &list_name_item};
constexpr Field access_default{
    .name = "default", .type = word, .meaning = "what no list decides", .required = true, .example = "deny", .words = default_words};
constexpr Field access_fields[]{access_classes, access_allow, access_deny, access_default};
constexpr Field tenant_access_fields[]{tenant_access_classes, access_allow, access_deny, access_default};
constexpr Field access_item{.type = record, .meaning = "who may reach some route classes", .record = &fields::access_entry};
constexpr Field tenant_access_item{.type = record, .meaning = "who may reach some route classes", .record = &fields::tenant_access_entry};
constexpr Field access{
    .name = "access", .type = list, .meaning = "who may reach which route classes", .range = {0, 64}, .each = &access_item};
constexpr Field tenant_access{
    .name = "access", .type = list, .meaning = "who may reach which route classes", .range = {0, 64}, .each = &tenant_access_item};

constexpr Field database_item{
    .meaning = "a database; a trailing `*` is allowed, not alone", .example = "acme-*", .range = {1, 64}, .pattern = pattern::database};
constexpr Field tenant_guard_fields[]{
    {.name = "plan",
     .meaning = "a plan of the GuardPolicy",
     .required = true,
     .example = "gold",
     .range = label_bytes,
     .pattern = pattern::label},
    lists,
    tenant_access,
    tenant_classes,
    class_mode,
    {.name = "databases",
     .type = list,
     .meaning = "the databases that its requests may name; any unless said",
     .range = databases_range,
     .each = &database_item},
    {.name = "workers", .type = integer, .meaning = "worker processes of its Odoo", .example = "8", .range = workers_range},
    {.name = "quotas", .type = list, .meaning = "requests a day or month, of all classes", .range = quotas_range, .each = &quota_item},
    {.name = "pool",
     .meaning = "a pool of the GuardPolicy whose capacity it shares",
     .example = "shared-a",
     .range = label_bytes,
     .pattern = pattern::label},
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
constexpr Field bans_fields[]{
    {.name = "failures",
     .type = integer,
     .meaning = "failed logins that ban; 10 unless said",
     .example = "10",
     .range = ban_failures_range},
    {.name = "window",
     .meaning = "how long a failure counts; PT10M unless said",
     .example = "PT10M",
     .range = {2, 64},
     .pattern = pattern::duration},
    {.name = "first",
     .meaning = "the first ban, doubled by each further one; PT1M unless said",
     .example = "PT1M",
     .range = {2, 64},
     .pattern = pattern::duration},
    {.name = "max", .meaning = "the longest ban; PT60M unless said", .example = "PT60M", .range = {2, 64}, .pattern = pattern::duration},
};
constexpr Field pool_fields[]{
    {.name = "name",
     .meaning = "how tenants name it",
     .required = true,
     .example = "shared-a",
     .range = label_bytes,
     .pattern = pattern::label},
    {.name = "capacity",
     .meaning = "requests a time: N/s, N/min, N/h or N/day",
     .required = true,
     .example = "200/s",
     .range = {1, 64},
     .pattern = pattern::rate},
    {.name = "fairness",
     .type = word,
     .meaning = "weighted: by the factors of the tenants' plans",
     .example = "weighted",
     .fallback = "weighted",
     .words = fairness_words},
};
constexpr Field pool_item{.type = record, .meaning = "a capacity that its tenants share", .record = &fields::pool};
constexpr Field profile_item{.type = record, .meaning = "what is different at a time", .record = &fields::profile};
constexpr Field override_item{.type = record, .meaning = "a profile switched by hand", .record = &fields::profile_override};
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
    {.name = "bans", .type = record, .meaning = "what failed logins lead to", .record = &fields::bans},
    {.name = "pools", .type = list, .meaning = "capacities that tenants share", .range = pools_range, .each = &pool_item},
    {.name = "profiles", .type = list, .meaning = "what is different at a time", .range = profiles_range, .each = &profile_item},
    {.name = "overrides", .type = list, .meaning = "profiles switched by hand", .range = overrides_range, .each = &override_item},
    {.name = "mode",
     .type = word,
     .meaning = "shadow only logs and counts",
     .example = "enforce",
     .fallback = "enforce",
     .words = mode_words},
};

}  // namespace

namespace fields {
constinit const Record tenant_guard{tenant_guard_fields};
constinit const Record guard_policy{guard_fields};
constinit const Record trusted_proxies{proxy_fields};
constinit const Record plan{plan_fields};
constinit const Record bucket{bucket_fields};
constinit const Record network_list{list_fields};
constinit const Record access_entry{access_fields};
constinit const Record tenant_access_entry{tenant_access_fields};
constinit const Record class_override{.fields = class_fields, .misplaced = class_misplaced};
constinit const Record tenant_class{tenant_class_fields};
constinit const Record limit{limit_fields};
constinit const Record quota{quota_fields};
constinit const Record concurrency{concurrency_fields};
constinit const Record bans{bans_fields};
constinit const Record pool{pool_fields};
}  // namespace fields

}  // namespace portcullis::policy
