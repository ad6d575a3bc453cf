#include <algorithm>
#include <array>
#include <span>

#include "base/text.hpp"
#include "policy/document/decode_params.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy {
namespace {

constexpr std::string_view want_list = "a list with at least one entry, or nothing at all to match everything";

std::optional<Mode> read_mode(const Cursor& at) {
  return at.word_of<Mode>({{"enforce", Mode::enforce}, {"warn", Mode::warn}, {"audit", Mode::audit}});
}

std::optional<FailureMode> read_failure_mode(const Cursor& at) {
  return at.word_of<FailureMode>({{"deny", FailureMode::deny}, {"warn", FailureMode::warn}, {"allow", FailureMode::allow}});
}

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// apimachinery's label syntax: at most 63 of letters, digits, `-`, `_`, `.`, beginning and ending with a letter or digit.
bool is_label_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_label_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_label_name(text);
  return is_dns_subdomain(text.substr(0, slash)) && is_label_name(text.substr(slash + 1));
}

bool is_label_value(std::string_view text) { return text.empty() || is_label_name(text); }

// A label's value; unlike other texts it may be empty.
std::optional<std::string> read_label_value(const Cursor& at) {
  constexpr std::string_view want = "a label value of at most 63 letters, digits, `-`, `_` and `.`";
  const bool empty = at.present() && at.node()->kind == yaml::Kind::string && at.node()->text.empty();
  if (empty) return std::string();
  auto text = at.text(want);
  if (text && !is_label_value(*text)) {
    at.refuse(want);
    return std::nullopt;
  }
  return text;
}

constexpr std::string_view want_label_key = "a label key such as app.kubernetes.io/name";

LabelSelector::Requirement read_expression(const Cursor& at) {
  LabelSelector::Requirement out;
  if (!at.mapping(fields::selector_expression)) return out;
  if (const auto key = at["key"].text(want_label_key)) {
    if (is_label_key(*key))
      out.key = *key;
    else
      at["key"].refuse(want_label_key);
  }
  using Operator = LabelSelector::Operator;
  const auto op = at["operator"].word_of<Operator>(
      {{"In", Operator::in}, {"NotIn", Operator::not_in}, {"Exists", Operator::exists}, {"DoesNotExist", Operator::does_not_exist}});
  const Cursor values = at["values"];
  if (!op) return out;
  out.op = *op;
  if (*op == Operator::exists || *op == Operator::does_not_exist) {
    if (values.present() && !(values.node()->kind == yaml::Kind::sequence && values.node()->items.empty()))
      values.say("found values beside the operator " + quoted(at["operator"].node()->text) + ", want none");
    return out;
  }
  for (const Cursor& item : values.list("a list of label values"))
    if (auto value = read_label_value(item)) out.values.push_back(*std::move(value));
  return out;
}

LabelSelector read_selector(const Cursor& at) {
  LabelSelector out;
  if (!at.mapping(fields::selector)) return out;
  if (const Cursor labels = at["matchLabels"]; labels.present() && labels.any_mapping("a mapping from label keys to values")) {
    for (const auto& [pair, member] : labels.members()) {
      if (!is_label_key(pair->key)) member.say("found the key " + quoted(pair->key) + ", want " + std::string(want_label_key));
      if (auto value = read_label_value(member)) out.requirements.push_back({pair->key, LabelSelector::Operator::in, {*std::move(value)}});
    }
  }
  if (const Cursor expressions = at["matchExpressions"]; expressions.present())
    for (const Cursor& item : expressions.list("a list of expressions", Cursor::Empty::taken))
      out.requirements.push_back(read_expression(item));
  return out;
}

std::vector<std::string> read_references(const Cursor& at, ReferenceTo to, std::string_view want, Draft& draft) {
  std::vector<std::string> out;
  if (!at.present()) return out;
  for (const Cursor& item : at.list(want_list)) {
    auto text = item.text(want);
    if (!text) continue;
    draft.references.push_back({to, mention(item, *text), {}});
    out.push_back(*std::move(text));
  }
  return out;
}

