#include "webhook/certificate_keeper.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "net/background.hpp"
#include "net/base64.hpp"
#include "net/certificate_authority.hpp"
#include "observe/log.hpp"

namespace portcullis::webhook {
namespace {

using Json = nlohmann::json;
using observe::Level;

constexpr std::chrono::seconds call_time_max{10};
constexpr std::chrono::seconds soon{2};         // until there is a pair, and while something is about to change
constexpr std::chrono::seconds absent_wait{5};  // for a webhook configuration that may come any moment: nothing is trusted before
constexpr std::chrono::seconds failed_wait_max{60};
constexpr int steps_max = 8;  // of one turn: the longest way from any state to rest has 4
constexpr std::string_view merge_patch = "application/merge-patch+json";
constexpr std::string_view strategic_patch = "application/strategic-merge-patch+json";

std::string why(const Result<kube::ApiResponse>& answer) {
  return answer ? "the API server answered " + std::to_string(answer->status) : answer.error().message();
}

std::map<std::string, std::string, std::less<>> secret_files(const Json& secret) {
  std::map<std::string, std::string, std::less<>> files;
  const auto data = secret.find("data");
  if (data == secret.end() || !data->is_object()) return files;
  for (const auto& [name, value] : data->items()) {
    if (!value.is_string()) continue;
    if (auto bytes = net::from_base64(value.get_ref<const std::string&>())) files[name] = *std::move(bytes);
  }
  return files;
}

std::string secret_patch(const CertificateSet& set, const std::string& version) {
  Json data = Json::object();
  for (const auto& [name, text] : files_of(set)) data[name] = text.empty() ? Json() : Json(net::base64(text));
  return Json{{"metadata", {{"resourceVersion", version}}}, {"data", std::move(data)}}.dump();
}

}  // namespace

CertificateKeeper::CertificateKeeper(kube::Api& api, KeeperOptions options, Serve serve)
    : api_(api),
      options_([](KeeperOptions given) {
        given.terms.names = net::service_names(given.service.name, given.service.name_space);
        return given;
      }(std::move(options))),
      serve_(std::move(serve)),
      configurations_{Configuration{ConfigurationKind::validating, std::nullopt, false},
                      Configuration{ConfigurationKind::mutating, std::nullopt, false}} {}

kube::Task<void> CertificateKeeper::run() {
  bool goes_on = true;
  while (goes_on) {
    const std::chrono::seconds wait = co_await turn(Clock::now(), std::chrono::floor<std::chrono::seconds>(WallClock::now()));
    goes_on = co_await net::sleep_until(Clock::now() + wait);
  }
}

kube::Task<std::chrono::seconds> CertificateKeeper::turn(Clock::time_point now, Instant wall) {
  const std::uint64_t errors_before = errors_.value();
  read_mount(wall);
  const bool due = !set_ || !read_at_ || now - *read_at_ >= options_.secret_interval || served_until_ <= wall || leaf_due(*set_) <= wall;
  bool known = set_.has_value();
  if (due) known = co_await read_secret(now);
  co_await read_configurations();
  if (known) co_await follow_plan(now, wall);

  if (errors_.value() != errors_before) {
    failures_ = std::min(failures_ + 1, 6U);
    co_return std::min(failed_wait_max, soon * (1U << (failures_ - 1)));
  }
  failures_ = 0;
  const bool settled = set_ && set_->next == net::PemPair{} && judge_trust(now) == Trust::settled;
  if (!settled) co_return soon;
  const bool installed = configurations_[0].live && configurations_[1].live;
  if (!installed) co_return absent_wait;
  co_return std::clamp(leaf_due(*set_) - wall, std::chrono::seconds(1), options_.interval_max);
}

// The pair is served although nobody could be asked whether it still is the latest: it was good when it was mounted.
void CertificateKeeper::read_mount(Instant wall) {
  if (options_.directory.empty() || set_) return;
  std::map<std::string, std::string, std::less<>> files;
  for (const std::string_view name : certificate_files) {
    std::ifstream in(options_.directory / name, std::ios::binary);
    if (!in) continue;
    std::string text(net::certificate_pem_bytes_max, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    files.emplace(name, std::move(text));
  }
  consider(read_set(files), wall);
}

// A leaf that is older than the one in use is a mount that lags behind.
void CertificateKeeper::consider(const CertificateSet& set, Instant wall) {
  if (set.leaf.certificate == served_ || !can_serve(set, options_.terms, wall)) return;
  const auto leaf = net::read_certificates(set.leaf.certificate, "leaf");
  if (!leaf || (served_until_ > wall && leaf->front().not_before < served_from_)) return;
  if (const auto taken = serve_(set.leaf); !taken) return trouble("certificate_refused", taken.error().message());
  served_ = set.leaf.certificate;
  served_from_ = leaf->front().not_before;
  served_until_ = leaf->front().not_after;
  leaf_until_.store(served_until_.time_since_epoch().count(), std::memory_order_relaxed);
  if (const auto authority = net::read_certificates(set.authority.certificate, "authority"))
    authority_until_.store(authority->front().not_after.time_since_epoch().count(), std::memory_order_relaxed);
  observe::log(Level::info, "certificate_in_use", {{"sha256", leaf->front().fingerprint}, {"serial", leaf->front().serial}});
}

// False when the Secret could not be read or written, or somebody else wrote first.
kube::Task<bool> CertificateKeeper::patch_secret(std::string body, Clock::time_point now) {
  kube::ApiRequest request;
  request.method = "PATCH";
  request.target = "/api/v1/namespaces/" + options_.service.name_space + "/secrets/" + options_.secret + "?fieldManager=portcullis";
  request.body = std::move(body);
  request.content_type = merge_patch;
  request.lane = kube::ApiRequest::Lane::writes;
  const Deadline deadline = Clock::now() + call_time_max;
  auto answer = co_await api_.call(std::move(request), deadline);
  if (answer && answer->status == 409) co_return false;
  if (!answer || answer->status != 200) {
    trouble("certificate_secret_unavailable", why(answer));
    co_return false;
  }
  const Json secret = Json::parse(answer->body, nullptr, false);
  if (!secret.is_object() || !secret.contains("metadata") || !secret["metadata"].is_object() ||
      !secret["metadata"].contains("resourceVersion") || !secret["metadata"]["resourceVersion"].is_string()) {
    trouble("certificate_secret_unavailable", "the answer is no Secret");
    co_return false;
  }
  version_ = secret["metadata"]["resourceVersion"].get<std::string>();
  set_ = read_set(secret_files(secret));
  read_at_ = now;
  co_return true;
}

kube::Task<bool> CertificateKeeper::read_secret(Clock::time_point now) {
  std::string nothing = "{}";
  const bool done = co_await patch_secret(std::move(nothing), now);
  co_return done;
}

kube::Task<bool> CertificateKeeper::write_secret(const CertificateSet& set, Clock::time_point now) {
  std::string body = secret_patch(set, version_);
  const bool done = co_await patch_secret(std::move(body), now);
  co_return done;
}

kube::Task<void> CertificateKeeper::read_configurations() {
  for (Configuration& each : configurations_) {
    kube::ApiRequest request;
    request.target = configuration_path(each.kind, options_.configuration);
    const Deadline deadline = Clock::now() + call_time_max;
    auto answer = co_await api_.call(std::move(request), deadline);
    each.live.reset();
    each.known = answer && (answer->status == 200 || answer->status == 404);
    if (!each.known) {
      trouble("webhook_configuration_unavailable", why(answer));
    } else if (answer->status == 200) {
      auto live = read_configuration(answer->body, options_.service);
      each.known = live.has_value();
      if (live) {
        each.live = *std::move(live);
      } else {
        trouble("webhook_configuration_unavailable", live.error().message());
      }
    }
  }
}

Trust CertificateKeeper::judge_trust(Clock::time_point now) {
  const std::string wanted = set_ ? net::base64(set_->bundle) : std::string();
  const bool known = std::all_of(configurations_.begin(), configurations_.end(), [](const auto& each) { return each.known; });
  const bool agree = std::all_of(configurations_.begin(), configurations_.end(),
                                 [&](const auto& each) { return !each.live || each.live->all_have(wanted); });
  if (!known || !agree || agreed_bundle_ != wanted) agreed_since_.reset();
  agreed_bundle_ = wanted;
  if (!known) return Trust::unknown;
  if (!agree) return Trust::differs;
  if (!agreed_since_) agreed_since_ = now;
  return now - *agreed_since_ >= options_.settle_time ? Trust::settled : Trust::settling;
}

kube::Task<void> CertificateKeeper::patch_configurations() {
  const std::string wanted = net::base64(set_->bundle);
  for (Configuration& each : configurations_) {
    if (!each.live || each.live->all_have(wanted)) continue;
    kube::ApiRequest request;
    request.method = "PATCH";
    request.target = configuration_path(each.kind, options_.configuration) + "?fieldManager=portcullis";
    request.body = ca_bundle_patch(*each.live, wanted);
    request.content_type = strategic_patch;
    request.lane = kube::ApiRequest::Lane::writes;
    const Deadline deadline = Clock::now() + call_time_max;
    auto answer = co_await api_.call(std::move(request), deadline);
    each.live.reset();
    each.known = false;  // the next turn reads it
    if (answer && answer->status == 409) continue;
    if (!answer || answer->status != 200) {
      trouble("webhook_configuration_not_patched", why(answer));
      continue;
    }
    bundle_patches_.add();
    observe::log(Level::info, "ca_bundle_patched", {{"path", configuration_path(each.kind, options_.configuration)}});
    if (auto live = read_configuration(answer->body, options_.service)) {
      each.live = *std::move(live);
      each.known = true;
    }
  }
}

kube::Task<void> CertificateKeeper::follow_plan(Clock::time_point now, Instant wall) {
  for (int count = 0; count < steps_max; ++count) {
    consider(*set_, wall);
    if (can_serve(*set_, options_.terms, wall)) good_ = set_;
    const Trust trust = judge_trust(now);
    auto step = next_step(*set_, trust, options_.terms, wall);
    if (!step) {
      trouble("certificate_not_made", step.error().message());
      co_return;
    }
    if (!*step) {
      if (trust == Trust::differs) co_await patch_configurations();
      co_return;
    }
    CertificateStep wanted = **std::move(step);
    if (wanted.what == CertificateStep::What::begun && good_ && can_serve(*good_, options_.terms, wall))
      wanted = {CertificateStep::What::restored, *good_};  // the Secret was emptied under us
    const bool written = co_await write_secret(wanted.set, now);
    if (!written) {  // somebody else was first, or nobody knows: what stands there now is what counts
      const bool read = co_await read_secret(now);
      if (!read) co_return;
      continue;
    }
    using What = CertificateStep::What;
    observe::log(Level::info, "certificates_changed", {{"step", step_name(wanted.what)}});
    if (wanted.what == What::begun || wanted.what == What::leaf_renewed || wanted.what == What::authority_renewed) leaf_renewals_.add();
    if (wanted.what == What::begun || wanted.what == What::authority_renewed) authority_renewals_.add();
  }
  trouble("certificates_unsettled", "the Secret changes all the time");
}

void CertificateKeeper::trouble(std::string_view what, std::string_view reason) {
  errors_.add();
  observe::log_limited(Level::warn, what, {{"reason", reason}}, 1);
}

void CertificateKeeper::expose(observe::Scrape& scrape) const {
  using observe::MetricType;
  for (const auto& [part, counter] : {std::pair{"leaf", &leaf_renewals_}, std::pair{"authority", &authority_renewals_}})
    scrape.sample("portcullis_certificates_renewals_total", "Certificates that this replica made and wrote.", MetricType::counter,
                  {{"part", part}}, static_cast<double>(counter->value()));
  for (const auto& [part, until] : {std::pair{"leaf", leaf_until_.load()}, std::pair{"authority", authority_until_.load()}})
    if (until != 0)
      scrape.sample("portcullis_certificates_not_after_timestamp_seconds", "When the certificate in use, or its authority, ends.",
                    MetricType::gauge, {{"part", part}}, static_cast<double>(until));
  scrape.sample("portcullis_certificates_ca_bundle_patches_total", "Webhook configurations that were given the bundle.",
                MetricType::counter, {}, static_cast<double>(bundle_patches_.value()));
  scrape.sample("portcullis_certificates_errors_total", "Looks at Secret or configurations that failed.", MetricType::counter, {},
                static_cast<double>(errors_.value()));
}

}  // namespace portcullis::webhook
