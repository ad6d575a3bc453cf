// What `portcullis doctor` looks at: one function a category, each a list of checks with their verdict and, where something
// is wrong, what to do. Nothing in the cluster is changed; the one write is a dry run.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "cli/api_objects.hpp"
#include "policy/engine.hpp"

namespace portcullis::cli {

struct Check {
  enum class Verdict { fine, warn, failed, unknown };  // unknown: it could not be looked at
  std::string_view category;                           // "webhook-config"
  std::string_view id;                                 // "ca-bundle": a heading of docs/doctor.md
  Verdict verdict = Verdict::fine;
  std::string what;  // where, and what was found
  std::string hint;  // what to do; "" when all is well
};
using Checks = std::vector<Check>;

struct Examination {
  ApiCall call;
  std::string name_space = "portcullis-system", service = "portcullis-webhook", configuration = "portcullis";
  std::string config;       // directory of documents; "": those of the cluster
  bool in_cluster = false;  // runs as the program's own account
  Instant now{};
  // Shows a server's certificates; HOST:PORT and the name to ask for.
  std::function<Result<std::string>(const std::string& endpoint, const std::string& server_name)> certificates_of;
  // The documents, once they could be read; what needs them is left out until then.
  std::shared_ptr<const policy::PolicySnapshot> snapshot;
};

Checks check_api(const Examination& examination);
Checks check_may_install(const Examination& examination);  // --pre
Checks check_documents(Examination& examination);          // fills `snapshot`
Checks check_permissions(const Examination& examination);
Checks check_webhook_config(const Examination& examination);
Checks check_certificates(const Examination& examination);
Checks check_replicas(const Examination& examination);
Checks check_audit(const Examination& examination);
Checks check_facts(const Examination& examination);
Checks check_quotas(const Examination& examination);
Checks check_self_test(const Examination& examination);
Checks check_uninstall(const Examination& examination);  // --uninstall

// The addresses of the Service's pods that are ready.
struct Endpoint {
  std::string address, pod, node;  // HOST:PORT
};
Result<std::vector<Endpoint>> ready_endpoints(const Examination& examination);

// A check that could not be made, because the API server did not answer or refused.
Check not_seen(std::string_view category, std::string_view id, const Error& error);

}  // namespace portcullis::cli
