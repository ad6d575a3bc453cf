// The small languages of formats.hpp as patterns, for schemas: near enough to refuse a slip of the hand at once. What a
// pattern cannot say (a day that is none, a zone that is none) the decoders refuse.
#pragma once

#include <string_view>

#define PORTCULLIS_LABEL "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define PORTCULLIS_SUBDOMAIN PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL ")*"

namespace portcullis::policy::pattern {

inline constexpr std::string_view label = "^" PORTCULLIS_LABEL "$";
inline constexpr std::string_view subdomain = "^" PORTCULLIS_SUBDOMAIN "$";
inline constexpr std::string_view host = "^(\\*\\.)?" PORTCULLIS_SUBDOMAIN "$";
inline constexpr std::string_view name_prefix = "^[a-z0-9][-a-z0-9]*\\*$";
inline constexpr std::string_view group_version = "^" PORTCULLIS_SUBDOMAIN "/" PORTCULLIS_LABEL "$";
inline constexpr std::string_view kind = "^[A-Z][A-Za-z0-9]*$";
inline constexpr std::string_view kind_of_group = "^[A-Z][A-Za-z0-9]*(\\." PORTCULLIS_SUBDOMAIN ")?$";
inline constexpr std::string_view field = "^[-A-Za-z0-9_]+$";
inline constexpr std::string_view field_path = "^[-A-Za-z0-9_]+(\\.[-A-Za-z0-9_]+)*$";
inline constexpr std::string_view no_wildcard = "^[^*]+$";
inline constexpr std::string_view object_name = "^[^*/ ]+\\*?$";
inline constexpr std::string_view rule_id = "^[a-z0-9]+(-[a-z0-9]+)*$";
inline constexpr std::string_view label_key = "^(" PORTCULLIS_SUBDOMAIN "/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
inline constexpr std::string_view label_value = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$";
inline constexpr std::string_view duration =
    "^(P([0-9]{1,9}W)?([0-9]{1,9}D)?(T([0-9]{1,9}H)?([0-9]{1,9}M)?([0-9]{1,9}S)?)?|"
    "([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?)$";
inline constexpr std::string_view date = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";
inline constexpr std::string_view local_time = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
inline constexpr std::string_view local_instant = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$";
inline constexpr std::string_view recurrence = "^[A-Z]+=[-+A-Z0-9,]+(;[A-Z]+=[-+A-Z0-9,]+)*$";
inline constexpr std::string_view rate = "^[0-9]+(\\.[0-9]+)?/(s|min|h|day)$";
inline constexpr std::string_view path = "^(/[^/*?#% ]+)+(/\\*\\*)?$";
inline constexpr std::string_view database = "^[A-Za-z0-9][-A-Za-z0-9_.]*\\*?$";
inline constexpr std::string_view network = "^[0-9a-fA-F.:]+/[0-9]{1,3}$";
// apimachinery's quantity, not below zero.
inline constexpr std::string_view quantity =
    "^\\+?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$";

}  // namespace portcullis::policy::pattern

#undef PORTCULLIS_SUBDOMAIN
#undef PORTCULLIS_LABEL
