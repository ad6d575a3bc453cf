#include "cli/locate.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis::cli;
namespace yaml = portcullis::policy::yaml;

namespace {

std::string place(std::string_view text, std::string_view path) {
  const auto documents = yaml::parse_stream("f.yaml", text);
  if (!documents) return documents.error().message();
  const Location found = locate(documents->front().root, path);
  return std::to_string(found.span.line) + ":" + std::to_string(found.span.column) + "-" + std::to_string(found.span.end_column) +
         (found.missing ? " missing" : "");
}

constexpr std::string_view object = R"(kind: Deployment
metadata:
  annotations: {"a.b/c": x, plain: y}
spec:
  template:
    spec:
      containers:
        - name: odoo
          image: "odoo:17"
          resources:
        - {name: nginx, image: nginx}
)";

}  // namespace

TEST_CASE("a path in the object is a place in the file", "[cli][locate]") {
  struct Case {
    const char *path, *place;
  };
  const Case cases[] = {
      {"spec.template.spec.containers[0].image", "9:18-27"},
      {"spec.template.spec.containers[1].image", "11:32-37"},
      {"metadata.annotations[\"a.b/c\"]", "3:26-27"},
      {"metadata.annotations.plain", "3:36-37"},
      {"spec.template.spec", "6:5-9"},
      {"spec.template.spec.containers[1]", "11:11-38"},
      {"spec.template.spec.affinity", "6:5-9 missing"},
      {"spec.template.spec.containers[0].resources.limits.memory", "10:11-20 missing"},
      {"spec.template.spec.containers[7].image", "7:7-17 missing"},
      {"status.phase", "1:7-17 missing"},
      {"", "1:7-17"},
      {"HorizontalPodAutoscaler/web spec.minReplicas", "1:7-17 missing"},
      {"spec[", "4:1-5 missing"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.path) { CHECK(place(object, c.path) == c.place); }
  }
}

TEST_CASE("an alias stands where it is written", "[cli][locate]") { CHECK(place("kind: A\nx: &image odoo\nz: *image\n", "z") == "3:4-10"); }

TEST_CASE("CRLF, tabs and other scripts do not shift a place", "[cli][locate]") {
  CHECK(place("kind: A\r\nspec:\r\n  k: 1\r\n", "spec.k") == "3:6-7");
  CHECK(place("\xEF\xBB\xBFkind: A\nk: 1\n", "k") == "2:4-5");
  CHECK(place("kind: A\n\"\xC3\xA9\": {\xF0\x9F\x98\x80: 1, k: 22}\n", "[\"\xC3\xA9\"].k") == "2:16-18");
  CHECK(place("kind: A\nk:\t5\n", "k") == "2:4-5");
}
