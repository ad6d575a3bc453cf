// The documents of --config, for every command that judges: loaded and compiled, or all errors said at once.
#pragma once

#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/manifests.hpp"
#include "config/store.hpp"

namespace portcullis::cli {

// The errors with the directory's path before the file's name, as an editor opens them.
std::vector<ManifestError> document_errors(const std::filesystem::path& directory, const policy::DocumentErrors& errors);

// `error: documents/tenants.yaml:12:9: spec.tier: found ..., want ...`, a line each, and how many.
void print_errors(const std::vector<ManifestError>& errors, std::ostream& err);
std::string error_text(const ManifestError& error);

}  // namespace portcullis::cli
