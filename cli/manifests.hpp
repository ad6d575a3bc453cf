// Files, directories and standard input -> Kubernetes objects that know where they stand.
//
// YAML with several documents, JSON (one object, a List, a stream), Lists of Lists and typed lists (DeploymentList) are
// opened. What cannot be read is an error with its place, never passed over: broken YAML, a key twice, an empty file, what
// Helm has not rendered, what SOPS has encrypted, what is no object. Left out, but counted, are our own documents and
// kustomizations, which no cluster judges. In directories *.yaml, *.yml and *.json count; names that begin with `.` are
// skipped, symbolic links followed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <istream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/source.hpp"
#include "policy/document/yaml.hpp"

namespace portcullis::cli {

struct ManifestLimits {
  std::size_t files_max = 100'000;
  std::size_t lists_deep_max = 8;  // a List in a List in ...
  policy::DocumentLimits document{
      .file_bytes_max = 32 * 1024 * 1024,  // a rendered chart of a whole platform
      .depth_max = 100,                    // above what judging takes (WorkBudget::depth_max) with a List around it
      .nodes_max = 400'000,                // an alias bomb ends here, within 64 MiB
      .aliases_max = 10'000,
  };
};

struct Manifest {
  const Source* source = nullptr;
  const policy::yaml::Node* node = nullptr;
  std::string api_version, kind, name_space, name, generate_name;  // as written; of a typed list's items: as its kind says
  [[nodiscard]] std::string_view group() const;
  [[nodiscard]] std::string_view version() const;
  [[nodiscard]] std::uint32_t line() const;  // where it begins
  std::string_view origin;                   // the template it was rendered from, where the stream says so
};

struct ManifestError {
  std::string file;
  std::uint32_t line = 0, column = 0;  // 0: of the file as a whole
  std::string message;
};

struct Manifests {
  std::vector<Manifest> objects;
  std::vector<ManifestError> errors;
  std::size_t files = 0;
  std::size_t own_documents = 0, kustomizations = 0;  // left out

  // Own what `objects` point to.
  std::deque<Source> sources;
  std::deque<std::vector<policy::yaml::Document>> documents;
};

// `paths`: files, directories, `-` for `in`, in the order given; a directory's files by name.
Manifests read_manifests(std::span<const std::string> paths, std::istream& in, const ManifestLimits& limits = {});

// "file.yaml:3:7" and a message -> its parts; the file's name may hold colons.
ManifestError manifest_error(const Error& error, std::string_view file);

// A kind that has no namespace.
bool is_cluster_scoped(std::string_view kind, std::string_view group);
// "deployments" for Deployment: what the API server would call its resource.
std::string resource_of(std::string_view kind);

}  // namespace portcullis::cli
