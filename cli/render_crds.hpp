// The custom resources of the program as CustomResourceDefinitions: the five kinds of documents, made of the registry of
// fields, and TenantQuota, whose schema is part of the ledger's protocol and is written by hand (manifests/crds).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/document/fields.hpp"

namespace portcullis::cli {

nlohmann::ordered_json document_crd(const policy::DocumentKind& kind);

// A file of manifests/crds.
struct CrdFile {
  std::string name;  // "tenants.yaml"
  std::string text;
};
std::vector<CrdFile> crd_files();

}  // namespace portcullis::cli
