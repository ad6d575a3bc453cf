#include "cli/manifests.hpp"

#include <filesystem>
#include <sstream>
#include <string>

#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis;
using namespace portcullis::cli;
using portcullis::cli::test::TempDir;

namespace {

// "Kind/namespace/name@line ... | error ... | left out", by which a test reads what came of an input.
std::string summary(const Manifests& manifests) {
  std::string out;
  const auto put = [&](const std::string& text) { out += (out.empty() ? "" : " ") + text; };
  for (const Manifest& object : manifests.objects)
    put(object.kind + "." + std::string(object.group()) + "/" + object.name_space + "/" + object.name + "@" +
        std::to_string(object.line()));
  for (const ManifestError& error : manifests.errors) {
    const std::string file = std::filesystem::path(error.file).filename().string();
    put("! " + file + ":" + std::to_string(error.line) + ": " + error.message);
  }
  if (manifests.own_documents > 0) put("documents=" + std::to_string(manifests.own_documents));
  if (manifests.kustomizations > 0) put("kustomizations=" + std::to_string(manifests.kustomizations));
  return out;
}

std::string read_input(std::string_view text, const ManifestLimits& limits = {}) {
  std::istringstream in{std::string(text)};
  return summary(read_manifests(std::vector<std::string>{"-"}, in, limits));
}

}  // namespace

TEST_CASE("manifests: every object is opened, what cannot be read is said", "[cli][manifests]") {
  struct Case {
    const char *name, *text, *result;
  };
  const Case cases[] = {
      {"one object", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\n", "Pod./x/a@1"},
      {"several documents, empty ones between",
       "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: "
       "b}\n...\n",
       "Pod.//a@2 Deployment.apps//b@8"},
      {"three dashes in a block are text", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    y: 1\n",
       "ConfigMap.//a@1"},
      {"a List, a List in it",
       "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- apiVersion: v1\n  kind: List\n  items:\n "
       " - {apiVersion: v1, kind: Pod, metadata: {name: b}}\n",
       "Pod.//a@4 Pod.//b@8"},
      {"a typed list names its items' kind",
       "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n- {apiVersion: apps/v1, kind: Deployment, metadata: "
       "{name: b}}\n",
       "Deployment.apps//a@4 Deployment.apps//b@5"},
      {"a kind that ends in List without items is an object", "apiVersion: traefik.io/v1alpha1\nkind: IPAllowList\nmetadata: {name: a}\n",
       "IPAllowList.traefik.io//a@1"},
      {"an empty List holds nothing", "apiVersion: v1\nkind: List\nitems: []\n", ""},
      {"JSON", R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}})", "Pod.//a@1"},
      {"a stream of JSON",
       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}\n{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{"
       "\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\"}}]}",
       "Pod.//a@1 Pod.//b@2"},
      {"a list of JSON objects", R"([{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}])", "Pod.//a@1"},
      {"generateName", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n", "Pod.//@1"},
      {"our own documents are left out, counted", "apiVersion: portcullis.dev/v1\nkind: Platform\n---\napiVersion: v1\nkind: Pod\n",
       "Pod.//@4 documents=1"},
      {"a kustomization is left out, counted", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "kustomizations=1"},
      {"nothing", "", "! <stdin>:0: no object in this file: it is empty or all comments"},
      {"all comments", "# nothing here\n", "! <stdin>:0: no object in this file: it is empty or all comments"},
      {"no kind", "apiVersion: v1\nmetadata: {name: a}\n", "! <stdin>:1: no kind: not a Kubernetes object"},
      {"a near miss of apiVersion", "\napiversion: v1\nkind: Pod\n",
       "! <stdin>:2: no apiVersion (did you mean it by `apiversion`?): not a Kubernetes object"},
      {"a text", "hello\n", "! <stdin>:1: found a text, want an object with apiVersion and kind"},
      {"a list of YAML", "- a\n", "! <stdin>:1: found a list, want an object with apiVersion and kind"},
      {"null in a List", "apiVersion: v1\nkind: List\nitems: [~]\n", "! <stdin>:3: found nothing, want an object with apiVersion and kind"},
      {"a List without items", "apiVersion: v1\nkind: List\n", "! <stdin>:1: a List without items"},
      {"SOPS", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: 'ENC[AES256_GCM,data:x]'}\nsops: {version: 3.8.1}\n",
       "! <stdin>:1: encrypted by SOPS: decrypt it first (sops --decrypt)"},
      {"Helm that does not parse", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}-x\n",
       "! <stdin>:4: holds a template expression `{{ ... }}`: render it first (helm template)"},
      {"Helm that does parse", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: \"{{ .Release.Name }}\"\n",
       "! <stdin>:4: holds a template expression `{{ ... }}`: render it first (helm template)"},
      {"another's template is a value",
       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {alert: '{{ $labels.pod }} is down'}\n", "ConfigMap.//a@1"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(read_input(c.text) == c.result); }
  }
}

