#include "cli/bounded_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace portcullis::cli {

Result<std::string> read_bounded(const std::filesystem::path& file, std::size_t bytes_max) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored))
    return fail(ErrorKind::unavailable, file.string(),
                "cannot be read" + (errno != 0 ? std::string(": ") + std::strerror(errno) : std::string()));
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(ErrorKind::unavailable, file.string(), "cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > bytes_max) return fail(ErrorKind::limit_exceeded, file.string(), "larger than " + std::to_string(bytes_max) + " bytes");
  return text;
}

}  // namespace portcullis::cli
