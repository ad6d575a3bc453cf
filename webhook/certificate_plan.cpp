#include "webhook/certificate_plan.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "net/certificate_authority.hpp"

namespace portcullis::webhook {
namespace {

// Certificates are backdated by the skew, which is no part of the life that was asked for.
Instant due_at(const net::CertificateFacts& facts) {
  const Instant made = facts.not_before + net::certificate_clock_skew;
  return made + (facts.not_after - made) / 3 * 2;
}

std::optional<net::CertificateFacts> first_of(const std::string& pem) {
  auto read = net::read_certificates(pem, "");
  if (!read) return std::nullopt;
  return std::move(read->front());
}

// A certificate that is in its time, with its own key.
std::optional<net::CertificateFacts> usable(const net::PemPair& pair, Instant now) {
  if (pair.certificate.empty() || !net::check_key(pair, "")) return std::nullopt;
  auto facts = first_of(pair.certificate);
  if (!facts || facts->not_before > now || facts->not_after <= now) return std::nullopt;
  return facts;
}

std::optional<net::CertificateFacts> usable_authority(const net::PemPair& pair, Instant now) {
  auto facts = usable(pair, now);
  if (!facts || !facts->is_authority) return std::nullopt;
  return facts;
}

bool contains(const std::string& bundle, const std::string& certificate) {
  const auto all = net::read_certificates(bundle, "");
  const std::string wanted = net::certificate_fingerprint(certificate);
  return all && std::any_of(all->begin(), all->end(), [&](const auto& each) { return each.fingerprint == wanted; });
}

// What is still good of the bundle, and `more` at its end, each once.
std::string bundle_with(const std::string& bundle, std::initializer_list<const std::string*> more, Instant now) {
  std::string made;
  std::vector<std::string> seen;
  const auto add = [&](const std::string& pem) {
    const auto all = net::read_certificates(pem, "");
    if (!all) return;
    for (const net::CertificateFacts& each : *all) {
      if (each.not_after <= now || std::find(seen.begin(), seen.end(), each.fingerprint) != seen.end()) continue;
      seen.push_back(each.fingerprint);
      made += each.pem;
    }
  };
  add(bundle);
  for (const std::string* each : more) add(*each);
  return made;
}

Result<net::PemPair> new_authority(const CertificateTerms& terms, Instant now) {
  return net::make_authority("Portcullis CA", {now - net::certificate_clock_skew, now + terms.authority_lifetime});
}

Result<net::PemPair> new_leaf(const net::PemPair& authority, const CertificateTerms& terms, Instant now) {
  const std::string& name = terms.names.front();
  return net::issue_leaf(authority, {.common_name = name.substr(0, name.find('.')),
                                     .dns_names = terms.names,
                                     .addresses = {},
                                     .validity = {now - net::certificate_clock_skew, now + terms.leaf_lifetime}});
}

using Step = std::optional<CertificateStep>;
using What = CertificateStep::What;

// Nothing can be served, so there is nothing to lose: an authority and a leaf at once. Those whom the bundle trusts stay in
// it, for a replica may still serve what the Secret has lost.
Result<Step> begin(CertificateSet set, const CertificateTerms& terms, Instant now) {
  auto authority = new_authority(terms, now);
  if (!authority) return tl::unexpected(authority.error());
  auto leaf = new_leaf(*authority, terms, now);
  if (!leaf) return tl::unexpected(leaf.error());
  const std::string kept = bundle_with(set.bundle, {}, now);
  set.bundle = bundle_with(kept, {&authority->certificate}, now);
  set.authority = *std::move(authority);
  set.leaf = *std::move(leaf);
  set.next = {};
  set.retire_at = kept.empty() ? std::nullopt : std::optional(now + terms.leaf_lifetime);
  return Step({What::begun, std::move(set)});
}

Result<Step> announce(CertificateSet set, const CertificateTerms& terms, Instant now) {
  auto next = new_authority(terms, now);
  if (!next) return tl::unexpected(next.error());
  set.bundle = bundle_with(set.bundle, {&set.authority.certificate, &next->certificate}, now);
  set.next = *std::move(next);
  set.retire_at = std::nullopt;
  return Step({What::authority_announced, std::move(set)});
}

Result<Step> take_over(CertificateSet set, const CertificateTerms& terms, Instant now) {
  const auto former = first_of(set.leaf.certificate);
  auto leaf = new_leaf(set.next, terms, now);
  if (!leaf) return tl::unexpected(leaf.error());
  set.retire_at = std::max(now + terms.leaf_lifetime, former ? former->not_after : now) + net::certificate_clock_skew;
  set.authority = std::exchange(set.next, {});
  set.leaf = *std::move(leaf);
  return Step({What::authority_renewed, std::move(set)});
}

Result<Step> renew_leaf(CertificateSet set, const CertificateTerms& terms, Instant now) {
  auto leaf = new_leaf(set.authority, terms, now);
  if (!leaf) return tl::unexpected(leaf.error());
  set.leaf = *std::move(leaf);
  return Step({What::leaf_renewed, std::move(set)});
}

// Its life is longer than is wanted by now. A shorter one is left alone: while an option is rolled out both are in force.
bool is_too_long(const net::CertificateFacts& leaf, const CertificateTerms& terms) {
  return leaf.not_after - leaf.not_before > terms.leaf_lifetime + 2 * net::certificate_clock_skew;
}

bool names_all(const net::CertificateFacts& facts, const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::find(facts.dns_names.begin(), facts.dns_names.end(), name) != facts.dns_names.end();
  });
}

}  // namespace

