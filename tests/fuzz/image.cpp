// Image references: the canonical form reads back as itself, matches the pattern that names it, and a pattern terminates.
#include "policy/object/image_reference.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t middle = input.find('\n');
  const auto image = policy::parse_image(input.substr(0, middle));
  if (!image) return;
  const std::string repository = image->repository();
  std::string canonical = repository;
  if (!image->tag.empty()) canonical.append(":").append(image->tag);
  if (!image->digest.empty()) canonical.append("@").append(image->digest);
  // A host may be one by its capitals alone (`Corp/odoo`), and Docker Hub's name in capitals is no Docker Hub: in lower case
  // these read as something else.
  const std::string host = repository.substr(0, repository.find('/'));
  if (host != image->host && (host.find_first_of(".:") == std::string::npos || host == "docker.io" || host == "index.docker.io")) return;
  const auto again = policy::parse_image(canonical);
  must(again.has_value(), "the canonical form is a reference", canonical);
  must(again->repository() == repository && again->tag == image->tag && again->digest == image->digest, "and reads back as itself",
       canonical);
  must(policy::image_matches(*image, repository), "it matches its own name", canonical);
  must(policy::image_matches(*image, repository.substr(0, repository.find('/')) + "/**"), "and all of its host", canonical);
  if (host != "elsewhere.example") must(!policy::image_matches(*image, "elsewhere.example/**"), "and no other host", canonical);
  if (middle != std::string_view::npos) static_cast<void>(policy::image_matches(*image, input.substr(middle + 1)));
}
