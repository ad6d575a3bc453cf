// Files of documents -> DocumentSet, whole or not at all; every error with file, line, column, field, found, wanted and a
// near miss where there is one, all in one go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::policy {

struct DocumentFile {
  std::string name;  // relative to the documents' directory: what messages say
  std::string bytes;
};

// Bounds of one set. Above one the set is refused with the bound named.
struct DocumentLimits {
  std::size_t file_bytes_max = 4 * 1024 * 1024;
  std::size_t set_bytes_max = 64 * 1024 * 1024;
  std::size_t depth_max = 32;
  std::size_t nodes_max = 2'000'000;               // in one file
  std::size_t aliases_max = 1'000;                 // in one file; an alias is refused where its anchor is not closed yet
  std::size_t alias_bytes_max = 16 * 1024 * 1024;  // what anchors and aliases of one file copy, so that a bomb ends at once
};

using DocumentErrors = std::vector<Error>;  // sorted by file and line

// `needs_guard_policy`: the guard runs, so exactly one GuardPolicy must be there.
tl::expected<DocumentSet, DocumentErrors> load_documents(const std::vector<DocumentFile>& files, bool needs_guard_policy = false,
                                                         const DocumentLimits& limits = {});

}  // namespace portcullis::policy
