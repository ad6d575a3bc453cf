#include "webhook/tenant_quota.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace portcullis::webhook {
namespace {

using nlohmann::json;

constexpr std::size_t summary_bytes_max = 1'024;  // as the definition has it
constexpr std::string_view kind_name = "TenantQuota";

Result<Amounts> read_amounts(const json& object, const char* field) {
  Amounts amounts;
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return amounts;
  if (!found->is_object()) return fail(ErrorKind::invalid, field, "want a map of integers");
  if (found->size() > quota_dimensions_max) return fail(ErrorKind::limit_exceeded, field, "more dimensions than 64");
  for (const auto& [dimension, amount] : found->items()) {
    if (!amount.is_number_integer() || amount.get<std::int64_t>() < 0) {
      return fail(ErrorKind::invalid, field, "want a whole amount of " + dimension);
    }
    amounts.emplace(dimension, amount.get<std::int64_t>());
  }
  return amounts;
}

Result<Hold> read_hold(const json& object) {
  if (!object.is_object()) return fail(ErrorKind::invalid, "status.holds", "want a map of objects");
  Hold hold;
  const std::pair<const char*, Amounts*> fields[] = {
      {"granted", &hold.granted}, {"released", &hold.released}, {"asOf", &hold.as_of}, {"rv", &hold.rv}, {"used", &hold.used}};
  for (const auto& [name, amounts] : fields) {
    Result<Amounts> read = read_amounts(object, name);
    if (!read) return tl::unexpected(std::move(read.error()).within("status.holds"));
    *amounts = std::move(*read);
  }
  return hold;
}

std::string text_of(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "pods 500, requests.memory 1099511627776": for the columns of kubectl.
std::string summary(const Amounts& amounts) {
  std::string text;
  for (const auto& [dimension, amount] : amounts) {
    std::string part = dimension + " " + std::to_string(amount);
    if (text.size() + part.size() + 7 > summary_bytes_max) return text + ", ...";
    if (!text.empty()) text += ", ";
    text += part;
  }
  return text;
}

json hold_json(const Hold& hold) {
  return {{"granted", hold.granted}, {"released", hold.released}, {"asOf", hold.as_of}, {"rv", hold.rv}, {"used", hold.used}};
}

}  // namespace

std::int64_t amount_of(const Amounts& amounts, std::string_view dimension) {
  const auto found = amounts.find(dimension);
  return found == amounts.end() ? 0 : found->second;
}

PublishedView newest_view(const Holds& holds, std::string_view dimension) {
  PublishedView newest;
  for (const auto& [key, hold] : holds) {
    const std::int64_t rv = amount_of(hold.rv, dimension);
    const std::int64_t used = amount_of(hold.used, dimension);
    if (rv > newest.rv) {
      newest = {rv, used};
    } else if (rv == newest.rv) {
      newest.used = std::max(newest.used, used);
    }
  }
  return newest;
}

std::int64_t held(const Holds& holds, std::string_view dimension, std::string_view except) {
  std::int64_t sum = 0;
  for (const auto& [key, hold] : holds) {
    if (key != except) sum += amount_of(hold.granted, dimension) - amount_of(hold.released, dimension);
  }
  return sum;
}

Result<TenantQuota> read_tenant_quota(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || text_of(object, "kind") != kind_name) return fail(ErrorKind::invalid, kind_name, "want a TenantQuota");
  TenantQuota quota;
  const auto metadata = object.find("metadata");
  const auto spec = object.find("spec");
  if (metadata == object.end() || !metadata->is_object() || spec == object.end() || !spec->is_object()) {
    return fail(ErrorKind::invalid, kind_name, "want metadata and spec");
  }
  quota.tenant = text_of(*metadata, "name");
  quota.uid = text_of(*metadata, "uid");
  const std::string version = text_of(*metadata, "resourceVersion");
  const auto [end, problem] = std::from_chars(version.data(), version.data() + version.size(), quota.version);
  if (problem != std::errc() || end != version.data() + version.size()) {
    return fail(ErrorKind::invalid, kind_name, "want a decimal metadata.resourceVersion");
  }
  if (quota.tenant != text_of(*spec, "tenant")) return fail(ErrorKind::invalid, kind_name, "want the name of spec.tenant");
  if (const auto protocol = spec->find("protocol"); protocol != spec->end() && protocol->is_number_integer()) {
    quota.protocol = protocol->get<std::int64_t>();
  }
  Result<Amounts> hard = read_amounts(*spec, "hard");
  if (!hard) return tl::unexpected(std::move(hard.error()).within("TenantQuota/" + quota.tenant + " spec"));
  quota.hard = std::move(*hard);
  const auto status = object.find("status");
  if (status == object.end() || !status->is_object()) return quota;
  const auto holds = status->find("holds");
  if (holds == status->end() || holds->is_null()) return quota;
  if (!holds->is_object() || holds->size() > quota_holds_max) {
    return fail(ErrorKind::limit_exceeded, "TenantQuota/" + quota.tenant + " status.holds", "want a map of at most 16 keys");
  }
  for (const auto& [key, value] : holds->items()) {
    Result<Hold> hold = read_hold(value);
    if (!hold) return tl::unexpected(std::move(hold.error()).within("TenantQuota/" + quota.tenant));
    quota.holds.emplace(key, std::move(*hold));
  }
  return quota;
}

std::string patch_body(const QuotaPatch& patch, const TenantQuota& seen) {
  json holds = json::object();
  Holds after = seen.holds;
  for (const std::string& key : patch.removed) {
    holds[key] = nullptr;
    after.erase(key);
  }
  if (patch.remove) {
    holds[patch.key] = nullptr;
    after.erase(patch.key);
  } else {
    holds[patch.key] = hold_json(patch.hold);
    after[patch.key] = patch.hold;
  }
  Amounts used, reserved;
  for (const auto& [dimension, hard] : seen.hard) {
    used[dimension] = newest_view(after, dimension).used;
    reserved[dimension] = held(after, dimension);
  }
  json body{{"status",
             {{"holds", std::move(holds)},
              {"summary", {{"hard", summary(seen.hard)}, {"used", summary(used)}, {"reserved", summary(reserved)}}}}}};
  if (patch.if_version != 0) body["metadata"] = {{"resourceVersion", std::to_string(patch.if_version)}};
  return body.dump();
}

}  // namespace portcullis::webhook
