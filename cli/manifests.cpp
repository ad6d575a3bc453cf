#include "cli/manifests.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "cli/json_nodes.hpp"

namespace portcullis::cli {
namespace {

namespace fs = std::filesystem;
namespace yaml = policy::yaml;

constexpr std::string_view own_group = "portcullis.dev/";
constexpr std::string_view kustomize_group = "kustomize.config.k8s.io/";

std::string text_of(const yaml::Node* node) { return node && node->kind == yaml::Kind::string ? node->text : std::string(); }

// What Helm writes between braces; other templates (Prometheus alerts, Argo) are values like any other.
bool is_helm_expression(std::string_view text) {
  for (auto at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at + 2)) {
    std::string_view inner = text.substr(at + 2);
    if (inner.starts_with('-')) inner.remove_prefix(1);
    inner.remove_prefix(std::min(inner.find_first_not_of(' '), inner.size()));
    for (const std::string_view word : {".Values", ".Release", ".Chart", ".Capabilities", "$.Values", "include ", "template ", "toYaml "})
      if (inner.starts_with(word)) return true;
  }
  return false;
}

const yaml::Node* find_helm_expression(const yaml::Node& node) {
  if (node.kind == yaml::Kind::string && is_helm_expression(node.text)) return &node;
  for (const yaml::Node& item : node.items)
    if (const yaml::Node* found = find_helm_expression(item)) return found;
  for (const yaml::Pair& pair : node.pairs)
    if (const yaml::Node* found = find_helm_expression(pair.value)) return found;
  return nullptr;
}

std::uint32_t line_of(std::string_view text, std::size_t offset) {
  return static_cast<std::uint32_t>(1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

class Collector {
 public:
  Collector(Manifests& into, const ManifestLimits& limits) : into_(into), limits_(limits) {}

  void read_path(const std::string& path, std::istream& in) {
    if (path == "-") {
      read_stream("<stdin>", in);
      return;
    }
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      refuse(path, 0, 0, "no such file or directory");
    } else if (fs::is_directory(status)) {
      read_directory(path);
    } else {
      read_file(path);
    }
  }

 private:
  void read_directory(const fs::path& directory) {
    std::vector<fs::path> files;
    std::set<fs::path> seen;
    list_directory(directory, files, seen);
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) read_file(file);
  }

  void list_directory(const fs::path& directory, std::vector<fs::path>& files, std::set<fs::path>& seen) {
    std::error_code error;
    const fs::path real = fs::canonical(directory, error);
    if (error || !seen.insert(real).second) return;  // a link that leads back up ends here
    fs::directory_iterator each(directory, error);
    if (error) {
      refuse(directory.string(), 0, 0, "cannot be read: " + error.message());
      return;
    }
    for (; each != fs::directory_iterator(); each.increment(error)) {
      const fs::path path = each->path();
      if (path.filename().string().starts_with('.')) continue;
      const fs::file_status status = fs::status(path, error);
      const std::string extension = path.extension().string();
      if (fs::is_directory(status)) {
        list_directory(path, files, seen);
      } else if (extension == ".yaml" || extension == ".yml" || extension == ".json") {
        if (fs::is_regular_file(status))
          files.push_back(path);
        else
          refuse(path.string(), 0, 0, "is not a file that can be read");
      }
    }
  }

  void read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      refuse(path.string(), 0, 0, "cannot be read");
      return;
    }
    read_stream(path.string(), file);
  }

  void read_stream(const std::string& name, std::istream& in) {
    if (++into_.files > limits_.files_max) {
      if (into_.files == limits_.files_max + 1) refuse(name, 0, 0, "more than " + std::to_string(limits_.files_max) + " files");
      return;
    }
    std::string bytes;
    constexpr std::size_t piece_bytes = 64 * 1024;
    std::string piece(piece_bytes, '\0');
    while (in.read(piece.data(), piece_bytes) || in.gcount() > 0) {
      bytes.append(piece, 0, static_cast<std::size_t>(in.gcount()));
      if (bytes.size() <= limits_.document.file_bytes_max) continue;
      refuse(name, 0, 0, "larger than " + std::to_string(limits_.document.file_bytes_max) + " bytes");
      return;
    }
    const Source& source = into_.sources.emplace_back(name, std::move(bytes));
    const bool is_json = looks_like_json(source.bytes());
    auto parsed =
        is_json ? parse_json_stream(name, source.bytes(), limits_.document) : yaml::parse_stream(name, source.bytes(), limits_.document);
    if (!parsed) {
      // Braces of a template are the likelier cause than what the parser stumbled over.
      const auto braces = source.bytes().find("{{");
      if (braces != std::string_view::npos && is_helm_expression(source.bytes())) {
        refuse(name, line_of(source.bytes(), braces), 0, unrendered);
      } else {
        into_.errors.push_back(manifest_error(parsed.error(), name));
      }
      return;
    }
    if (parsed->empty()) {
      refuse(name, 0, 0, "no object in this file: it is empty or all comments");
      return;
    }
    for (const yaml::Document& document : into_.documents.emplace_back(*std::move(parsed))) {
      origin_ = is_json ? std::string_view{} : source.origin_of(document.root.span.line);
      add_root(source, document.root);
    }
  }

  void add_root(const Source& source, const yaml::Node& root) {
    if (root.kind == yaml::Kind::sequence && looks_like_json(source.bytes())) {  // a JSON array of objects
      for (const yaml::Node& item : root.items) add(source, item, {}, {}, 1);
      return;
    }
    add(source, root, {}, {}, 0);
  }

  // `api_version`, `kind`: what a typed list says of its items, "" where they must say it themselves.
  void add(const Source& source, const yaml::Node& node, const std::string& api_version, const std::string& kind, std::size_t depth) {
    if (node.kind != yaml::Kind::mapping) {
      refuse(source, node, "found " + word_of(node.kind) + ", want an object with apiVersion and kind");
      return;
    }
    if (const yaml::Node* sops = node.find("sops"); sops && sops->kind == yaml::Kind::mapping) {
      refuse(source, node, "encrypted by SOPS: decrypt it first (sops --decrypt)");
      return;
    }
    Manifest object;
    object.source = &source;
    object.node = &node;
    object.api_version = text_of(node.find("apiVersion"));
    object.kind = text_of(node.find("kind"));
    if (object.api_version.empty()) object.api_version = api_version;
    if (object.kind.empty()) object.kind = kind;
    if (object.api_version.starts_with(kustomize_group) || is_kustomization(source, object)) {
      ++into_.kustomizations;
      return;
    }
    if (object.api_version.empty() || object.kind.empty()) {
      refuse(source, node,
             std::string("no ") + (object.api_version.empty() ? "apiVersion" : "kind") +
                 near_key(node, object.api_version.empty() ? "apiVersion" : "kind") + ": not a Kubernetes object");
      return;
    }
    if (object.api_version.starts_with(own_group)) {
      ++into_.own_documents;
      return;
    }
    const yaml::Node* items = node.find("items");
    if (object.kind.ends_with("List") && items && items->kind == yaml::Kind::sequence) {
      if (depth >= limits_.lists_deep_max) {
        refuse(source, node, "lists nested deeper than " + std::to_string(limits_.lists_deep_max));
        return;
      }
      const bool typed = object.kind != "List";
      const std::string item_kind = object.kind.substr(0, object.kind.size() - 4);
      for (const yaml::Node& item : items->items)
        add(source, item, typed ? object.api_version : std::string(), typed ? item_kind : std::string(), depth + 1);
      return;
    }
    if (object.kind == "List") {
      refuse(source, node, "a List without items");
      return;
    }
    if (const yaml::Node* expression = find_helm_expression(node)) {
      refuse(source, *expression, unrendered);
      return;
    }
    if (const yaml::Node* metadata = node.find("metadata"); metadata && metadata->kind == yaml::Kind::mapping) {
      object.name = text_of(metadata->find("name"));
      object.generate_name = text_of(metadata->find("generateName"));
      object.name_space = text_of(metadata->find("namespace"));
    }
    object.origin = origin_;
    into_.objects.push_back(std::move(object));
  }

  static bool is_kustomization(const Source& source, const Manifest& object) {
    const std::string file = fs::path(source.name()).filename().string();
    return object.api_version.empty() && (file == "kustomization.yaml" || file == "kustomization.yml");
  }

  static std::string word_of(yaml::Kind kind) {
    switch (kind) {
      case yaml::Kind::null:
        return "nothing";
      case yaml::Kind::boolean:
        return "a boolean";
      case yaml::Kind::integer:
      case yaml::Kind::floating:
        return "a number";
      case yaml::Kind::string:
        return "a text";
      case yaml::Kind::sequence:
        return "a list";
      case yaml::Kind::mapping:
        return "a mapping";
    }
    return "nothing";
  }

  static std::string near_key(const yaml::Node& node, std::string_view wanted) {
    for (const yaml::Pair& pair : node.pairs)
      if (const std::string_view candidates[] = {wanted}; pair.key != wanted && !nearest(pair.key, candidates).empty())
        return " (did you mean it by " + portcullis::quoted(pair.key) + "?)";
    return {};
  }

  void refuse(const Source& source, const yaml::Node& node, std::string message) {
    refuse(source.name(), node.span.line, node.span.column, std::move(message));
  }
  void refuse(std::string file, std::uint32_t line, std::uint32_t column, std::string message) {
    into_.errors.push_back({std::move(file), line, column, std::move(message)});
  }

  static constexpr const char* unrendered = "holds a template expression `{{ ... }}`: render it first (helm template)";
  Manifests& into_;
  const ManifestLimits& limits_;
  std::string_view origin_;  // of the document at hand
};

