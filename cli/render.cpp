// portcullis render: what the documents mean as Kubernetes objects, on standard output for kubectl or a repository. It reads
// files only and asks no cluster; the same documents give the same bytes.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/render_crds.hpp"
#include "cli/render_webhooks.hpp"
#include "config/store.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::cli {
namespace {

struct Options {
  std::string directory;
  WebhookOptions webhook;
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

// What `render` makes of the documents, on standard output; errors in them are said as `config validate` says them.
template <class Render>
ExitCode print(const Options& options, Streams& streams, const Render& render) {
  const auto store = config::Store::open(options.directory, false);
  if (!store) {
    print_errors(document_errors(options.directory, store.error()), streams.err);
    return ExitCode::not_judged;
  }
  streams.out << render((*store)->current()->documents());
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
    return print(*options, streams, [&](const policy::DocumentSet& documents) {
      for (const std::string& sentence : kinds_not_sent(documents)) streams.err << "note: " << sentence << '\n';
      return webhook_configurations(documents, options->webhook);
    });
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
