// The fields of the documents as data: names, types, bounds, words, one clause of meaning, an example. The decoders take from
// here which fields there are; the schemas of the custom resources and what the tests hold both against come from here too.
//
// Bounds of integers and numbers hold everywhere; how long a text and how large a list or mapping may be is a bound of the
// custom resource alone, which the API server weighs a schema's checks by, except where a decoder names the same range below.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "policy/document/params.hpp"

namespace portcullis::policy {

enum class FieldType {
  text,
  integer,
  number,
  boolean,
  quantity,
  instant,
  word,     // one of `words`
  list,     // of `each`
  mapping,  // from names, among `words` where there are some, to `each`
  record,   // a mapping with the fields of `record`
  params,   // a rule's `with`: the rule knows
};

struct Record;

struct Field {
  std::string_view name{};  // "" of a list's item and a mapping's value
  FieldType type = FieldType::text;
  std::string_view meaning{};
  bool required = false;
  std::string_view example{};   // of a scalar; of a mapping: a key
  std::string_view fallback{};  // of a word: what absence means
  Range range{1, 253};          // of an integer or number: its values; of a text: its bytes; of a list or mapping: its entries
  bool above_min = false;       // of a number: range.min itself is refused
  std::string_view pattern{};   // of a text; of a mapping: of its names
  std::span<const std::string_view> words{};
  const Field* each = nullptr;
  const Record* record = nullptr;
  std::span<const std::string_view> beside{};  // it stands only beside one of these fields, which are among the record's one_of
};

// A field that stands elsewhere, and what is said of it here after "found `NAME`, ".
struct Misplaced {
  std::string_view name, told;
};

// What the API server is to refuse at once, as CEL over the record.
struct FieldCheck {
  std::string_view rule, message;
};

struct Record {
  std::span<const Field> fields;
  std::span<const std::string_view> one_of{};  // exactly one of these fields is there
  std::span<const std::string_view> later{};   // fields that come with a later version
  std::span<const FieldCheck> checks{};
  std::span<const Misplaced> misplaced{};
};

// One kind of document, and how it looks as a custom resource.
struct DocumentKind {
  std::string_view kind, plural, singular, meaning;
  const Record* spec = nullptr;
  bool label_name = false;  // metadata.name is a DNS label, not a DNS name
  struct Column {
    std::string_view name, path, type;
  };
  std::span<const Column> columns;
};

std::span<const DocumentKind> document_kinds();  // in the order documents name them

// Bounds that decoders and schemas share.
inline constexpr Range tier_range{1, 3};
inline constexpr Range burst_range{1, 1'000'000'000};  // above it a bucket bounds nothing
inline constexpr Range hops_range{1, 16};              // proxies in a row; more is a loop
inline constexpr Range factor_range{0, 1'000};
inline constexpr Range cost_range{0, 1'000};
inline constexpr Range limits_range{1, 8};      // of one class: each is a look-up in each request
inline constexpr Range sentence_range{1, 512};  // of reason, ticket, approvedBy: they go into every record
inline constexpr Range quotas_range{0, 8};      // of one class or tenant, as limits_range
inline constexpr Range quota_count_range{1, 1'000'000'000'000};
inline constexpr Range concurrency_range{0, 8};  // of one class, as limits_range
inline constexpr Range at_once_range{1, 100'000};
inline constexpr Range own_classes_range{0, 32};  // of one tenant: each request is held against their paths
inline constexpr Range paths_range{1, 16};        // of one own class
inline constexpr Range path_bytes_range{1, 256};
inline constexpr Range databases_range{1, 64};
inline constexpr Range workers_range{1, 1'024};
inline constexpr Range ban_failures_range{1, 10'000};
inline constexpr Range pools_range{0, 32};
inline constexpr Range profiles_range{0, 32};
inline constexpr Range when_range{1, 16};  // periods of one profile
inline constexpr Range overrides_range{0, 64};
inline constexpr Range calendars_range{0, 32};  // of one set
inline constexpr Range holidays_range{0, 1'000};
inline constexpr Range periods_range{0, 64};                                 // of one calendar
inline constexpr Range days_before_range{-20, -1}, days_after_range{1, 20};  // business days around the end of a month

namespace fields {
extern const Record platform, platform_exceptions, workload_kind;
extern const Record tenant, tenant_namespace, contacts, tenant_guard;
extern const Record policy, policy_match, policy_rule, selector, selector_expression;
extern const Record exception, exception_match, exception_object;
extern const Record guard_policy, trusted_proxies, plan, bucket, network_list, access_entry, class_override, limit, quota, concurrency;
extern const Record tenant_access_entry, tenant_class, bans, pool;
extern const Record calendar, period, business_days;
extern const Record profile, period_ref, profile_match, profile_class, maintenance, profile_override;
}  // namespace fields

}  // namespace portcullis::policy
