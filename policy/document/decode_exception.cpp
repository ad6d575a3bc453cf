#include <algorithm>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/readers.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy {
namespace {

std::vector<std::string> read_rules(const Cursor& at) {
  std::vector<std::string> out;
  for (const Cursor& item : at.list("a list of rule ids")) {
    const auto id = item.text("a rule's id");
    if (!id) continue;
    if (id->find('*') != std::string::npos) {
      item.say("found " + quoted(*id) + ", want a rule's id: an exception takes no wildcard here");
    } else if (!find_rule(*id)) {
      const auto ids = rule_ids();
      item.say("found the unknown rule " + quoted(*id) + ", want one of " + rule_id_list() + did_you_mean(*id, ids));
    }
    out.push_back(*id);
  }
  return out;
}

ExceptionObject read_object(const Cursor& at) {
  ExceptionObject out;
  if (!at.mapping(fields::exception_object)) return out;
  constexpr std::string_view want_kind = "a kind such as Deployment";
  if (const auto kind = at["kind"].text(want_kind)) {
    out.kind = *kind;
    const bool word = kind->front() >= 'A' && kind->front() <= 'Z' && std::all_of(kind->begin(), kind->end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
                      });
    if (!word) at["kind"].refuse(want_kind);
  }
  constexpr std::string_view want_name = "an object's name, with at most one `*` at its end and something before it";
  if (const auto name = at["name"].text(want_name)) {
    out.name = *name;
    out.prefix = out.name.back() == '*';
    if (out.prefix) out.name.pop_back();
    if (out.name.empty() || out.name.size() > 253 || out.name.find_first_of("*/ ") != std::string::npos) at["name"].refuse(want_name);
  }
  if (const Cursor generated = at["generated"]; generated.present()) {
    out.generated = generated.boolean().value_or(false);
    if (out.generated && !out.prefix && !out.name.empty())
      generated.say("found `true` beside a whole name, want a `*` at the end of `name`");
  }
  return out;
}

}  // namespace

void decode_exception(const Cursor& spec, PolicyException& out, Draft& draft) {
  if (!spec.mapping(fields::exception)) return;
  out.rules = read_rules(spec["rules"]);
  if (const Cursor match = spec["match"]; match.mapping(fields::exception_match)) {
    const auto plain = [](std::string_view name) { return name.find('*') == std::string_view::npos; };
    constexpr std::string_view want_tenant = "a tenant's name without a wildcard", want_namespace = "a namespace's name without a wildcard";
    for (const Cursor& item : match["tenants"].list("a list of tenants")) {
      const auto text = item.text(want_tenant);
      if (!text) continue;
      if (!plain(*text)) {
        item.refuse(want_tenant);
        continue;
      }
      out.tenants.push_back(*text);
      draft.references.push_back({ReferenceTo::tenant, mention(item, *text), {}});
    }
    for (const Cursor& item : match["namespaces"].list("a list of namespaces")) {
      const auto text = item.text(want_namespace);
      if (!text) continue;
      if (!plain(*text)) {
        item.refuse(want_namespace);
        continue;
      }
      out.namespaces.push_back(*text);
      draft.references.push_back({ReferenceTo::name_space, mention(item, *text), out.tenants});
    }
    for (const Cursor& item : match["objects"].list("a list of objects, each with `kind` and `name`"))
      out.objects.push_back(read_object(item));
  }
  out.reason = read_sentence(spec["reason"], "the reason for this exception");
  out.ticket = read_sentence(spec["ticket"], "the ticket of this exception");
  out.approved_by = read_sentence(spec["approvedBy"], "who approved this exception");
  const auto from = read_instant(spec["validFrom"]), until = read_instant(spec["expiresAt"]);
  if (!from || !until) return;
  out.valid_from = *from;
  out.expires_at = *until;
  draft.terms.push_back({*from, *until, mention(spec["expiresAt"], spec["expiresAt"].node()->text)});
}

}  // namespace portcullis::policy
