// portcullis render: what the documents mean as Kubernetes objects, on standard output for kubectl or a repository. It reads
// files only and asks no cluster; the same documents give the same bytes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/render_crds.hpp"
#include "cli/render_middleware.hpp"
#include "cli/render_quotas.hpp"
#include "cli/render_rbac.hpp"
#include "cli/render_webhooks.hpp"
#include "cli/yaml_writer.hpp"
#include "config/store.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::cli {
namespace {

struct Options {
  std::string directory, tenant;
  WebhookOptions webhook;
  MiddlewareOptions middleware;
  std::string format = "kubernetes";
};

void add_config(CLI::App& app, Options& options) {
  with_environment(app.add_option("--config", options.directory, "directory of documents"))->required()->type_name("DIR");
}

std::string want_label(const std::string& value) {
  return policy::is_dns_label(value) ? std::string()
                                     : "found `" + value + "`, want a DNS label: lower-case letters, digits and `-`, at most 63";
}

void add_namespace(CLI::App& app, Options& options) {
  with_environment(app.add_option("--namespace", options.webhook.name_space, "where Portcullis runs"))
      ->capture_default_str()
      ->check(want_label)
      ->type_name("NAME");
}

ExitCode refuse_documents(const Options& options, const policy::DocumentErrors& errors, Streams& streams) {
  print_errors(document_errors(options.directory, errors), streams.err);
  return ExitCode::not_judged;
}

// What `render` makes of the documents, on standard output; errors in them are said as `config validate` says them.
template <class Render>
ExitCode print(const Options& options, Streams& streams, const Render& render) {
  const auto store = config::Store::open(options.directory, false);
  if (!store) return refuse_documents(options, store.error(), streams);
  streams.out << render(*(*store)->current());
  return ExitCode::fine;
}

std::function<ExitCode(Streams&)> declare_crds(CLI::App& app) {
  auto directory = std::make_shared<std::string>();  // taken as by the others; the schemas do not depend on documents
  with_environment(app.add_option("--config", *directory, "directory of documents; not needed here"))->type_name("DIR");
  return [directory](Streams& streams) {
    bool first = true;
    for (const CrdFile& file : crd_files()) {
      streams.out << (first ? "" : "---\n") << file.text;
      first = false;
    }
    return ExitCode::fine;
  };
}

std::function<ExitCode(Streams&)> declare_webhook_config(CLI::App& app) {
  auto options = std::make_shared<Options>();
  add_config(app, *options);
  add_namespace(app, *options);
  with_environment(app.add_option("--service", options->webhook.service, "name of the webhook's Service"))
      ->capture_default_str()
      ->check(want_label)
      ->type_name("NAME");
  return [options](Streams& streams) {
    return print(*options, streams, [&](const policy::PolicySnapshot& snapshot) {
      for (const std::string& sentence : kinds_not_sent(snapshot.documents())) streams.err << "note: " << sentence << '\n';
      return webhook_configurations(snapshot.documents(), options->webhook);
    });
  };
}

std::function<ExitCode(Streams&)> declare_rbac(CLI::App& app) {
  auto options = std::make_shared<Options>();
  add_config(app, *options);
  add_namespace(app, *options);
  return [options](Streams& streams) {
    return print(*options, streams, [&](const policy::PolicySnapshot& snapshot) { return rights(snapshot, options->webhook.name_space); });
  };
}

// True when the documents have this tenant, or it is ""; says what is wrong where they have not.
bool knows_tenant(const policy::DocumentSet& documents, const std::string& tenant, Streams& streams) {
  std::vector<std::string_view> names;
  names.reserve(documents.tenants.size());
  for (const policy::Tenant& each : documents.tenants) names.push_back(each.name);
  if (tenant.empty() || std::find(names.begin(), names.end(), tenant) != names.end()) return true;
  streams.err << "error: unknown tenant " << portcullis::quoted(tenant) << did_you_mean(tenant, names) << '\n';
  return false;
}

std::function<ExitCode(Streams&)> declare_middleware(CLI::App& app) {
  auto options = std::make_shared<Options>();
  MiddlewareOptions& middleware = options->middleware;
  add_config(app, *options);
  with_environment(app.add_option("--format", options->format, "kubernetes: Middleware objects; file: for Traefik's file provider"))
      ->capture_default_str()
      ->check(one_of({"kubernetes", "file"}))
      ->type_name("WORD");
  with_environment(app.add_option("--guard-url", middleware.guard_url, "where Traefik reaches the guard"))
      ->capture_default_str()
      ->check(want_guard_url)
      ->type_name("URL");
  with_environment(
      app.add_option("--guard-ca", middleware.guard_ca, "whom to trust for an https guard: a Secret, or with --format file a file"))
      ->type_name("NAME");
  CLI::Option* const tenant = with_environment(app.add_option("--tenant", middleware.tenant, "only of this tenant"))->type_name("NAME");
  with_environment(app.add_option("--into", middleware.name_space, "into this namespace, not into each that the documents name"))
      ->check(want_label)
      ->needs(tenant)
      ->type_name("NAMESPACE");
  return [options](Streams& streams) {
    MiddlewareOptions& wanted = options->middleware;
    wanted.format = options->format == "file" ? MiddlewareFormat::file : MiddlewareFormat::kubernetes;
    const auto store = config::Store::open(options->directory, false);
    if (!store) return refuse_documents(*options, store.error(), streams);
    const policy::DocumentSet& documents = (*store)->current()->documents();
    if (!knows_tenant(documents, wanted.tenant, streams)) return ExitCode::not_judged;
    for (const std::string& sentence : middlewares_left_out(documents, wanted)) streams.err << "note: " << sentence << '\n';
    streams.out << guard_middlewares(documents, wanted);
    return ExitCode::fine;
  };
}

std::function<ExitCode(Streams&)> declare_tenant_quotas(CLI::App& app) {
  auto options = std::make_shared<Options>();
  add_config(app, *options);
  with_environment(app.add_option("--tenant", options->tenant, "only of this tenant"))->type_name("NAME");
  return [options](Streams& streams) {
    const auto store = config::Store::open(options->directory, false);
    if (!store) return refuse_documents(*options, store.error(), streams);
    const policy::DocumentSet& documents = (*store)->current()->documents();
    if (!knows_tenant(documents, options->tenant, streams)) return ExitCode::not_judged;
    bool first = true;
    for (const auto& quota : tenant_quotas(documents, options->tenant)) {
      streams.out << (first ? "" : "---\n") << to_yaml(quota);
      first = false;
    }
    if (first) streams.err << "note: no budget in these documents\n";
    return ExitCode::fine;
  };
}

}  // namespace

