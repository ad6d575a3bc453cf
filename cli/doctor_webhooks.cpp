// doctor: what the API server is told to send, whom it trusts, and what the replicas show it.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "cli/doctor.hpp"
#include "cli/instant.hpp"
#include "cli/render_webhooks.hpp"
#include "net/base64.hpp"
#include "net/certificate.hpp"
#include "webhook/configuration.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::json;
using Verdict = Check::Verdict;
using webhook::ConfigurationKind;

constexpr std::chrono::days soon{14};
constexpr int timeout_seconds_max = 10;  // longer and a sick gate makes every write slow
constexpr std::string_view render_hint = "apply what `portcullis render webhook-config` prints for these documents";

struct Named {
  ConfigurationKind kind;
  std::string_view name;
};
constexpr std::array kinds{Named{ConfigurationKind::validating, "ValidatingWebhookConfiguration"},
                           Named{ConfigurationKind::mutating, "MutatingWebhookConfiguration"}};

// Does a namespace of this name, which has no other label, get through an entry's namespaceSelector? The label with the name is
// the only one that a tenant cannot write.
bool selects_namespace(const Json& selector, const std::string& name) {
  constexpr std::string_view name_label = "kubernetes.io/metadata.name";
  for (const auto& [key, value] : member(selector, {"matchLabels"}).items())
    if (key != name_label || value != name) return false;
  for (const Json& each : member(selector, {"matchExpressions"})) {
    const bool about_name = text_member(each, {"key"}) == name_label;
    const Json& values = member(each, {"values"});
    const bool listed = about_name && std::find(values.begin(), values.end(), Json(name)) != values.end();
    const std::string how = text_member(each, {"operator"});
    if ((how == "In" && !listed) || (how == "NotIn" && listed) || (how == "Exists" && !about_name) || (how == "DoesNotExist" && about_name))
      return false;
  }
  return true;
}

bool lists(const Json& array, std::string_view word) {
  return std::any_of(array.begin(), array.end(), [&](const Json& each) { return each == "*" || each == word; });
}

bool asks_about(const Json& entry, std::string_view group, std::string_view resource) {
  for (const Json& rule : member(entry, {"rules"}))
    if (lists(member(rule, {"apiGroups"}), group) &&
        (lists(member(rule, {"resources"}), resource) || lists(member(rule, {"resources"}), "*/*")))
      return true;
  return false;
}

// What must never wait for a webhook, least of all for ours.
constexpr std::pair<std::string_view, std::string_view> never_sent[] = {{"coordination.k8s.io", "leases"},
                                                                        {"", "events"},
                                                                        {"events.k8s.io", "events"},
                                                                        {"authentication.k8s.io", "tokenreviews"},
                                                                        {"authorization.k8s.io", "subjectaccessreviews"},
                                                                        {"portcullis.dev", "tenants"},
                                                                        {"portcullis.dev", "policies"},
                                                                        {"portcullis.dev", "tenantquotas"},
                                                                        {"portcullis.dev", "tenantquotas/status"}};

bool is_ours(const Json& entry, const Examination& examination) {
  return text_member(entry, {"clientConfig", "service", "name"}) == examination.service &&
         text_member(entry, {"clientConfig", "service", "namespace"}) == examination.name_space;
}

Checks check_entry(const Json& entry, const Examination& examination) {
  Checks checks;
  const std::string name = printable(text_member(entry, {"name"}));
  const auto add = [&](std::string_view id, Verdict verdict, std::string what, std::string_view hint) {
    checks.push_back({"webhook-config", id, verdict, name + ": " + std::move(what), std::string(hint)});
  };
  for (const std::string& spared : {examination.name_space, std::string("kube-system")})
    if (selects_namespace(member(entry, {"namespaceSelector"}), spared))
      add("own-namespace", Verdict::failed, "namespace " + spared + " is sent, so a broken gate could not be repaired",
          "exclude it by kubernetes.io/metadata.name NotIn");
  std::string loops;
  for (const auto& [group, resource] : never_sent)
    if (asks_about(entry, group, resource))
      loops += (loops.empty() ? "" : ", ") + std::string(resource) + (group.empty() ? "" : "." + std::string(group));
  if (!loops.empty())
    add("no-loops", Verdict::failed, "asks about " + loops + ", which the gate itself or the control plane writes",
        "name kinds, never `*`");
  const Json& timeout = member(entry, {"timeoutSeconds"});
  if (timeout.is_number_integer() && timeout.get<int>() > timeout_seconds_max)
    add("timeout", Verdict::warn, "timeoutSeconds is " + std::to_string(timeout.get<int>()),
        "5 is enough, and a sick gate costs that much a write");
  return checks;
}

