#include "cli/documents.hpp"

#include <string>
#include <string_view>

#include "base/text.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t message_bytes_max = 2'000;

}  // namespace

std::vector<ManifestError> document_errors(const std::filesystem::path& directory, const policy::DocumentErrors& errors) {
  std::vector<ManifestError> result;
  for (const Error& error : errors) {
    // "tenants.yaml:12:9 spec.tier": the file's name ends at the first colon, or is the whole.
    const std::string_view where = error.where;
    const std::string_view file = where.substr(0, where.find(':'));
    ManifestError each = manifest_error(error, file);
    if (file.empty()) {
      each.file = directory.string();
    } else if (!file.starts_with(directory.string())) {
      each.file = (directory / file).string();
    }
    result.push_back(std::move(each));
  }
  return result;
}

std::string error_text(const ManifestError& error) {
  std::string text = printable(error.file, message_bytes_max);
  if (error.line > 0) text += ":" + std::to_string(error.line);
  if (error.column > 0) text += ":" + std::to_string(error.column);
  return text + ": " + printable(error.message, message_bytes_max);
}

void print_errors(const std::vector<ManifestError>& errors, std::ostream& err) {
  for (const ManifestError& error : errors) err << "error: " << error_text(error) << '\n';
}

}  // namespace portcullis::cli
