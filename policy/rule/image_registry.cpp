// image-registry: every image comes from a repository that the hoster has listed.
//
// Params:  allow  repositories, `*` within a path part, `**` across; {tenant}, {environment}, {namespace} are filled
// Judges:  CREATE and UPDATE of every workload, and pods/ephemeralcontainers
// Reads:   image of init, main and ephemeral containers, volumes[].image.reference; in canonical form, so that `odoo` is
//          docker.io/library/odoo and a registry's name in other letters is the same registry
// Not its: tags and digests (image-digest), volume sources that are no images (secret-reference)
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "policy/rule/images.hpp"
#include "policy/rule/pattern.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr Range allow_range{1, 1000};

class ImageRegistry final : public Rule {
 public:
  explicit ImageRegistry(std::vector<ImagePattern> allowed) : allowed_(std::move(allowed)) {
    for (const ImagePattern& pattern : allowed_) wanted_ += (wanted_.empty() ? "an image from " : " or ") + quoted(pattern.text());
    wanted_ = printable(wanted_, wanted_bytes_max);
  }

  void evaluate(const Subject& subject, const Facts& facts, Findings& findings) const override {
    for (const PodTemplate& pod : subject.judged().templates) {
      for_each_image(pod, findings, [&](const Image& image) {
        if (is_allowed(*image.reference, facts, subject.name_space)) return;
        if (findings.full()) return findings.add({});
        const std::string repository = image.reference->repository();
        const bool is_canonical = image.text().starts_with(repository);
        findings.add({.what = "registry not allowed",
                      .where = image.value.path(),
                      .found = is_canonical ? quoted(image.text()) : quoted(image.text()) + " (" + printable(repository) + ")",
                      .wanted = wanted_,
                      .fix = "push the image to an allowed repository and name it from there",
                      .at = image.value,
                      .scope = image.scope});
      });
    }
  }

 private:
  static constexpr std::size_t wanted_bytes_max = 400;  // a message is read by people: some ten repositories

  bool is_allowed(const ImageReference& image, const Facts& facts, std::string_view name_space) const {
    return std::any_of(allowed_.begin(), allowed_.end(),
                       [&](const ImagePattern& pattern) { return pattern.matches(image, facts, name_space); });
  }

  std::vector<ImagePattern> allowed_;
  std::string wanted_;
};

Result<RulePtr> compile_image_registry(const Params& params) {
  std::vector<ImagePattern> allowed;
  for (const std::string& text : params.strings("allow", {})) {
    Result<ImagePattern> pattern = ImagePattern::parse(text);
    if (!pattern) return tl::unexpected(params.error("allow", pattern.error().what));
    allowed.push_back(*std::move(pattern));
  }
  return RulePtr(std::make_unique<const ImageRegistry>(std::move(allowed)));
}

}  // namespace

extern const RuleInfo image_registry;  // a const alone would stay in this file
const RuleInfo image_registry{
    .id = "image-registry",
    .summary = "Every image comes from a repository that the hoster has listed",
    .why =
        "An image from anywhere else was built, scanned and kept by nobody we know: it can be a typo of a known name, change "
        "overnight or vanish on the day a node has to be replaced.",
    .kinds = {},
    .subresources = {"ephemeralcontainers"},
    .params = {{.name = "allow",
                .type = ParamType::strings,
                .meaning = "repositories with their host; `*` stands for anything within a part of the path, `**` across parts; "
                           "`{tenant}`, `{environment}` and `{namespace}` are filled in",
                .required = true,
                .range = allow_range}},
    .example = {.with = R"({allow: ["registry.hoster.example/odoo/**"]})",
                .allowed = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: registry.hoster.example/odoo/server:17.0
)",
                .denied = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: odoo:17.0
)"},
    .since = "0.1.0",
    .compile = compile_image_registry,
};

}  // namespace portcullis::policy::rule
