// image-digest: what runs is what was tested, byte for byte.
//
// Params:  require     digest (default) or tag
//          forbidTags  tags that move, `*` allowed; default [latest]; where a tag is what decides
// Judges:  CREATE and UPDATE of every workload, and pods/ephemeralcontainers
// Reads:   image of init, main and ephemeral containers, volumes[].image.reference. A digest decides what is pulled whatever
//          the tag beside it says, so a tag beside a digest is not judged (threats A103). No tag means `latest`.
// Not its: where the image comes from (image-registry)
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "policy/object/glob.hpp"
#include "policy/rule/images.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr Range forbid_range{0, 100};
constexpr std::string_view implied_tag = "latest";

enum class Require { digest, tag };

class ImageDigest final : public Rule {
 public:
  ImageDigest(Require require, std::vector<std::string> forbidden) : require_(require), forbidden_(std::move(forbidden)) {}

  void evaluate(const Subject& subject, const Facts&, Findings& findings) const override {
    for (const PodTemplate& pod : subject.judged().templates) {
      for_each_image(pod, findings, [&](const Image& image) {
        if (!image.reference->digest.empty()) return;
        if (require_ == Require::tag && !is_forbidden(image.reference->tag)) return;
        report(image, findings);
      });
    }
  }

 private:
  [[nodiscard]] bool is_forbidden(std::string_view tag) const {
    if (tag.empty()) return true;  // a name alone follows whatever `latest` is, forbidden or not: it is no tag
    return std::any_of(forbidden_.begin(), forbidden_.end(), [&](const std::string& pattern) { return glob_matches(pattern, tag); });
  }

  void report(const Image& image, Findings& findings) const {
    if (findings.full()) return findings.add({});
    const std::string_view tag = image.reference->tag;
    Finding finding;
    finding.where = image.value.path();
    finding.found = quoted(image.text());
    finding.at = image.value;
    finding.scope = image.scope;
    if (require_ == Require::digest) {
      finding.what = "image without digest";
      finding.wanted = "a digest, @sha256: and 64 hex digits";
      finding.fix = "pin what you tested: append the digest that the registry shows for it";
    } else {
      finding.what = tag.empty() ? "image without tag" : "mutable tag";
      finding.wanted = tag.empty() ? "a tag other than " + quoted(implied_tag) + ", or a digest" : "a tag that does not move, or a digest";
      finding.fix = "name the release you tested";
    }
    findings.add(std::move(finding));
  }

  Require require_;
  std::vector<std::string> forbidden_;
};

Result<RulePtr> compile_image_digest(const Params& params) {
  const Require require = params.string("require", "digest") == "tag" ? Require::tag : Require::digest;
  if (require == Require::digest && params.has("forbidTags"))
    return tl::unexpected(params.error("forbidTags",
                                       "found tags beside `require: digest`, want them with `require: tag` only: a digest "
                                       "decides what runs, whatever the tag"));
  std::vector<std::string> forbidden = params.strings("forbidTags", {std::string(implied_tag)});
  return RulePtr(std::make_unique<const ImageDigest>(require, std::move(forbidden)));
}

}  // namespace

extern const RuleInfo image_digest;  // a const alone would stay in this file
const RuleInfo image_digest{
    .id = "image-digest",
    .summary = "Every image is pinned, so that what runs is what was tested",
    .why =
        "A tag is a name that anybody with push rights can move. Without a digest a restarted pod may run another build than its "
        "neighbour, and a rollback may not bring back what ran before.",
    .kinds = {},
    .subresources = {"ephemeralcontainers"},
    .params = {{.name = "require",
                .type = ParamType::string,
                .meaning = "`digest`, or `tag` where a tag that does not move is enough",
                .words = {"digest", "tag"},
                .fallback = "digest"},
               {.name = "forbidTags",
                .type = ParamType::strings,
                .meaning = "with `require: tag`: tags that move; `*` stands for anything",
                .range = forbid_range,
                .fallback = "[latest]"}},
    .example = {.with = "{require: digest}",
                .allowed = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: registry.hoster.example/odoo/server:17.0@sha256:1f9a3c5b7d2e4f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd
)",
                .denied = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: registry.hoster.example/odoo/server:17.0
)"},
    .since = "0.1.0",
    .compile = compile_image_digest,
};

}  // namespace portcullis::policy::rule
