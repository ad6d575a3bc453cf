// portcullis uninstall: the webhook configurations go first, so that no write ever waits for a gate that is gone. What else
// there is may then go in any order, by whatever brought it. Run twice it says the same.
#include "cli/uninstall.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "base/text.hpp"
#include "cli/api_client.hpp"
#include "cli/command.hpp"
#include "webhook/configuration.hpp"

namespace portcullis::cli {
namespace {

constexpr std::string_view what_remains =
    "what remains judges nothing and may go in any order, by what brought it (helm uninstall, kubectl delete -k): Deployments,\n"
    "Services, rights; documents, TenantQuotas and their CRDs; the labels portcullis.dev/* of tenants' namespaces\n";

struct Found {
  std::string name, path;
};

ExitCode refuse(std::ostream& err, const Error& error) {
  err << "error: " << error.message() << '\n';
  return ExitCode::not_judged;
}

}  // namespace

ExitCode uninstall(const ApiCall& call, const UninstallOptions& options, std::ostream& out, std::ostream& err) {
  using webhook::ConfigurationKind;
  const std::pair<ConfigurationKind, std::string_view> kinds[] = {{ConfigurationKind::validating, "ValidatingWebhookConfiguration"},
                                                                  {ConfigurationKind::mutating, "MutatingWebhookConfiguration"}};
  ExitCode code = ExitCode::fine;
  for (const auto& [kind, name] : kinds) {
    const std::string path = webhook::configuration_path(kind, options.configuration);
    const std::string shown = std::string(name) + " " + printable(options.configuration);
    const auto there = get_object(call, path);
    if (!there && there.error().kind == ErrorKind::not_found) {
      out << "gone       " << shown << '\n';
      continue;
    }
    if (!there) {  // the other one may still go: a dead webhook is worse than half an answer
      code = worse(code, refuse(err, there.error()));
      continue;
    }
    if (!options.yes) {
      out << "would go   " << shown << '\n';
      code = worse(code, ExitCode::no);
      continue;
    }
    const auto deleted = delete_object(call, path);
    if (!deleted && deleted.error().kind != ErrorKind::not_found) {
      code = worse(code, refuse(err, deleted.error()));
      continue;
    }
    out << "deleted    " << shown << '\n';
  }
  if (code == ExitCode::no) out << "nothing was changed: --yes does it\n";
  if (code == ExitCode::fine) out << what_remains;
  return code;
}

namespace {

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  struct Options {
    ApiOptions api;
    UninstallOptions uninstall;
  };
  auto options = std::make_shared<Options>();
  declare_api_options(app, options->api);
  with_environment(app.add_option("--webhook-configuration", options->uninstall.configuration, "name of both configurations (portcullis)"))
      ->type_name("NAME");
  app.add_flag("--yes", options->uninstall.yes, "do it; without, it is only said what would go");
  return [options](Streams& streams) {
    auto client = ApiClient::open(options->api);
    if (!client) return refuse(streams.err, client.error());
    const ApiCall call = [&client](kube::ApiRequest request) { return (*client)->call(std::move(request)); };
    return uninstall(call, options->uninstall, streams.out, streams.err);
  };
}

}  // namespace

const Command uninstall_command{
    .words = "uninstall",
    .summary = "take the webhook configurations away, which must go before the rest",
    .examples =
        "  portcullis uninstall\n"
        "  portcullis uninstall --yes\n"
        "  portcullis uninstall --yes && helm uninstall portcullis -n portcullis-system\n",
    .declare = declare,
};

}  // namespace portcullis::cli