CertificateSet read_set(const std::map<std::string, std::string, std::less<>>& files) {
  const auto text = [&](std::string_view name) {
    const auto at = files.find(name);
    return at == files.end() ? std::string() : at->second;
  };
  CertificateSet set{{text("ca.crt"), text("ca.key")},
                     {text("tls.crt"), text("tls.key")},
                     {text("next-ca.crt"), text("next-ca.key")},
                     text("bundle.crt"),
                     std::nullopt};
  const std::string retire = text("retire-at");
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(retire.data(), retire.data() + retire.size(), seconds);
  if (error == std::errc() && end == retire.data() + retire.size()) set.retire_at = Instant(std::chrono::seconds(seconds));
  return set;
}

std::map<std::string, std::string, std::less<>> files_of(const CertificateSet& set) {
  return {{"ca.crt", set.authority.certificate},
          {"ca.key", set.authority.key},
          {"tls.crt", set.leaf.certificate},
          {"tls.key", set.leaf.key},
          {"next-ca.crt", set.next.certificate},
          {"next-ca.key", set.next.key},
          {"bundle.crt", set.bundle},
          {"retire-at", set.retire_at ? std::to_string(set.retire_at->time_since_epoch().count()) : std::string()}};
}

std::string_view step_name(CertificateStep::What what) {
  switch (what) {
    case What::begun:
      return "begun";
    case What::leaf_renewed:
      return "leaf_renewed";
    case What::authority_announced:
      return "authority_announced";
    case What::authority_renewed:
      return "authority_renewed";
    case What::authority_retired:
      return "authority_retired";
    case What::bundle_mended:
      return "bundle_mended";
    case What::restored:
      return "restored";
  }
  return "";
}

bool can_serve(const CertificateSet& set, const CertificateTerms& terms, Instant now) {
  return usable(set.leaf, now) && net::verify_chain(set.leaf.certificate, set.bundle, terms.names.front(), now);
}

Instant leaf_due(const CertificateSet& set) {
  const auto facts = first_of(set.leaf.certificate);
  return facts ? due_at(*facts) : Instant{};
}

Result<Step> next_step(const CertificateSet& set, Trust trust, const CertificateTerms& terms, Instant now) {
  const auto authority = usable_authority(set.authority, now);
  const bool serves = can_serve(set, terms, now);
  const bool announced = usable_authority(set.next, now).has_value();
  if (!authority && !serves) return announced ? take_over(set, terms, now) : begin(set, terms, now);

  if (!announced && (!authority || due_at(*authority) <= now)) return announce(set, terms, now);
  if (announced && !(contains(set.bundle, set.next.certificate))) {  // somebody's hand was in it
    CertificateSet mended = set;
    mended.bundle = bundle_with(set.bundle, {&set.authority.certificate, &set.next.certificate}, now);
    return Step({What::bundle_mended, std::move(mended)});
  }
  if (announced && trust == Trust::settled) return take_over(set, terms, now);

  if (authority) {
    if (!contains(set.bundle, set.authority.certificate)) {
      CertificateSet mended = set;
      mended.bundle = bundle_with(set.bundle, {&set.authority.certificate}, now);
      return Step({What::bundle_mended, std::move(mended)});
    }
    const auto leaf = first_of(set.leaf.certificate);
    if (!serves || due_at(*leaf) <= now || !names_all(*leaf, terms.names) || is_too_long(*leaf, terms)) return renew_leaf(set, terms, now);
  }
  if (!announced && set.retire_at && *set.retire_at <= now) {
    CertificateSet retired = set;
    retired.bundle = set.authority.certificate;
    retired.retire_at = std::nullopt;
    return Step({What::authority_retired, std::move(retired)});
  }
  return Step();
}

}  // namespace portcullis::webhook
