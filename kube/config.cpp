#include "kube/config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "kube/credentials.hpp"
#include "net/base64.hpp"

namespace portcullis::kube {
namespace {

using Json = nlohmann::json;

Result<std::uint16_t> port_of(std::string_view text, std::string_view where) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return fail(ErrorKind::invalid, where, "found the port " + quoted(text) + ", want 1 to 65535");
  }
  return port;
}

// "https://10.0.0.1:6443/base", "https://[::1]".
Result<void> take_server(std::string_view url, std::string_view where, Config& config) {
  const auto refuse = [&](std::string_view want) {
    return fail(ErrorKind::invalid, std::string(where) + " server", "found " + quoted(url) + ", want " + std::string(want));
  };
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    config.plain = true;
  } else {
    return refuse("a URL such as https://10.0.0.1:6443");
  }
  std::string_view authority = rest.substr(0, rest.find('/'));
  std::string_view path = rest.substr(authority.size());
  while (path.ends_with('/')) path.remove_suffix(1);
  if (url.find_first_of("@?# ") != std::string_view::npos) return refuse("a URL without a user, a query or a fragment");
  config.base_path = path;
  config.port = config.plain ? 80 : 443;
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return refuse("an IPv6 address in brackets");
    config.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    config.host = authority.substr(0, authority.find(':'));
    port = authority.substr(config.host.size());
  }
  if (config.host.empty()) return refuse("a host");
  if (port.empty()) return {};
  if (!port.starts_with(':')) return refuse("host:port");
  auto number = port_of(port.substr(1), std::string(where) + " server");
  if (!number) return tl::unexpected(number.error());
  config.port = *number;
  return {};
}

// One named thing of a kubeconfig (a cluster, a user, a context) and the file it stands in.
class Entry {
 public:
  Entry(const Json& value, const KubeconfigFile& file, std::string where) : value_(&value), file_(&file), where_(std::move(where)) {}

  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] bool has(const char* field) const {
    const auto found = value_->find(field);
    if (found == value_->end() || found->is_null()) return false;
    return !((found->is_string() && found->get_ref<const std::string&>().empty()) || (found->is_boolean() && !found->get<bool>()) ||
             ((found->is_array() || found->is_object()) && found->empty()));
  }
  Result<std::string> text(const char* field) const {
    const auto found = value_->find(field);
    if (found == value_->end() || found->is_null()) return std::string();
    if (!found->is_string()) return fail(ErrorKind::invalid, where_ + " " + field, "want a string");
    return found->get<std::string>();
  }
  // `field` names a file, `field`-data holds its bytes in base64, which win (client-go's rest.TLSConfigFor).
  Result<Material> material(const char* field) const {
    Material material;
    const std::string data_field = std::string(field) + "-data";
    auto file = text(field), data = text(data_field.c_str());
    if (!file) return tl::unexpected(file.error());
    if (!data) return tl::unexpected(data.error());
    if (!data->empty()) {
      auto bytes = net::from_base64(*data);
      if (!bytes) return fail(ErrorKind::invalid, where_ + " " + data_field, "want base64");
      material.bytes = *std::move(bytes);
    } else if (!file->empty()) {
      material.file = beside(*file);
    }
    return material;
  }
  // Relative paths are relative to the kubeconfig's folder.
  [[nodiscard]] std::filesystem::path beside(const std::string& path) const { return file_->path.parent_path() / path; }

 private:
  const Json* value_;
  const KubeconfigFile* file_;
  std::string where_;
};

class Kubeconfig {
 public:
  static Result<Kubeconfig> parse(const std::vector<KubeconfigFile>& files) {
    Kubeconfig config(files);
    for (const KubeconfigFile& file : files) {
      Json parsed = Json::parse(file.json, nullptr, false);
      if (parsed.is_null()) parsed = Json::object();  // an empty file is a kubeconfig without anything
      if (!parsed.is_object()) return fail(ErrorKind::invalid, file.path.string(), "want a kubeconfig");
      config.parsed_.push_back(std::move(parsed));
    }
    return config;
  }

  Result<std::string> current_context() const {
    for (std::size_t i = 0; i < parsed_.size(); ++i) {
      auto name = Entry(parsed_[i], (*files_)[i], (*files_)[i].path.string()).text("current-context");
      if (!name || !name->empty()) return name;
    }
    return fail(ErrorKind::not_found, "kubeconfig", "no current-context, and no context was named");
  }

  // The first entry of that name in `list`; what it says stands in its member `kind`.
  Result<Entry> find(const char* list, const char* kind, std::string_view name) const {
    for (std::size_t i = 0; i < parsed_.size(); ++i) {
      const auto entries = parsed_[i].find(list);
      if (entries == parsed_[i].end() || !entries->is_array()) continue;
      for (const Json& entry : *entries) {
        if (!entry.is_object() || entry.value("name", Json()) != name) continue;
        const auto value = entry.find(kind);
        const std::string where = (*files_)[i].path.string() + " " + kind + " " + quoted(name);
        if (value == entry.end() || !value->is_object()) return fail(ErrorKind::invalid, where, "has no fields");
        return Entry(*value, (*files_)[i], where);
      }
    }
    return fail(ErrorKind::not_found, "kubeconfig", std::string("found no ") + kind + " " + quoted(name));
  }

