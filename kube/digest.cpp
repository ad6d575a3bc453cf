#include "kube/digest.hpp"

#include "kube/object_reader.hpp"

namespace portcullis::kube {
namespace {

// FNV-1a, each text with an end of its own.
std::uint64_t hashed(std::uint64_t hash, std::string_view text) {
  constexpr std::uint64_t prime = 0x100000001b3;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * prime;
  return (hash ^ 0xffU) * prime;  // no byte of UTF-8
}

// FNV leaves neighbours near each other, and sums of neighbours collide: splitmix64's last steps spread them.
std::uint64_t spread(std::uint64_t hash) {
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31U);
}

}  // namespace

Mark mark_of(std::string_view name_space, std::string_view name, std::string_view uid, std::string_view version) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string_view part : {name_space, name, uid, version}) hash = hashed(hash, part);
  hash = spread(hash);
  return hash == 0 ? 1 : hash;
}

Mark mark_of(policy::Value object) {
  const std::string_view name = metadata_text(object, "name"), uid = metadata_text(object, "uid");
  if (name.empty() || uid.empty()) return 0;
  return mark_of(metadata_text(object, "namespace"), name, uid, metadata_text(object, "resourceVersion"));
}

}  // namespace portcullis::kube