// Takes ":<number>" off the end of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  text = text.substr(0, colon);
  return number;
}

// Kubernetes' own kinds without a namespace, 1.30; of custom resources only those that many clusters have.
struct ScopedKind {
  std::string_view kind, group;
};
constexpr ScopedKind cluster_scoped[] = {
    {"Namespace", ""},
    {"Node", ""},
    {"PersistentVolume", ""},
    {"ComponentStatus", ""},
    {"MutatingWebhookConfiguration", "admissionregistration.k8s.io"},
    {"ValidatingWebhookConfiguration", "admissionregistration.k8s.io"},
    {"ValidatingAdmissionPolicy", "admissionregistration.k8s.io"},
    {"ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io"},
    {"MutatingAdmissionPolicy", "admissionregistration.k8s.io"},
    {"MutatingAdmissionPolicyBinding", "admissionregistration.k8s.io"},
    {"CustomResourceDefinition", "apiextensions.k8s.io"},
    {"APIService", "apiregistration.k8s.io"},
    {"SelfSubjectReview", "authentication.k8s.io"},
    {"TokenReview", "authentication.k8s.io"},
    {"SelfSubjectAccessReview", "authorization.k8s.io"},
    {"SelfSubjectRulesReview", "authorization.k8s.io"},
    {"SubjectAccessReview", "authorization.k8s.io"},
    {"CertificateSigningRequest", "certificates.k8s.io"},
    {"ClusterTrustBundle", "certificates.k8s.io"},
    {"FlowSchema", "flowcontrol.apiserver.k8s.io"},
    {"PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io"},
    {"IngressClass", "networking.k8s.io"},
    {"IPAddress", "networking.k8s.io"},
    {"ServiceCIDR", "networking.k8s.io"},
    {"RuntimeClass", "node.k8s.io"},
    {"ClusterRole", "rbac.authorization.k8s.io"},
    {"ClusterRoleBinding", "rbac.authorization.k8s.io"},
    {"DeviceClass", "resource.k8s.io"},
    {"ResourceSlice", "resource.k8s.io"},
    {"PriorityClass", "scheduling.k8s.io"},
    {"CSIDriver", "storage.k8s.io"},
    {"CSINode", "storage.k8s.io"},
    {"StorageClass", "storage.k8s.io"},
    {"VolumeAttachment", "storage.k8s.io"},
    {"VolumeAttributesClass", "storage.k8s.io"},
    {"StorageVersionMigration", "storagemigration.k8s.io"},
    {"ClusterIssuer", "cert-manager.io"},
    {"ClusterSecretStore", "external-secrets.io"},
    {"ClusterExternalSecret", "external-secrets.io"},
    {"GatewayClass", "gateway.networking.k8s.io"},
    {"VolumeSnapshotClass", "snapshot.storage.k8s.io"},
    {"VolumeSnapshotContent", "snapshot.storage.k8s.io"},
};

}  // namespace