const Command render_crds_command{
    .words = "render crds",
    .summary = "print the CustomResourceDefinitions of the documents and of TenantQuota",
    .examples =
        "  portcullis render crds\n"
        "  portcullis render crds | kubectl apply --server-side -f -\n"
        "  portcullis render crds | kubectl diff -f -\n",
    .declare = declare_crds,
};

const Command render_middleware_command{
    .words = "render middleware",
    .summary = "print the Traefik Middlewares that ask the guard, a set for each tenant",
    .examples =
        "  portcullis render middleware --config documents/ | kubectl apply -f -\n"
        "  portcullis render middleware --config documents/ --tenant acme --into acme-proj-7\n"
        "  portcullis render middleware --config documents/ --format file --guard-url http://127.0.0.1:9000 > dynamic/guard.yaml\n",
    .declare = declare_middleware,
};

const Command render_rbac_command{
    .words = "render rbac",
    .summary = "print the rights that the webhook needs for these documents",
    .examples =
        "  portcullis render rbac --config documents/\n"
        "  portcullis render rbac --config documents/ | kubectl apply -f -\n"
        "  portcullis render rbac --config documents/ --namespace gate | kubectl diff -f -\n",
    .declare = declare_rbac,
};

const Command render_tenant_quotas_command{
    .words = "render tenant-quotas",
    .summary = "print the tenants' budgets as TenantQuota objects",
    .examples =
        "  portcullis render tenant-quotas --config documents/\n"
        "  portcullis render tenant-quotas --config documents/ | kubectl apply -f -\n"
        "  portcullis render tenant-quotas --config documents/ --tenant acme | kubectl diff -f -\n",
    .declare = declare_tenant_quotas,
};

const Command render_webhook_config_command{
    .words = "render webhook-config",
    .summary = "print the webhook configurations that these documents need",
    .examples =
        "  portcullis render webhook-config --config documents/\n"
        "  portcullis render webhook-config --config documents/ | kubectl apply -f -\n"
        "  portcullis render webhook-config --config documents/ | kubectl diff -f -\n",
    .declare = declare_webhook_config,
};

}  // namespace portcullis::cli