TEST_CASE("manifests: broken YAML has its place", "[cli][manifests]") {
  CHECK(read_input("apiVersion: v1\nkind: Pod\nkind: Job\n").starts_with("! <stdin>:3: "));
  CHECK(read_input("apiVersion: v1\nkind: [Pod\n").starts_with("! <stdin>:"));
  CHECK(read_input("apiVersion: v1\nkind: \"\xFF\"\n").starts_with("! <stdin>:"));
}

TEST_CASE("manifests: an alias bomb and a deep file end at a bound", "[cli][manifests]") {
  std::string bomb = "apiVersion: v1\nkind: ConfigMap\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 12; ++level) {
    const std::string before = "*a" + std::to_string(level - 1);
    bomb += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [" + before;
    for (int times = 1; times < 10; ++times) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK(read_input(bomb).starts_with("! <stdin>:"));
  CHECK(read_input("apiVersion: v1\nkind: X\nspec: " + std::string(100'000, '[') + "\n").starts_with("! <stdin>:"));
  std::string lists;
  for (int level = 0; level < 12; ++level) lists += "{apiVersion: v1, kind: List, items: [";
  for (int level = 0; level < 12; ++level) lists += "]}";
  CHECK(read_input(lists) == "! <stdin>:1: lists nested deeper than 8");
  ManifestLimits small;
  small.document.file_bytes_max = 10;
  CHECK(read_input("apiVersion: v1\n", small) == "! <stdin>:0: larger than 10 bytes");
}

TEST_CASE("manifests: directories are read whole, by name", "[cli][manifests]") {
  const TempDir dir;
  const std::string pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: ";
  (void)dir.write("b.yaml", pod + "b}\n");
  (void)dir.write("a/deep/a.yml", pod + "a}\n");
  (void)dir.write("c.json", R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}})");
  (void)dir.write("notes.txt", "not: read");
  (void)dir.write(".hidden.yaml", "not: read");
  (void)dir.write("..2026/x.yaml", "not: read");
  (void)dir.write("kustomization.yaml", "resources: [b.yaml]\n");
  (void)dir.write("empty.yaml", "");
  std::filesystem::create_directory_symlink(dir.path(), dir.path() / "a" / "up");
  std::filesystem::create_symlink(dir.path() / "b.yaml", dir.path() / "d.yaml");
  std::istringstream in;
  const Manifests manifests = read_manifests(std::vector<std::string>{dir.path().string()}, in);
  CHECK(summary(manifests) ==
        "Pod.//a@1 Pod.//b@1 Pod.//c@1 Pod.//b@1 ! empty.yaml:0: no object in this file: it is empty or all comments kustomizations=1");
  CHECK(manifests.files == 6);

  const Manifests missing = read_manifests(std::vector<std::string>{(dir.path() / "nowhere").string()}, in);
  CHECK(summary(missing) == "! nowhere:0: no such file or directory");
}

TEST_CASE("manifests: a rendered stream names its templates", "[cli][manifests]") {
  std::istringstream in(
      "---\n# Source: shop/templates/a.yaml\napiVersion: v1\nkind: Pod\n---\n# a remark\napiVersion: v1\nkind: Pod\n---\n"
      "# Source: shop/templates/b.yaml\n# more\napiVersion: v1\nkind: Pod\n");
  const Manifests manifests = read_manifests(std::vector<std::string>{"-"}, in);
  REQUIRE(manifests.objects.size() == 3);
  CHECK(manifests.objects[0].origin == "shop/templates/a.yaml");
  CHECK(manifests.objects[1].origin.empty());
  CHECK(manifests.objects[2].origin == "shop/templates/b.yaml");
}

TEST_CASE("kinds without a namespace, and resources", "[cli][manifests]") {
  CHECK(is_cluster_scoped("Namespace", ""));
  CHECK(is_cluster_scoped("ClusterRole", "rbac.authorization.k8s.io"));
  CHECK_FALSE(is_cluster_scoped("Role", "rbac.authorization.k8s.io"));
  CHECK_FALSE(is_cluster_scoped("Namespace", "example.org"));
  CHECK(resource_of("Deployment") == "deployments");
  CHECK(resource_of("Ingress") == "ingresses");
  CHECK(resource_of("NetworkPolicy") == "networkpolicies");
  CHECK(resource_of("Gateway") == "gateways");
  CHECK(resource_of("Endpoints") == "endpoints");
}