// The entry as the documents want it, beside what is there. The API server adds defaults: only what is wanted is compared.
void compare_entry(const Json& wanted, const Json& live, Checks& checks) {
  const std::string name = printable(text_member(wanted, {"name"}));
  const std::string policy = text_member(live, {"failurePolicy"}), expected = text_member(wanted, {"failurePolicy"});
  if (policy != expected) {
    const bool opens = expected == "Fail";
    checks.push_back({"webhook-config", "failure-policy", opens ? Verdict::warn : Verdict::failed,
                      name + ": failurePolicy is " + printable(policy) + ", the documents say " + expected,
                      opens ? "failing open by design while you onboard; else " + std::string(render_hint) : std::string(render_hint)});
  }
  std::string differ;
  for (const auto& [key, value] : wanted.items()) {
    if (key == "clientConfig" || key == "failurePolicy" || member(live, {key.c_str()}) == value) continue;
    differ += (differ.empty() ? "" : ", ") + key;
  }
  if (!differ.empty())
    checks.push_back(
        {"webhook-config", "as-rendered", Verdict::warn, name + ": differs from the documents in " + differ, std::string(render_hint)});
}

void compare_configuration(const Named& kind, const Json& live, const Examination& examination, Checks& checks) {
  if (!examination.snapshot) return;
  const WebhookOptions options{examination.name_space, examination.service};
  const policy::DocumentSet& documents = examination.snapshot->documents();
  const auto rendered = kind.kind == ConfigurationKind::validating ? validating_configuration(documents, options)
                                                                   : mutating_configuration(documents, options);
  const Json wanted = Json::parse(rendered.dump());
  for (const Json& entry : member(wanted, {"webhooks"})) {
    const Json& there = member(live, {"webhooks"});
    const auto same = std::find_if(there.begin(), there.end(), [&](const Json& each) { return member(each, {"name"}) == entry["name"]; });
    if (same == there.end()) {
      checks.push_back({"webhook-config", "as-rendered", Verdict::failed,
                        printable(text_member(entry, {"name"})) + ": is not in " + std::string(kind.name), std::string(render_hint)});
    } else {
      compare_entry(entry, *same, checks);
    }
  }
}

struct Shown {
  std::string endpoint, chain;
};

// What the replicas show; where they cannot be reached from here, what the Secret holds.
Result<std::vector<Shown>> shown_chains(const Examination& examination) {
  const auto endpoints = ready_endpoints(examination);
  if (!endpoints) return tl::unexpected(endpoints.error());
  const std::string host = examination.service + "." + examination.name_space + ".svc";
  std::vector<Shown> shown;
  std::optional<Error> last;
  for (const Endpoint& endpoint : *endpoints) {
    auto chain = examination.certificates_of(endpoint.address, host);
    if (chain) {
      shown.push_back({endpoint.address, *std::move(chain)});
    } else {
      last = chain.error();
    }
  }
  if (!shown.empty()) return shown;
  const auto secret =
      get_object(examination.call, "/api/v1/namespaces/" + examination.name_space + "/secrets/" + examination.service + "-tls");
  if (!secret) return tl::unexpected(last.value_or(secret.error()));
  auto chain = net::from_base64(text_member(*secret, {"data", "tls.crt"}));
  if (!chain || chain->empty()) return fail(ErrorKind::invalid, "Secret " + examination.service + "-tls", "holds no certificate yet");
  shown.push_back({"Secret " + examination.service + "-tls", *std::move(chain)});
  return shown;
}

