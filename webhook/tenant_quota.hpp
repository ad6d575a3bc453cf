// TenantQuota, the object that locks a tenant's budget: what the API server keeps of it, and how the ledger reads and writes
// it. manifests/crds/tenantquotas.yaml is its definition; its CEL rules hold for every write, on every attempt:
//
//   no grant beyond hard     a key's `granted` grows only where newest view's used + sum(granted - released) <= hard
//   views only get newer     the largest rv among the keys never falls
//   release what was seen    asOf <= the largest rv
//   counters never fall      granted, released and rv of a key; granted >= released
//
// Each replica writes one key of status.holds and no other, by merge patch, so that two never write the same field. A
// dimension is a resource of ResourceQuota ("pods") or an entry's ("acme-proj-*/pods"); it stands for one resource of the
// API, so that a version a dimension is a vector of versions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace portcullis::webhook {

using Amounts = std::map<std::string, std::int64_t, std::less<>>;  // by dimension, in base units; absent is zero

inline constexpr std::size_t quota_holds_max = 16;       // keys of a TenantQuota, as its definition has it
inline constexpr std::size_t quota_dimensions_max = 64;  // dimensions of a TenantQuota, likewise
inline constexpr std::int64_t quota_protocol = 1;        // the newest that this program speaks

struct Hold {
  Amounts granted, released;  // since the replica started; what it holds is the difference
  Amounts as_of;              // the view that contains what was released
  Amounts rv, used;           // the view it published last: usage of all the tenant's objects at these versions
  friend bool operator==(const Hold&, const Hold&) = default;
};

using Holds = std::map<std::string, Hold, std::less<>>;  // by the replica's key

struct TenantQuota {
  std::string tenant, uid;
  std::uint64_t version = 0;  // metadata.resourceVersion
  std::int64_t protocol = 1;
  Amounts hard;
  Holds holds;
  friend bool operator==(const TenantQuota&, const TenantQuota&) = default;
};

// What one write changes.
struct QuotaPatch {
  std::string key;
  Hold hold;                         // the whole of `key`, unless it goes too
  bool remove = false;               // of `key` itself, at a clean end
  std::vector<std::string> removed;  // keys of dead replicas
  std::uint64_t if_version = 0;      // only when the object is still this one; 0: whatever it is
};

std::int64_t amount_of(const Amounts& amounts, std::string_view dimension);

// The newest view that was published of `dimension`: its version, and what was used then (the larger, where two replicas say
// it of one version). Version 0 when there is none.
struct PublishedView {
  std::int64_t rv = 0, used = 0;
};
PublishedView newest_view(const Holds& holds, std::string_view dimension);
// granted - released of all keys but `except`.
std::int64_t held(const Holds& holds, std::string_view dimension, std::string_view except = {});

// One object as the API server answers it. Errors: not a TenantQuota, amounts that are no integers, more than the definition
// allows.
Result<TenantQuota> read_tenant_quota(std::string_view json);
// The body of a merge patch on /status, with a summary for people of what the object says then, as far as `seen` knows it.
std::string patch_body(const QuotaPatch& patch, const TenantQuota& seen);

}  // namespace portcullis::webhook