std::string_view Manifest::group() const {
  const auto slash = api_version.find('/');
  return slash == std::string::npos ? std::string_view{} : std::string_view(api_version).substr(0, slash);
}

std::string_view Manifest::version() const {
  const auto slash = api_version.find('/');
  return slash == std::string::npos ? std::string_view(api_version) : std::string_view(api_version).substr(slash + 1);
}

std::uint32_t Manifest::line() const { return node->span.line; }

Manifests read_manifests(std::span<const std::string> paths, std::istream& in, const ManifestLimits& limits) {
  Manifests manifests;
  Collector collector(manifests, limits);
  for (const std::string& path : paths) collector.read_path(path, in);
  return manifests;
}

ManifestError manifest_error(const Error& error, std::string_view file) {
  ManifestError result{std::string(file), 0, 0, error.what};
  std::string_view place = error.where;
  if (!place.starts_with(file)) {
    if (!error.where.empty()) result.message = error.where + ": " + error.what;
    return result;
  }
  place.remove_prefix(file.size());
  const std::string_view numbers = place.substr(0, place.find(' '));
  const std::string_view field = place.substr(numbers.size());
  std::string_view rest = numbers;
  const auto last = take_number(rest);
  const auto first = take_number(rest);
  if (first) {
    result.line = *first;
    result.column = *last;
  } else if (last) {
    result.line = *last;
  }
  if (!field.empty()) result.message = std::string(field.substr(1)) + ": " + error.what;
  return result;
}

bool is_cluster_scoped(std::string_view kind, std::string_view group) {
  return std::any_of(std::begin(cluster_scoped), std::end(cluster_scoped),
                     [&](const ScopedKind& each) { return each.kind == kind && each.group == group; });
}

std::string resource_of(std::string_view kind) {
  std::string name;
  for (const char c : kind) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (name.ends_with('s') || name.ends_with('x') || name.ends_with("ch")) return name == "endpoints" ? name : name + "es";
  if (name.ends_with('y') && !name.ends_with("ey") && !name.ends_with("ay")) return name.substr(0, name.size() - 1) + "ies";
  return name + "s";
}

}  // namespace portcullis::cli