 private:
  explicit Kubeconfig(const std::vector<KubeconfigFile>& files) : files_(&files) {}
  const std::vector<KubeconfigFile>* files_;
  std::vector<Json> parsed_;
};

struct Refused {
  const char* field;
  const char* want;
};

Result<void> refuse_fields(const Entry& entry, const auto& fields) {
  for (const Refused& refused : fields) {
    if (entry.has(refused.field)) {
      return fail(ErrorKind::invalid, entry.where() + " " + refused.field, std::string("is not supported: ") + refused.want);
    }
  }
  return {};
}

Result<void> take_cluster(const Entry& cluster, Config& config) {
  static constexpr std::array refused{
      Refused{"insecure-skip-tls-verify", "want certificate-authority or certificate-authority-data, so that the server is known"},
      Refused{"proxy-url", "want a server that is reached directly"},
  };
  if (auto good = refuse_fields(cluster, refused); !good) return good;
  const auto server = cluster.text("server");
  if (!server) return tl::unexpected(server.error());
  if (auto taken = take_server(*server, cluster.where(), config); !taken) return taken;
  auto roots = cluster.material("certificate-authority");
  if (!roots) return tl::unexpected(roots.error());
  auto name = cluster.text("tls-server-name");
  if (!name) return tl::unexpected(name.error());
  config.roots = *std::move(roots);
  config.server_name = *std::move(name);
  return {};
}

Result<void> take_user(const Entry& user, Config& config) {
  static constexpr std::array refused{
      Refused{"exec", "want token, tokenFile or client-certificate; no program is run for credentials"},
      Refused{"auth-provider", "want token, tokenFile or client-certificate"},
      Refused{"username", "want token, tokenFile or client-certificate"},
      Refused{"as", "want credentials of one's own"},
      Refused{"as-uid", "want credentials of one's own"},
      Refused{"as-groups", "want credentials of one's own"},
  };
  if (auto good = refuse_fields(user, refused); !good) return good;
  auto certificate = user.material("client-certificate"), key = user.material("client-key");
  if (!certificate) return tl::unexpected(certificate.error());
  if (!key) return tl::unexpected(key.error());
  if (certificate->is_given() != key->is_given()) {
    return fail(ErrorKind::invalid, user.where(), "want client-certificate and client-key, found one of the two");
  }
  auto token = user.text("token"), file = user.text("tokenFile");
  if (!token) return tl::unexpected(token.error());
  if (!file) return tl::unexpected(file.error());
  config.certificate = *std::move(certificate);
  config.key = *std::move(key);
  if (!file->empty()) {
    config.token.file = user.beside(*file);
  } else {
    config.token.bytes = *std::move(token);
  }
  return {};
}

}  // namespace

Result<Config> in_cluster_config(std::string_view host, std::string_view port, const std::filesystem::path& directory) {
  Config config;
  config.source = "the ServiceAccount of this pod";
  config.host = host;
  if (host.empty()) return fail(ErrorKind::not_found, "KUBERNETES_SERVICE_HOST", "is not set: this is no pod of a cluster");
  if (auto number = port_of(port, "KUBERNETES_SERVICE_PORT"); !number) {
    return tl::unexpected(number.error());
  } else {
    config.port = *number;
  }
  config.token.file = directory / "token";
  config.roots.file = directory / "ca.crt";
  auto name_space = read_credential(directory / "namespace");
  if (!name_space) return tl::unexpected(name_space.error());
  config.name_space = *std::move(name_space);
  return config;
}

Result<Config> read_kubeconfig(const std::vector<KubeconfigFile>& files, std::string_view context) {
  if (files.empty()) return fail(ErrorKind::not_found, "kubeconfig", "no file");
  const auto parsed = Kubeconfig::parse(files);
  if (!parsed) return tl::unexpected(parsed.error());
  std::string name(context);
  if (name.empty()) {
    auto current = parsed->current_context();
    if (!current) return tl::unexpected(current.error());
    name = *std::move(current);
  }
  const auto chosen = parsed->find("contexts", "context", name);
  if (!chosen) return tl::unexpected(chosen.error());
  auto cluster_name = chosen->text("cluster"), user_name = chosen->text("user"), name_space = chosen->text("namespace");
  for (const auto* text : {&cluster_name, &user_name, &name_space}) {
    if (!*text) return tl::unexpected(text->error());
  }
  Config config;
  config.source = chosen->where();
  config.name_space = *std::move(name_space);
  const auto cluster = parsed->find("clusters", "cluster", *cluster_name);
  if (!cluster) return tl::unexpected(cluster.error());
  if (auto taken = take_cluster(*cluster, config); !taken) return tl::unexpected(taken.error());
  if (user_name->empty()) return config;
  const auto user = parsed->find("users", "user", *user_name);
  if (!user) return tl::unexpected(user.error());
  if (auto taken = take_user(*user, config); !taken) return tl::unexpected(taken.error());
  return config;
}

}  // namespace portcullis::kube
