// A directory that is gone with its test, and documents to put there.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/catch.hpp"

namespace portcullis::config::testing {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "portcullis-config-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }

 private:
  std::filesystem::path path_;
};

inline std::string platform(const std::string& name) {
  return "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: " + name + "}\nspec: {environments: [production]}\n";
}

inline std::string tenant(const std::string& name) {
  return "apiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: " + name +
         "}\nspec: {tier: 1, timeZone: UTC, namespaces: [{name: " + name + "-prod, environment: production, tenancy: dedicated}]}\n";
}

}  // namespace portcullis::config::testing