std::optional<KindPattern> parse_kind(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::string_view kind = text.substr(0, dot);
  if (kind.empty() || kind.front() < 'A' || kind.front() > 'Z' || !std::all_of(kind.begin(), kind.end(), is_alphanumeric))
    return std::nullopt;
  KindPattern out{std::string(kind), "", true};
  if (dot == std::string_view::npos) return out;
  if (!is_dns_subdomain(text.substr(dot + 1))) return std::nullopt;
  out.group = text.substr(dot + 1);
  out.any_group = false;
  return out;
}

PolicyMatch read_match(const Cursor& at, Draft& draft) {
  PolicyMatch out;
  if (!at.mapping(fields::policy_match)) return out;
  if (at["tiers"].present())
    for (const Cursor& item : at["tiers"].list(want_list))
      if (const auto tier = item.integer(tier_range, "a tier from 1 to 3")) out.tiers.push_back(static_cast<int>(*tier));
  out.environments = read_references(at["environments"], ReferenceTo::environment, "an environment of the Platform", draft);
  out.tenants = read_references(at["tenants"], ReferenceTo::tenant, "a tenant's name", draft);
  out.namespaces = read_references(at["namespaces"], ReferenceTo::name_space, "a namespace's name", draft);
  if (at["tenancies"].present())
    for (const Cursor& item : at["tenancies"].list(want_list))
      if (const auto tenancy = item.word_of<Tenancy>({{"dedicated", Tenancy::dedicated}, {"multi-tenant", Tenancy::multi_tenant}}))
        out.tenancies.push_back(*tenancy);
  if (at["kinds"].present()) {
    constexpr std::string_view want = "a kind such as Deployment or Deployment.apps";
    for (const Cursor& item : at["kinds"].list(want_list)) {
      const auto text = item.text(want);
      if (!text) continue;
      if (auto kind = parse_kind(*text))
        out.kinds.push_back(*std::move(kind));
      else
        item.refuse(want);
    }
  }
  if (at["operations"].present())
    for (const Cursor& item : at["operations"].list(want_list))
      if (const auto operation = item.word_of<Operation>({{"CREATE", Operation::create},
                                                          {"UPDATE", Operation::update},
                                                          {"DELETE", Operation::remove},
                                                          {"CONNECT", Operation::connect}}))
        out.operations.push_back(*operation);
  if (at["groups"].present())
    for (const Cursor& item : at["groups"].list(want_list))
      if (auto group = item.text("a group of the requesting user")) out.groups.push_back(*std::move(group));
  if (at["selector"].present()) out.selector = read_selector(at["selector"]);
  return out;
}

PolicyRule read_rule(const Cursor& at) {
  PolicyRule out;
  out.place = at.place();
  if (!at.mapping(fields::policy_rule)) return out;
  const RuleInfo* info = nullptr;
  if (const auto id = at["id"].text("a rule's id such as container-bounds")) {
    out.id = *id;
    info = find_rule(*id);
    if (!info) {
      const auto ids = rule_ids();
      at["id"].say("found the unknown rule " + quoted(*id) + ", want one of " + rule_id_list() + did_you_mean(*id, ids));
    }
  }
  if (info) {
    const Cursor with = at["with"];
    decode_params(with.node(), info->params, at.decoding().file, with.field(), out.with, at.decoding().errors, at.place().span);
  }
  if (at["mode"].present()) out.mode = read_mode(at["mode"]);
  if (at["failureMode"].present()) out.failure_mode = read_failure_mode(at["failureMode"]);
  if (const Cursor inject = at["inject"]; inject.present()) {
    out.inject = inject.boolean().value_or(false);
    if (out.inject && info && !info->mends) inject.say("found `true`, but " + out.id + " mends nothing; leave `inject` out");
  }
  return out;
}

}  // namespace

void decode_policy(const Cursor& spec, Policy& out, Draft& draft) {
  if (!spec.mapping(fields::policy)) return;
  if (spec["match"].present()) out.match = read_match(spec["match"], draft);
  if (spec["mode"].present()) out.mode = read_mode(spec["mode"]).value_or(Mode::enforce);
  if (spec["failureMode"].present()) out.failure_mode = read_failure_mode(spec["failureMode"]).value_or(FailureMode::deny);
  for (const Cursor& item : spec["rules"].list("a list of rules, each with its `id`")) out.rules.push_back(read_rule(item));
}

}  // namespace portcullis::policy
