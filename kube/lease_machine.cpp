#include "kube/lease_machine.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/facts.hpp"
#include "kube/object_reader.hpp"
#include "kube/resource_version.hpp"
#include "kube/status.hpp"

namespace portcullis::kube {
namespace {

using nlohmann::json;
using std::chrono::seconds;

// MicroTime wants six digits behind the second.
std::string micro_time(WallClock::time_point wall) {
  const auto whole = std::chrono::floor<seconds>(wall);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(wall - whole).count();
  std::string text = write_time(whole), fraction = std::to_string(micros);
  text.pop_back();
  return text + "." + std::string(6 - fraction.size(), '0') + fraction + "Z";
}

ApiRequest write_request(std::string method, std::string target, std::string body, const char* type) {
  ApiRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  request.content_type = type;
  request.lane = ApiRequest::Lane::writes;
  return request;
}

}  // namespace

std::string LeaseMachine::collection() const { return "/apis/coordination.k8s.io/v1/namespaces/" + options_.name_space + "/leases"; }

LeaseMachine::Action LeaseMachine::next(BootClock::time_point now, WallClock::time_point wall) {
  if (now < not_before_) return {Step::wait, not_before_ - now, {}};
  Action action{Step::call, {}, {}};
  if (!read_) {
    asked_ = Asked::read;
    action.request.target = collection() + "/" + options_.name;
    action.request.lane = ApiRequest::Lane::writes;
    sent_ = now;
    return action;
  }
  const bool ours = holder_ == options_.identity;
  if (exists_ && !ours && !holder_.empty()) {
    // A tenth more for clocks that run unevenly.
    const auto ended = changed_at_ + others_duration_ + others_duration_ / 10;
    if (now < ended) {
      // Looked at again when it may have ended, and in between, so that a release is noticed.
      read_ = false;
      not_before_ = now + std::min<std::chrono::nanoseconds>(ended - now, options_.renewal);
      return {Step::wait, not_before_ - now, {}};
    }
  }
  sent_ = now;
  json body;
  json& lease = body["spec"];
  lease["holderIdentity"] = options_.identity;
  lease["leaseDurationSeconds"] = options_.duration.count();
  lease["renewTime"] = micro_time(wall);
  if (!ours) {
    lease["acquireTime"] = micro_time(wall);
    lease["leaseTransitions"] = exists_ ? transitions_ + 1 : 0;
  }
  if (!exists_) {
    asked_ = Asked::create;
    body["apiVersion"] = "coordination.k8s.io/v1";
    body["kind"] = "Lease";
    body["metadata"] = {{"name", options_.name}, {"namespace", options_.name_space}};
    if (!options_.labels.empty()) body["metadata"]["labels"] = options_.labels;
    action.request = write_request("POST", collection(), body.dump(), "application/json");
    return action;
  }
  asked_ = Asked::write;
  body["metadata"] = {{"resourceVersion", version_}};
  action.request = write_request("PATCH", collection() + "/" + options_.name, body.dump(), "application/merge-patch+json");
  return action;
}

void LeaseMachine::adopt(BootClock::time_point now, policy::Value lease) {
  const policy::Value spec = lease["spec"];
  const std::string_view version = metadata_text(lease, "resourceVersion");
  if (version != version_ || !exists_) changed_at_ = now;
  exists_ = read_ = true;
  version_ = version;
  if (compare_versions(version_, newest_) == VersionOrder::older) {
    went_back_ = true;
  } else {
    newest_ = version_;
  }
  uid_ = metadata_text(lease, "uid");
  holder_ = spec["holderIdentity"].text();
  others_duration_ = seconds(std::clamp<std::int64_t>(spec["leaseDurationSeconds"].integer().value_or(15), 1, 3'600));
  transitions_ = spec["leaseTransitions"].integer().value_or(0);
}

void LeaseMachine::pause(BootClock::time_point now, std::string trouble) {
  trouble_ = std::move(trouble);
  read_ = false;
  not_before_ = now + options_.renewal / 2;
}

void LeaseMachine::answered(BootClock::time_point now, Result<ApiResponse> response) {
  const Asked asked = std::exchange(asked_, Asked::nothing);
  if (!response) return pause(now, response.error().message());
  if (response->status == 404 && asked != Asked::create) {
    exists_ = false;
    read_ = true;
    holder_.clear();
    if (asked == Asked::write) not_before_ = now + options_.renewal / 2;
    return;
  }
  if (response->status == 409) {  // someone was faster, or we were and did not hear it
    read_ = false;
    not_before_ = now + options_.renewal / 8;
    return;
  }
  if (response->status < 200 || response->status > 299)
    return pause(now, std::to_string(response->status) + " " + read_status(response->body).message);
  // It was there, or what was said of it was no API server's word: then creating it fails.
  if (asked == Asked::create && !newest_.empty()) went_back_ = true;
  ObjectReader reader;
  const auto lease = reader.object(pad(response->body));
  if (!lease) return pause(now, lease.error().message());
  adopt(now, *lease);
  trouble_.clear();
  if (asked == Asked::read) return;
  if (holder_ != options_.identity) return pause(now, "written, and yet another holds it");
  valid_until_ = sent_ + options_.duration;
  not_before_ = sent_ + options_.renewal;
}

std::optional<ApiRequest> LeaseMachine::release(bool remove, WallClock::time_point wall) {
  valid_until_ = {};
  if (!exists_ || holder_ != options_.identity) return std::nullopt;
  const std::string target = collection() + "/" + options_.name;
  if (remove) {
    const json body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"uid", uid_}}}};
    return write_request("DELETE", target, body.dump(), "application/json");
  }
  const json body = {{"metadata", {{"resourceVersion", version_}}},
                     {"spec", {{"holderIdentity", ""}, {"renewTime", micro_time(wall)}, {"leaseDurationSeconds", 1}}}};
  return write_request("PATCH", target, body.dump(), "application/merge-patch+json");
}

}  // namespace portcullis::kube
