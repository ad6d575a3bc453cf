#include "policy/rule/images.hpp"

#include <string>

#include "base/text.hpp"

namespace portcullis::policy {
namespace {

// What is no reference may be a URL with a password in it, and findings reach logs and terminals. An `@` stands in a reference
// only before a digest, and a digest that is merely wrong is worth showing.
std::string shown(std::string_view text) {
  const std::size_t at = text.rfind('@');
  const bool may_hold_credentials = at != std::string_view::npos && !text.substr(at + 1).starts_with("sha");
  return may_hold_credentials ? "text of " + std::to_string(text.size()) + " bytes with an `@` before no digest" : quoted(text);
}

}  // namespace

void report_no_image(const Image& image, Findings& findings) {
  if (findings.full()) return findings.add({});
  if (!image.holder.is(ValueKind::object)) {
    findings.add({.what = "wrong type",
                  .where = image.holder.path(),
                  .found = std::string(kind_name(image.holder.kind())),
                  .wanted = "an object",
                  .fix = "write it as an object",
                  .at = image.holder,
                  .scope = image.scope});
    return;
  }
  const std::string where = child_path(image.holder, image.member);
  if (!image.value.present() || (image.value.is(ValueKind::string) && image.text().empty())) {
    findings.add({.what = "no image",
                  .where = where,
                  .found = image.value.present() ? quoted("") : "nothing",
                  .wanted = "an image reference",
                  .fix = "name the image to run",
                  .at = image.value.present() ? image.value : image.holder,
                  .scope = image.scope});
    return;
  }
  findings.add({.what = "unreadable image reference",
                .where = where,
                .found = image.value.is(ValueKind::string) ? shown(image.text()) : std::string(kind_name(image.value.kind())),
                .wanted = "host/path with an optional :tag and @sha256: with 64 lower-case hex digits",
                .fix = "write the path in lower case and the host without a trailing dot, all in ASCII",
                .at = image.value,
                .scope = image.scope});
}

bool report_misplaced(const PodTemplate& pod, Findings& findings) {
  if (!pod.misplaced) return false;
  const bool is_list = pod.misplaced != pod.node && pod.misplaced != pod.spec;
  findings.add({.what = "wrong type",
                .where = pod.misplaced.path(),
                .found = std::string(kind_name(pod.misplaced.kind())),
                .wanted = is_list ? "a list" : "an object",
                .fix = is_list ? "write it as a list" : "write it as an object",
                .at = pod.misplaced,
                .scope = pod.misplaced});
  return true;
}

}  // namespace portcullis::policy
