#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <system_error>

#include "config/store.hpp"

namespace portcullis::config {
namespace {

namespace fs = std::filesystem;
using policy::DocumentErrors;
using policy::DocumentFile;

constexpr std::size_t files_max = 10'000;
constexpr int readings_max = 5;         // of a directory that is swapped while it is read
constexpr std::size_t levels_max = 16;  // of folders; deeper is a loop or a mistake

bool is_documents(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

class Reading {
 public:
  explicit Reading(const policy::DocumentLimits& limits) : limits_(limits) {}

  void folder(const fs::path& directory, const std::string& prefix, std::size_t level) {
    std::error_code error;
    const fs::path real = fs::canonical(directory, error);
    if (error) return refuse(ErrorKind::unavailable, prefix.empty() ? directory.string() : prefix, "cannot be read: " + error.message());
    // A link that leads back up would read the same files again and again.
    if (!above_.insert(real).second) return;
    if (level > levels_max) {
      refuse(ErrorKind::limit_exceeded, prefix, "more than " + std::to_string(levels_max) + " levels of folders");
    } else {
      std::vector<fs::path> entries;
      for (fs::directory_iterator each(directory, error), last; !error && each != last; each.increment(error))
        entries.push_back(each->path());
      if (error) refuse(ErrorKind::unavailable, prefix.empty() ? directory.string() : prefix, "cannot be read: " + error.message());
      std::sort(entries.begin(), entries.end());
      for (const fs::path& entry : entries) take(entry, prefix, level);
    }
    above_.erase(real);
  }

  // Does every path still lead to the file that was read? Kubernetes swaps `..data` under all of them at once, and half of one
  // set with half of the next is neither.
  [[nodiscard]] bool still_there() const {
    return std::all_of(real_paths_.begin(), real_paths_.end(), [](const auto& each) {
      std::error_code error;
      return fs::canonical(each.first, error) == each.second && !error;
    });
  }

  std::vector<DocumentFile> files;
  DocumentErrors errors;

 private:
  void refuse(ErrorKind kind, const std::string& where, std::string what) { errors.push_back(Error{kind, where, std::move(what)}); }

  void take(const fs::path& entry, const std::string& prefix, std::size_t level) {
    const std::string base = entry.filename().string();
    if (base.starts_with('.')) return;  // `..data` and its targets: read once, through the names beside them
    const std::string name = prefix.empty() ? base : prefix + "/" + base;
    std::error_code error;
    const fs::file_status status = fs::status(entry, error);
    if (error && is_documents(entry)) return refuse(ErrorKind::unavailable, name, "cannot be read: " + error.message());
    if (fs::is_directory(status)) return folder(entry, name, level + 1);
    if (fs::is_regular_file(status) && is_documents(entry)) file(entry, name);
  }

  void file(const fs::path& path, const std::string& name) {
    if (files.size() >= files_max) return refuse(ErrorKind::limit_exceeded, name, "more than " + std::to_string(files_max) + " files");
    std::error_code gone;
    real_paths_.emplace_back(path, fs::canonical(path, gone));
    std::ifstream in(path, std::ios::binary);
    DocumentFile read{name, {}};
    std::array<char, 64 * 1024> chunk;
    while (in && read.bytes.size() <= limits_.file_bytes_max) {
      in.read(chunk.data(), chunk.size());
      read.bytes.append(chunk.data(), static_cast<std::size_t>(in.gcount()));
    }
    if (in.bad() || (!in.eof() && !in)) return refuse(ErrorKind::unavailable, name, std::string("cannot be read: ") + std::strerror(errno));
    if (read.bytes.size() > limits_.file_bytes_max)
      return refuse(ErrorKind::limit_exceeded, name, "larger than " + std::to_string(limits_.file_bytes_max) + " bytes");
    total_ += read.bytes.size();
    if (total_ > limits_.set_bytes_max)
      return refuse(ErrorKind::limit_exceeded, name, "the set is larger than " + std::to_string(limits_.set_bytes_max) + " bytes");
    files.push_back(std::move(read));
  }

  policy::DocumentLimits limits_;
  std::set<fs::path> above_;  // folders that are being read
  std::vector<std::pair<fs::path, fs::path>> real_paths_;
  std::size_t total_ = 0;
};

}  // namespace

tl::expected<std::vector<DocumentFile>, DocumentErrors> read_directory(const fs::path& directory, const policy::DocumentLimits& limits) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    return tl::unexpected(DocumentErrors{Error{ErrorKind::not_found, directory.string(), "found no such directory"}});
  Reading reading(limits);
  reading.folder(directory, "", 0);
  for (int count = 1; count < readings_max && !reading.still_there(); ++count) {
    reading = Reading(limits);
    reading.folder(directory, "", 0);
  }
  if (!reading.still_there())
    return tl::unexpected(DocumentErrors{Error{ErrorKind::unavailable, directory.string(), "changes faster than it can be read"}});
  if (!reading.errors.empty()) return tl::unexpected(std::move(reading.errors));
  if (reading.files.empty())
    return tl::unexpected(DocumentErrors{Error{ErrorKind::not_found, directory.string(), "found no *.yaml or *.yml file"}});
  return std::move(reading.files);
}

}  // namespace portcullis::config
