#include "cli/certificate_keeping.hpp"

#include <CLI/CLI.hpp>
#include <utility>

#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/version.hpp"
#include "kube/connection.hpp"
#include "net/background.hpp"
#include "policy/document/formats.hpp"
#include "webhook/certificate_keeper.hpp"

namespace portcullis::cli {
namespace {

constexpr std::chrono::seconds stop_time_max{2};

// The thread on which the keeper works, and its connection; ends with the door.
class Keeping {
 public:
  Keeping() : background_("certificates") {}
  ~Keeping() {
    background_.stop(Clock::now() + stop_time_max);
    connection_.reset();
  }
  Keeping(const Keeping&) = delete;
  Keeping& operator=(const Keeping&) = delete;

  Result<void> start(const kube::Config& config, webhook::KeeperOptions options, net::Server& server, const Services& services) {
    kube::ConnectionOptions connection_options;
    connection_options.version = version;
    auto connection = kube::Connection::open(background_, config, connection_options);
    if (!connection) return tl::unexpected(connection.error());
    connection_ = *std::move(connection);
    auto keeper = std::make_shared<webhook::CertificateKeeper>(
        *connection_, std::move(options), [&server](const net::PemPair& pair) { return server.use_certificate(pair); });
    services.keep(keeper);
    services.metrics.add_source([&kept = *keeper](observe::Scrape& scrape) { kept.expose(scrape); });
    background_.spawn("certificate_keeper", [&kept = *keeper] { return kept.run(); });
    return {};
  }

 private:
  net::Background background_;
  std::unique_ptr<kube::Connection> connection_;
};

}  // namespace

void declare_keeping_options(CLI::App& app, KeepingOptions& options) {
  with_environment(app.add_option("--tls-dir", options.directory,
                                  "in a cluster without --tls-cert: where the Secret SERVICE-tls is mounted (/etc/portcullis/tls)"))
      ->type_name("DIR");
  with_environment(app.add_option("--certificate-lifetime", options.lifetime, "of the certificates it makes itself (P90D)"))
      ->check([](const std::string& text) {
        return policy::parse_duration(text) ? std::string() : "found " + portcullis::quoted(text) + ", want a duration such as P90D or 12h";
      })
      ->type_name("DURATION");
  with_environment(app.add_option("--service", options.service, "by which the API server calls (portcullis-webhook)"))->type_name("NAME");
  with_environment(app.add_option("--webhook-configuration", options.configuration, "whose caBundle it writes (portcullis)"))
      ->type_name("NAME");
}

std::function<Result<std::shared_ptr<void>>(net::Server&, const Services&)> certificate_keeping(const KeepingOptions& options,
                                                                                                const kube::Config& cluster,
                                                                                                const std::string& name_space) {
  webhook::KeeperOptions keeper;
  keeper.service.name = options.service;
  keeper.service.name_space = name_space;
  keeper.secret = options.service + "-tls";
  keeper.configuration = options.configuration;
  keeper.directory = options.directory;
  keeper.terms.leaf_lifetime = *policy::parse_duration(options.lifetime);
  return [config = cluster, keeper](net::Server& server, const Services& services) -> Result<std::shared_ptr<void>> {
    auto keeping = std::make_shared<Keeping>();
    if (auto started = keeping->start(config, keeper, server, services); !started) return tl::unexpected(started.error());
    return std::shared_ptr<void>(std::move(keeping));
  };
}

}  // namespace portcullis::cli
