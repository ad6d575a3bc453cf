// Commands run in process, and files for them in a directory that goes away with the test.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/run.hpp"

namespace portcullis::cli::test {

class TempDir {
 public:
  TempDir() {
    static std::atomic<int> number{0};
    path_ = std::filesystem::temp_directory_path() / ("portcullis-cli-" + std::to_string(getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directories(path_);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Writes a file, with the folders above it; returns its whole path.
  [[nodiscard]] std::string write(const std::string& name, std::string_view bytes) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

struct Answer {
  int code = -1;
  std::string out, err;
};

inline Answer run_program(std::vector<std::string> words, const std::string& input = {}) {
  std::vector<const char*> argv{"portcullis"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::istringstream in(input);
  std::ostringstream out, err;
  Answer answer;
  answer.code = run(static_cast<int>(argv.size()), argv.data(), in, out, err);
  answer.out = out.str();
  answer.err = err.str();
  return answer;
}

// A platform with three tenants of three tiers: deny in production, warn in staging, audit in the sandbox.
inline constexpr std::string_view documents = R"(apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec:
  environments: [sandbox, staging, production]
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Zurich
  namespaces:
    - {name: acme-prod, environment: production, tenancy: dedicated}
    - {name: acme-staging, environment: staging, tenancy: multi-tenant}
    - {name: acme-sandbox, environment: sandbox, tenancy: multi-tenant}
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: production}
spec:
  match: {environments: [production]}
  rules:
    - {id: replica-floor, with: {min: 2}}
    - {id: image-digest, with: {require: digest}}
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: staging}
spec:
  match: {environments: [staging]}
  mode: warn
  rules: [{id: replica-floor, with: {min: 2}}]
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: sandbox}
spec:
  match: {environments: [sandbox]}
  mode: audit
  rules: [{id: replica-floor, with: {min: 2}}]
)";

inline constexpr std::string_view exception = R"(---
apiVersion: portcullis.dev/v1
kind: PolicyException
metadata: {name: acme-printer}
spec:
  rules: [replica-floor]
  match: {tenants: [acme], namespaces: [acme-prod], objects: [{kind: Deployment, name: printer}]}
  reason: one printer
  ticket: CHG1
  approvedBy: security@hoster.example
  validFrom: 2026-11-01T00:00:00Z
  expiresAt: 2026-12-01T00:00:00Z
)";

inline std::string deployment(const std::string& name, const std::string& replicas,
                              const std::string& image = "odoo:17@sha256:" + std::string(64, 'a')) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name + "\nspec:\n  replicas: " + replicas +
         "\n  selector: {matchLabels: {app: " + name + "}}\n  template:\n    metadata: {labels: {app: " + name +
         "}}\n    spec:\n      containers:\n        - name: odoo\n          image: " + image + "\n";
}

}  // namespace portcullis::cli::test