Checks check_bundle(const Json& entry, const std::vector<Shown>& shown, const Examination& examination) {
  const std::string name = printable(text_member(entry, {"name"}));
  const auto bundle = net::from_base64(text_member(entry, {"clientConfig", "caBundle"}));
  if (!bundle || bundle->empty())
    return {{"webhook-config", "ca-bundle", Verdict::failed, name + ": has no caBundle, so no call succeeds",
             "a replica that looks after certificates writes it within 15 s; with cert-manager look at the annotation inject-ca-from"}};
  for (const Shown& each : shown) {
    const auto trusted =
        net::verify_chain(each.chain, *bundle, examination.service + "." + examination.name_space + ".svc", examination.now);
    if (!trusted)
      return {{"webhook-config", "ca-bundle", Verdict::failed,
               name + ": does not trust what " + each.endpoint + " shows: " + trusted.error().what,
               "put the authority of the served certificate into caBundle, beside the former one"}};
  }
  return {};
}

}  // namespace

Checks check_webhook_config(const Examination& examination) {
  Checks checks;
  const auto shown = shown_chains(examination);
  bool trusted = shown.has_value(), present = true;
  for (const Named& kind : kinds) {
    const auto live = get_object(examination.call, webhook::configuration_path(kind.kind, examination.configuration));
    if (!live) {
      present = false;
      if (live.error().kind == ErrorKind::not_found) {
        checks.push_back({"webhook-config", "present", Verdict::failed,
                          std::string(kind.name) + " " + examination.configuration + " is not there: nothing is judged",
                          "apply it once the replicas are ready"});
      } else {
        checks.push_back(not_seen("webhook-config", "present", live.error()));
      }
      continue;
    }
    std::size_t ours = 0;
    for (const Json& entry : member(*live, {"webhooks"})) {
      if (!is_ours(entry, examination)) continue;
      ++ours;
      for (Check& each : check_entry(entry, examination)) checks.push_back(std::move(each));
      if (shown)
        for (Check& each : check_bundle(entry, *shown, examination)) {
          trusted = false;
          checks.push_back(std::move(each));
        }
    }
    if (ours == 0)
      checks.push_back({"webhook-config", "present", Verdict::failed,
                        std::string(kind.name) + " " + examination.configuration + " calls no Service " + examination.name_space + "/" +
                            examination.service,
                        "look at --namespace, or apply the configuration anew"});
    compare_configuration(kind, *live, examination, checks);
  }
  if (!shown) checks.push_back(not_seen("webhook-config", "ca-bundle", shown.error()));
  if (present && trusted) checks.push_back({"webhook-config", "ca-bundle", Verdict::fine, "trusts what is served", ""});
  if (present && std::all_of(checks.begin(), checks.end(), [](const Check& each) { return each.id == "ca-bundle"; }))
    checks.push_back({"webhook-config", "present", Verdict::fine, "both configurations are there and spare what they must", ""});
  return checks;
}

Checks check_certificates(const Examination& examination) {
  const auto shown = shown_chains(examination);
  if (!shown) return {not_seen("certificates", "certificate-expiry", shown.error())};
  const std::string host = examination.service + "." + examination.name_space + ".svc";
  Checks checks;
  for (const Shown& each : *shown) {
    const auto chain = net::read_certificates(each.chain, each.endpoint);
    if (!chain) {
      checks.push_back({"certificates", "certificate-expiry", Verdict::failed, chain.error().message(), "the replica's log says why"});
      continue;
    }
    const net::CertificateFacts& leaf = chain->front();
    const auto left = std::chrono::floor<std::chrono::days>(leaf.not_after - examination.now).count();
    const std::string until = each.endpoint + " is good until " + instant_text(leaf.not_after) + ", " + std::to_string(left) + " days";
    if (leaf.not_after <= examination.now) {
      checks.push_back({"certificates", "certificate-expiry", Verdict::failed,
                        each.endpoint + " expired at " + instant_text(leaf.not_after), "renew it: docs/certificates.md"});
    } else {
      const bool ends = leaf.not_after - examination.now < soon && leaf.not_after - leaf.not_before > 2 * soon;
      checks.push_back({"certificates", "certificate-expiry", ends ? Verdict::warn : Verdict::fine, until,
                        ends ? "it should have been renewed by now: look at what renews it" : ""});
    }
    if (std::find(leaf.dns_names.begin(), leaf.dns_names.end(), host) == leaf.dns_names.end())
      checks.push_back({"certificates", "certificate-names", Verdict::failed, each.endpoint + " does not name " + host,
                        "the API server asks for that name: certify it"});
  }
  return checks;
}

}  // namespace portcullis::cli
