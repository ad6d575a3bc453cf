// Container image references by the distribution grammar (distribution/reference reference.go, normalize.go), in canonical
// form: `odoo` is docker.io/library/odoo, `index.docker.io/x/y` is docker.io/x/y, the host is lower case.
// Rules match the canonical form, never the text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace portcullis::policy {

// Views into the text it was parsed from, or into static storage.
struct ImageReference {
  std::string_view host;         // "docker.io", "registry.hoster.example:5000"; compare with host_equal
  std::string_view path_prefix;  // "library/" for one-component names on docker.io, else ""
  std::string_view path;         // "odoo/server"; the repository is host + "/" + path_prefix + path
  std::string_view tag;          // without ':', "" when absent
  std::string_view digest;       // "sha256:<64 lower-case hex>", "" when absent
  // The canonical repository as people read it: host in lower case + "/" + path_prefix + path. Allocates.
  [[nodiscard]] std::string repository() const;
};

// Hosts are names: compared without case.
bool host_equal(std::string_view a, std::string_view b);

// None for what the grammar does not take: upper-case paths, a host with a trailing dot, non-ASCII, a digest that is not
// sha256 with 64 lower-case hex digits, 64 hex digits alone as a name, over 4,096 bytes.
std::optional<ImageReference> parse_image(std::string_view text);

// Does the canonical repository match the pattern? `*` within a path part, `**` across parts; the host is compared whole,
// without case. A pattern without `*` names one repository.
bool image_matches(const ImageReference& image, std::string_view pattern);

}  // namespace portcullis::policy
