// Platform, Tenant, Policy and PolicyException; the guard's fields are in fields_guard.cpp, a Calendar's in fields_calendar.cpp.
#include "policy/document/fields.hpp"

#include <array>

#include "policy/document/field_patterns.hpp"

namespace portcullis::policy {
namespace {

using Words = std::string_view[];
using enum FieldType;

constexpr Words failure_words{"deny", "warn", "allow"};
constexpr Words mode_words{"enforce", "warn", "audit"};
constexpr Words tenancy_words{"dedicated", "multi-tenant"};
constexpr Words operation_words{"CREATE", "UPDATE", "DELETE", "CONNECT"};
constexpr Words operator_words{"In", "NotIn", "Exists", "DoesNotExist"};
constexpr Range label_bytes{1, 63}, maybe_empty_list{0, 1'000}, filled_list{1, 1'000}, short_list{1, 64};

constexpr Field environment_item{.meaning = "an environment", .example = "production", .range = label_bytes, .pattern = pattern::label};
constexpr Field namespace_item{.meaning = "a namespace", .example = "kube-system", .range = label_bytes, .pattern = pattern::label};
constexpr Field owned_namespace_item{
    .meaning = "a namespace that a tenant owns", .example = "acme-prod", .range = label_bytes, .pattern = pattern::label};
constexpr Field tenant_item{.meaning = "a tenant", .example = "acme", .range = label_bytes, .pattern = pattern::label};
constexpr Field rule_item{.meaning = "a rule's id", .example = "replica-floor", .range = label_bytes, .pattern = pattern::rule_id};
constexpr Field controller_item{.meaning = "a user name",
                                .example = "system:serviceaccount:cert-manager:cert-manager",
                                .range = {1, 512},
                                .pattern = pattern::no_wildcard};
constexpr Field quantity_value{.type = quantity, .meaning = "a quantity such as 500m, 2 or 1Gi", .example = "\"20\""};
constexpr Field budget{.name = "budget",
                       .type = mapping,
                       .meaning = "what may be used together at most, by ResourceQuota's resource names",
                       .example = "pods",
                       .range = {0, 64},
                       .each = &quantity_value};

// Platform.
constexpr Field workload_kind_fields[]{
    {.name = "apiVersion",
     .meaning = "its group and version",
     .required = true,
     .example = "argoproj.io/v1alpha1",
     .range = {1, 317},
     .pattern = pattern::group_version},
    {.name = "kind", .meaning = "its kind", .required = true, .example = "Rollout", .range = label_bytes, .pattern = pattern::field},
    {.name = "podTemplate",
     .meaning = "where the pod template is",
     .required = true,
     .example = "spec.template",
     .pattern = pattern::field_path},
    {.name = "replicas", .meaning = "where the number of replicas is", .example = "spec.replicas", .pattern = pattern::field_path},
};
constexpr Field workload_kind_item{
    .type = record, .meaning = "a custom resource that holds a pod template", .record = &fields::workload_kind};
constexpr Field exceptions_fields[]{{.name = "maxDuration",
                                     .meaning = "the longest exception, from validFrom to expiresAt; P90D unless said",
                                     .required = true,
                                     .example = "P90D",
                                     .range = {2, 64},
                                     .pattern = pattern::duration}};
constexpr Field platform_fields[]{
    {.name = "systemNamespaces",
     .type = list,
     .meaning = "namespaces that are never judged, by their exact names",
     .range = maybe_empty_list,
     .each = &namespace_item},
    {.name = "environments",
     .type = list,
     .meaning = "in the order of promotion; the last is production",
     .required = true,
     .range = short_list,
     .each = &environment_item},
    {.name = "unknownNamespace",
     .type = word,
     .meaning = "what befalls a write to a namespace that no tenant owns",
     .example = "deny",
     .fallback = "deny",
     .words = failure_words},
    {.name = "exceptions", .type = record, .meaning = "bounds of PolicyExceptions", .record = &fields::platform_exceptions},
    {.name = "controllers",
     .type = list,
     .meaning = "user names of machines beside Kubernetes' own",
     .range = maybe_empty_list,
     .each = &controller_item},
    {.name = "workloadKinds",
     .type = list,
     .meaning = "custom resources that hold a pod template",
     .range = {0, 64},
     .each = &workload_kind_item},
};

// Tenant.
constexpr Words namespace_one_of{"name", "pattern"};
constexpr FieldCheck namespace_checks[]{{"has(self.name) != has(self.pattern)", "want either `name` or `pattern`"}};
constexpr Field tenant_namespace_fields[]{
    {.name = "name", .meaning = "the namespace", .example = "acme-prod", .range = label_bytes, .pattern = pattern::label},
    {.name = "pattern",
     .meaning = "every namespace that begins so; one `*`, at its end",
     .example = "acme-proj-*",
     .range = label_bytes,
     .pattern = pattern::name_prefix},
    {.name = "environment",
     .meaning = "an environment of the Platform",
     .required = true,
     .example = "production",
     .range = label_bytes,
     .pattern = pattern::label},
    {.name = "tenancy",
     .type = word,
     .meaning = "whether machines are shared with other tenants",
     .required = true,
     .example = "dedicated",
     .words = tenancy_words},
    {.name = "tier", .type = integer, .meaning = "its tier where it is not the tenant's", .example = "2", .range = tier_range},
    budget,
};
constexpr Field tenant_namespace_item{
    .type = record, .meaning = "a namespace, or several by a pattern", .record = &fields::tenant_namespace};
constexpr Field host_item{
    .meaning = "a host name; `*.` in front for any one label", .example = "erp.acme.example", .range = {1, 255}, .pattern = pattern::host};
constexpr Field contact_fields[]{
    {.name = "owner", .meaning = "a mail address or name", .example = "erp@acme.example", .range = sentence_range},
    {.name = "alerts", .meaning = "a channel or mail address", .example = "acme-oncall", .range = sentence_range},
};
constexpr Field tenant_fields[]{
    {.name = "tier",
     .type = integer,
     .meaning = "operational tier: 1 production finance, 2 regional operations, 3 sandbox",
     .required = true,
     .example = "1",
     .range = tier_range},
    {.name = "timeZone",
     .meaning = "an IANA time zone such as Europe/Zurich",
     .required = true,
     .example = "Europe/Zurich",
     .range = {1, 64}},
    {.name = "namespaces",
     .type = list,
     .meaning = "the namespaces it owns",
     .required = true,
     .range = filled_list,
     .each = &tenant_namespace_item},
    {.name = "hosts", .type = list, .meaning = "the host names it owns", .range = maybe_empty_list, .each = &host_item},
    budget,
    {.name = "contacts", .type = record, .meaning = "whom to ask and to wake", .record = &fields::contacts},
    {.name = "guard", .type = record, .meaning = "what the guard needs of it", .record = &fields::tenant_guard},
};

// Policy.
constexpr Field tier_item{.type = integer, .meaning = "a tier", .example = "1", .range = tier_range};
constexpr Field tenancy_item{.type = word, .meaning = "a tenancy", .example = "dedicated", .words = tenancy_words};
constexpr Field kind_item{.meaning = "a kind such as Deployment or Deployment.apps",
                          .example = "Deployment.apps",
                          .range = {1, 317},
                          .pattern = pattern::kind_of_group};
constexpr Field operation_item{.type = word, .meaning = "an operation", .example = "CREATE", .words = operation_words};
constexpr Field group_item{.meaning = "a group of the requesting user", .example = "platform", .range = {1, 512}};
constexpr Field label_value{
    .meaning = "a label's value; may be empty", .example = "web", .range = {0, 63}, .pattern = pattern::label_value};
constexpr FieldCheck expression_checks[]{{"(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                                          "want `values` with In and NotIn, and none with Exists and DoesNotExist"}};
constexpr Field expression_fields[]{
    {.name = "key",
     .meaning = "a label key",
     .required = true,
     .example = "app.kubernetes.io/name",
     .range = {1, 317},
     .pattern = pattern::label_key},
    {.name = "operator",
     .type = word,
     .meaning = "how the key's value is held against `values`",
     .required = true,
     .example = "In",
     .words = operator_words},
    {.name = "values", .type = list, .meaning = "label values", .range = {0, 64}, .each = &label_value},
};
constexpr Field expression_item{.type = record, .meaning = "one condition; all must hold", .record = &fields::selector_expression};
constexpr Field selector_fields[]{
    {.name = "matchLabels",
     .type = mapping,
     .meaning = "labels and their values, all of which must be there",
     .example = "app",
     .range = {0, 64},
     .each = &label_value},
    {.name = "matchExpressions", .type = list, .meaning = "conditions, all of which must hold", .range = {0, 64}, .each = &expression_item},
};
constexpr Field match_fields[]{
    {.name = "tiers", .type = list, .meaning = "tiers of the namespace", .range = {1, 3}, .each = &tier_item},
    {.name = "environments", .type = list, .meaning = "environments of the namespace", .range = short_list, .each = &environment_item},
    {.name = "tenancies", .type = list, .meaning = "tenancies of the namespace", .range = {1, 2}, .each = &tenancy_item},
    {.name = "tenants", .type = list, .meaning = "the owning tenants", .range = filled_list, .each = &tenant_item},
    {.name = "namespaces", .type = list, .meaning = "namespaces that tenants own", .range = filled_list, .each = &owned_namespace_item},
    {.name = "kinds", .type = list, .meaning = "kinds of the object, `Kind` or `Kind.group`", .range = short_list, .each = &kind_item},
    {.name = "operations", .type = list, .meaning = "what is asked", .range = {1, 4}, .each = &operation_item},
    {.name = "groups",
     .type = list,
     .meaning = "groups of the requesting user, one of which is enough",
     .range = short_list,
     .each = &group_item},
    {.name = "selector", .type = record, .meaning = "labels of the object", .record = &fields::selector},
};
constexpr Field rule_fields[]{
    {.name = "id",
     .meaning = "the rule",
     .required = true,
     .example = "container-bounds",
     .range = label_bytes,
     .pattern = pattern::rule_id},
    {.name = "with", .type = params, .meaning = "the rule's parameters", .example = "{require: [requests.cpu]}"},
    {.name = "mode", .type = word, .meaning = "of this rule, where it is not the policy's", .example = "warn", .words = mode_words},
    {.name = "failureMode",
     .type = word,
     .meaning = "of this rule, where it is not the policy's",
     .example = "allow",
     .words = failure_words},
    {.name = "inject", .type = boolean, .meaning = "whether /mutate mends what the rule finds absent", .example = "true"},
};
constexpr Field rule_use_item{.type = record, .meaning = "a rule and how it is used", .record = &fields::policy_rule};
constexpr Field policy_fields[]{
    {.name = "match",
     .type = record,
     .meaning = "whom it binds: all given parts must hold, an absent part matches everything",
     .record = &fields::policy_match},
    {.name = "mode",
     .type = word,
     .meaning = "enforce denies, warn tells the user, audit only logs and counts",
     .example = "enforce",
     .fallback = "enforce",
     .words = mode_words},
    {.name = "failureMode",
     .type = word,
     .meaning = "what is decided when what a rule needs cannot be had",
     .example = "deny",
     .fallback = "deny",
     .words = failure_words},
    {.name = "rules", .type = list, .meaning = "what must be kept", .required = true, .range = short_list, .each = &rule_use_item},
};

// PolicyException.
constexpr FieldCheck object_checks[]{
    {"!has(self.generated) || !self.generated || self.name.endsWith('*')", "want a `*` at the end of `name` with `generated: true`"}};
constexpr Field object_fields[]{
    {.name = "kind", .meaning = "its kind", .required = true, .example = "Deployment", .range = label_bytes, .pattern = pattern::kind},
    {.name = "name",
     .meaning = "its name; a trailing `*` is allowed",
     .required = true,
     .example = "label-printer-*",
     .range = {1, 254},
     .pattern = pattern::object_name},
    {.name = "generated", .type = boolean, .meaning = "covers generated names too", .example = "true"},
};
constexpr Field object_item{
    .type = record, .meaning = "an object, or several by a `*` at the end of the name", .record = &fields::exception_object};
constexpr Field exception_match_fields[]{
    {.name = "tenants", .type = list, .meaning = "the tenants", .required = true, .range = short_list, .each = &tenant_item},
    {.name = "namespaces",
     .type = list,
     .meaning = "their namespaces",
     .required = true,
     .range = short_list,
     .each = &owned_namespace_item},
    {.name = "objects", .type = list, .meaning = "the objects", .required = true, .range = short_list, .each = &object_item},
};
constexpr FieldCheck exception_checks[]{{"self.validFrom < self.expiresAt", "want `expiresAt` after `validFrom`"}};
constexpr Field exception_fields[]{
    {.name = "rules", .type = list, .meaning = "the rules it gives leave from", .required = true, .range = short_list, .each = &rule_item},
    {.name = "match", .type = record, .meaning = "whom it is for", .required = true, .record = &fields::exception_match},
    {.name = "reason", .meaning = "why", .required = true, .example = "runs once per site", .range = sentence_range},
    {.name = "ticket", .meaning = "the ticket", .required = true, .example = "CHG0048213", .range = sentence_range},
    {.name = "approvedBy", .meaning = "who approved it", .required = true, .example = "security@hoster.example", .range = sentence_range},
    {.name = "validFrom", .type = instant, .meaning = "RFC 3339 with an offset", .required = true, .example = "2026-11-20T00:00:00+01:00"},
    {.name = "expiresAt",
     .type = instant,
     .meaning = "RFC 3339 with an offset; from then on it is inert",
     .required = true,
     .example = "2027-01-31T23:59:59+01:00"},
};

constexpr DocumentKind::Column accepted{"Accepted", ".status.conditions[?(@.type==\"Accepted\")].status", "string"};
constexpr DocumentKind::Column age{"Age", ".metadata.creationTimestamp", "date"};
constexpr DocumentKind::Column platform_columns[]{{"Unknown", ".spec.unknownNamespace", "string"}, accepted, age};
constexpr DocumentKind::Column tenant_columns[]{{"Tier", ".spec.tier", "integer"}, {"Zone", ".spec.timeZone", "string"}, accepted, age};
constexpr DocumentKind::Column policy_columns[]{
    {"Mode", ".spec.mode", "string"}, {"Failure", ".spec.failureMode", "string"}, accepted, age};
constexpr DocumentKind::Column exception_columns[]{
    {"Expires", ".spec.expiresAt", "string"}, {"Ticket", ".spec.ticket", "string"}, accepted, age};
constexpr DocumentKind::Column guard_columns[]{{"Mode", ".spec.mode", "string"}, accepted, age};

constexpr DocumentKind::Column calendar_columns[]{{"Zone", ".spec.timeZone", "string"}, accepted, age};

constexpr DocumentKind kinds[]{
    {"Platform", "platforms", "platform", "the hoster's own settings; there is exactly one", &fields::platform, false, platform_columns},
    {"Tenant", "tenants", "tenant", "a customer firm: its namespaces, hosts, budget and plan", &fields::tenant, true, tenant_columns},
    {"Policy", "policies", "policy", "rules, their parameters, and whom they bind", &fields::policy, false, policy_columns},
    {"PolicyException", "policyexceptions", "policyexception", "a granted, expiring leave from rules", &fields::exception, false,
     exception_columns},
    {"GuardPolicy", "guardpolicies", "guardpolicy", "what the guard lets through; exactly one where it runs", &fields::guard_policy, false,
     guard_columns},
    {"Calendar", "calendars", "calendar", "holidays, and periods such as a month-end close", &fields::calendar, false, calendar_columns},
};

}  // namespace

namespace fields {
constinit const Record platform{platform_fields};
constinit const Record platform_exceptions{exceptions_fields};
constinit const Record workload_kind{workload_kind_fields};
constinit const Record tenant{tenant_fields};
constinit const Record tenant_namespace{.fields = tenant_namespace_fields, .one_of = namespace_one_of, .checks = namespace_checks};
constinit const Record contacts{contact_fields};
constinit const Record policy{policy_fields};
constinit const Record policy_match{match_fields};
constinit const Record policy_rule{rule_fields};
constinit const Record selector{selector_fields};
constinit const Record selector_expression{.fields = expression_fields, .checks = expression_checks};
constinit const Record exception{.fields = exception_fields, .checks = exception_checks};
constinit const Record exception_match{exception_match_fields};
constinit const Record exception_object{.fields = object_fields, .checks = object_checks};
}  // namespace fields

std::span<const DocumentKind> document_kinds() { return kinds; }

}  // namespace portcullis::policy
