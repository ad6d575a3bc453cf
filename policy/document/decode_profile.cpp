// What a GuardPolicy says of times: profiles, and what switches them by hand.
#include <algorithm>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/document/readers.hpp"
#include "policy/document/route_classes.hpp"

namespace portcullis::policy {
namespace {

std::vector<std::string> read_tenants(const Cursor& at, Draft& draft) {
  std::vector<std::string> out;
  for (const Cursor& item : at.list("a list of tenants, or nothing at all for every one")) {
    auto text = item.text("a tenant's name");
    if (!text) continue;
    draft.references.push_back({ReferenceTo::tenant, mention(item, *text), {}});
    out.push_back(*std::move(text));
  }
  return out;
}

std::vector<PeriodRef> read_when(const Cursor& at, Draft& draft) {
  std::vector<PeriodRef> out;
  for (const Cursor& item : at.list("a list of periods, each with `calendar` and `period`")) {
    if (!item.mapping(fields::period_ref)) continue;
    const auto calendar = item["calendar"].text("a Calendar's name");
    const auto period = item["period"].text("a period of the Calendar");
    if (!calendar || !period) continue;
    draft.references.push_back({ReferenceTo::calendar, mention(item["calendar"], *calendar), {}});
    draft.references.push_back({ReferenceTo::period, mention(item["period"], *period), {}, *calendar});
    out.push_back({*calendar, *period});
  }
  refuse_above(at, out.size(), when_range, "periods");
  return out;
}

std::vector<ProfileClass> read_classes(const Cursor& at) {
  std::vector<ProfileClass> out;
  if (!at.any_mapping("a mapping from route classes to their factors")) return out;
  for (const auto& [pair, member] : at.members()) {
    if (route_class_index(pair->key) >= route_class_names.size()) {
      member.say("found the unknown route class " + quoted(pair->key) + ", want " + one_of(route_class_names) +
                 did_you_mean(pair->key, route_class_names));
      continue;
    }
    if (!member.mapping(fields::profile_class)) continue;
    out.push_back({pair->key, read_factor(member["factor"])});
  }
  return out;
}

Maintenance read_maintenance(const Cursor& at, Draft& draft) {
  Maintenance out;
  if (!at.mapping(fields::maintenance)) return out;
  out.message = read_sentence(at["message"], "what users are told");
  if (at["allow"].present()) out.allow = decode_list_names(at["allow"], "", draft);
  return out;
}

Profile read_profile(const Cursor& at, NamesSeen& seen, Draft& draft) {
  Profile out;
  out.place = at.place();
  if (!at.mapping(fields::profile)) return out;
  out.name = read_name_once(at["name"], "profile", seen);
  if (at["when"].present()) out.when = read_when(at["when"], draft);
  if (const Cursor match = at["match"]; match.present() && match.mapping(fields::profile_match)) {
    if (match["tenants"].present()) out.tenants = read_tenants(match["tenants"], draft);
    if (match["tiers"].present())
      for (const Cursor& item : match["tiers"].list("a list of tiers, or nothing at all for every one"))
        if (const auto tier = item.integer(tier_range, "a tier from 1 to 3")) out.tiers.push_back(static_cast<int>(*tier));
  }
  if (at["factor"].present()) out.factor = read_factor(at["factor"]);
  if (at["classes"].present()) out.classes = read_classes(at["classes"]);
  if (at["deny"].present())
    for (const Cursor& item : at["deny"].list("a list of route classes"))
      if (const auto index = item.word(route_class_names)) out.deny.emplace_back(route_class_names[*index]);
  if (at["maintenance"].present()) out.maintenance = read_maintenance(at["maintenance"], draft);
  return out;
}

ProfileOverride read_override(const Cursor& at, Draft& draft) {
  ProfileOverride out;
  out.place = at.place();
  if (!at.mapping(fields::profile_override)) return out;
  const Cursor profile = at["profile"];
  if (const auto text = profile.text("a profile of this GuardPolicy")) {
    out.profile = *text;
    draft.references.push_back({ReferenceTo::profile, mention(profile, *text), {}});
  }
  if (at["active"].present()) out.active = at["active"].boolean().value_or(true);
  if (at["tenants"].present()) out.tenants = read_tenants(at["tenants"], draft);
  if (at["from"].present()) out.from = read_instant(at["from"]);
  const Cursor end = at["expiresAt"];
  if (!end.present())
    end.say("found nothing, want the instant at which this override ends, such as 2026-11-20T00:00:00+01:00: none is for ever");
  else if (const auto expires_at = read_instant(end))
    out.expires_at = *expires_at;
  if (out.from && out.expires_at != Instant{} && out.expires_at <= *out.from)
    end.say("found " + quoted(end.node()->text) + ", want an instant after `from`");
  out.reason = read_sentence(at["reason"], "the reason for this override");
  return out;
}

}  // namespace

std::vector<Profile> decode_profiles(const Cursor& at, Draft& draft) {
  std::vector<Profile> out;
  NamesSeen seen;
  for (const Cursor& item : at.list("a list of profiles, each with its `name`", Cursor::Empty::taken))
    out.push_back(read_profile(item, seen, draft));
  refuse_above(at, out.size(), profiles_range, "profiles");
  return out;
}

std::vector<ProfileOverride> decode_overrides(const Cursor& at, Draft& draft) {
  std::vector<ProfileOverride> out;
  for (const Cursor& item : at.list("a list of overrides, each with `profile`, `expiresAt` and `reason`", Cursor::Empty::taken))
    out.push_back(read_override(item, draft));
  refuse_above(at, out.size(), overrides_range, "overrides");
  return out;
}

}  // namespace portcullis::policy
