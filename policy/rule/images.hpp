// Every place of a pod template that names an image: init, main and ephemeral containers, and volumes that are images. One
// list of doors, so that no rule about images forgets one (threats A1, A3, A6).
#pragma once

#include <optional>
#include <string_view>

#include "policy/object/image_reference.hpp"
#include "policy/object/pod_template.hpp"
#include "policy/rule/findings.hpp"

namespace portcullis::policy {

struct Image {
  Value holder;                               // the container, or the volume's `image`: of any type
  Value value;                                // the reference in it; may be absent or of a wrong type
  Value scope;                                // the container or the volume
  std::string_view member;                    // how `holder` calls it: "image", "reference"
  const ImageReference* reference = nullptr;  // null where there is none to judge

  [[nodiscard]] std::string_view text() const { return value.text(); }
};

// Says what stands where an image belongs and is none: nothing, another type, text that no registry would take.
void report_no_image(const Image& image, Findings& findings);
// Says that something else stands where the template, its spec, or a list of containers or volumes belongs. True when it does.
bool report_misplaced(const PodTemplate& pod, Findings& findings);

// Calls visit(const Image&) for each image that can be judged; reports all others.
template <class Visit>
void for_each_image(const PodTemplate& pod, Findings& findings, const Visit& visit) {
  if (pod.misplaced) report_misplaced(pod, findings);
  for (const Container& container : pod.containers) {
    const Image image{container.node, container.image, container.node, "image", container.reference ? &*container.reference : nullptr};
    if (image.reference) {
      visit(image);
    } else {
      report_no_image(image, findings);
    }
  }
  if (!pod.volumes.is(ValueKind::array)) return;
  for (const Value volume : pod.volumes) {
    if (!volume.is(ValueKind::object)) {
      report_no_image({volume, {}, volume, "image", nullptr}, findings);
      continue;
    }
    for (const Value source : volume) {
      if (source.key() != "image" || !source.present()) continue;
      Image image{source, source["reference"], volume, "reference", nullptr};
      const std::optional<ImageReference> reference = parse_image(image.text());
      if (reference) {
        image.reference = &*reference;
        visit(image);
      } else {
        report_no_image(image, findings);
      }
    }
  }
}

}  // namespace portcullis::policy
