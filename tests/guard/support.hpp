// Documents, requests and times for the guard's tests, without YAML and without sockets.
#pragma once

#include <charconv>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "guard/address.hpp"
#include "guard/handler.hpp"
#include "net/request.hpp"
#include "policy/document/documents.hpp"
#include "tests/catch.hpp"

namespace portcullis::guard::testing {

using namespace std::chrono_literals;

inline Address address(std::string_view text) {
  const auto parsed = parse_address(text);
  REQUIRE(parsed);
  return *parsed;
}

inline policy::Network network(std::string_view cidr) {
  const std::size_t slash = cidr.find('/');
  const Address bytes = address(cidr.substr(0, slash));
  unsigned prefix = 0;
  std::from_chars(cidr.data() + slash + 1, cidr.data() + cidr.size(), prefix);
  return {bytes, static_cast<std::uint8_t>(prefix + (is_ipv4(bytes) ? 96U : 0U))};
}

inline policy::NetworkList list(std::string name, const std::vector<std::string>& cidrs, double factor = 1) {
  policy::NetworkList made;
  made.name = std::move(name);
  for (const std::string& cidr : cidrs) made.networks.push_back(network(cidr));
  made.factor = factor;
  return made;
}

struct Access {
  std::vector<std::string> classes, allow, deny;
  bool default_allow = false;
};
inline policy::AccessEntry entry(const Access& access) {
  policy::AccessEntry made;
  made.classes = access.classes;
  made.allow = access.allow;
  made.deny = access.deny;
  made.default_allow = access.default_allow;
  return made;
}

inline policy::ClassOverride limits_of(std::string name, std::vector<policy::Limit> limits) {
  policy::ClassOverride made;
  made.name = std::move(name);
  made.limits = std::move(limits);
  return made;
}

inline policy::Limit limit(policy::LimitKey key, double count, std::chrono::nanoseconds per, std::uint32_t burst) {
  return {key, {count, per}, burst};
}

inline policy::Tenant tenant(std::string name, std::vector<std::string> hosts, int tier = 2) {
  policy::Tenant made;
  made.name = std::move(name);
  made.hosts = std::move(hosts);
  made.tier = tier;
  return made;
}

// Two tenants: acme (tier 2, gold: factor 4, bucket 200/s burst 4000) and globex (tier 1, no guard section).
inline policy::DocumentSet documents() {
  policy::DocumentSet set;
  set.hash = "sha256:test";
  policy::GuardPolicy& guard_policy = set.guard_policy.emplace();
  guard_policy.trusted_proxies.networks = {network("10.42.0.0/16")};
  guard_policy.lists = {list("hoster-vpn", {"192.0.2.240/28"})};
  guard_policy.plans = {{"gold", 4, limit(policy::LimitKey::tenant, 200, 1s, 4000)},
                        {"bronze", 1, limit(policy::LimitKey::tenant, 1, 1s, 10)}};
  set.tenants = {tenant("acme", {"erp.acme.example", "*.clients.acme.example"}), tenant("globex", {"erp.globex.example"}, 1)};
  set.tenants[0].guard.emplace().plan = "gold";
  return set;
}

// A forward-auth request as Traefik sends it; fields may be added, changed and removed.
class Forwarded {
 public:
  explicit Forwarded(std::string uri = "/web", std::string method = "GET") {
    set("X-Forwarded-Method", std::move(method));
    set("X-Forwarded-Uri", std::move(uri));
    set("X-Forwarded-Host", "erp.acme.example");
    set("X-Forwarded-For", "198.51.100.7");
    request_.method = "GET";
    request_.target = "/auth";
    request_.peer.address = address("10.42.0.3");
  }
  Forwarded& set(std::string name, std::string value) {
    remove(name);
    return add(std::move(name), std::move(value));
  }
  Forwarded& add(std::string name, std::string value) {
    texts_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  Forwarded& remove(const std::string& name) {
    std::erase_if(texts_, [&](const auto& field) { return field.first == name; });
    return *this;
  }
  Forwarded& target(std::string target) {
    target_ = std::move(target);
    request_.target = target_;
    return *this;
  }
  Forwarded& peer(std::string_view text) {
    request_.peer.address = address(text);
    return *this;
  }
  Forwarded& received(Clock::time_point when) {
    request_.received = when;
    return *this;
  }
  Forwarded& draining() {
    request_.draining = true;
    return *this;
  }
  const net::Request& request() {
    fields_.clear();
    for (const auto& [name, value] : texts_) fields_.push_back({name, value});
    request_.fields = fields_;
    return request_;
  }

 private:
  std::deque<std::pair<std::string, std::string>> texts_;
  std::vector<net::Field> fields_;
  std::string target_;
  net::Request request_;
};

inline std::string header(const net::Response& response, std::string_view name) {
  std::string value;
  for (const auto& field : response.headers()) {
    if (field.name == name) value += value.empty() ? field.value : " | " + field.value;
  }
  return value;
}

// 2026-11-25 09:00 UTC, at 1000 s of the steady clock.
inline constexpr Instant wall_start{std::chrono::sys_days{std::chrono::year{2026} / 11 / 25} + std::chrono::hours{9}};
inline std::shared_ptr<const Moment> moment_of(const policy::DocumentSet& set, Instant now = wall_start) {
  MomentMaker maker;
  return maker.make(GuardSnapshot::compile(set), now, 1'000'000'000'000);
}

inline std::string session(char c) { return std::string(84, c); }

}  // namespace portcullis::guard::testing
