// portcullis certs init, inspect, expires: an authority of one's own for clusters without another, and a look at what
// certificates say, in files or as a server shows them. Keys are written for their owner alone and never shown.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "cli/bounded_file.hpp"
#include "cli/command.hpp"
#include "cli/instant.hpp"
#include "net/base64.hpp"
#include "net/certificate.hpp"
#include "net/certificate_authority.hpp"
#include "net/descriptor.hpp"
#include "net/peer_certificate.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::days authority_lifetime{3650};
constexpr std::chrono::seconds look_time_max{10};  // for a server to show its certificate
constexpr mode_t private_mode = 0600, public_mode = 0644, directory_mode = 0700;

Instant now_in_seconds() { return std::chrono::floor<std::chrono::seconds>(WallClock::now()); }

// A check for CLI11.
std::string check_duration(const std::string& text) {
  return policy::parse_duration(text) ? std::string() : "found " + portcullis::quoted(text) + ", want a duration such as P90D, 12h or 365d";
}

// Whole or not at all: a reader sees the former file or the new one.
Result<void> write_whole(const std::filesystem::path& file, const std::string& text, mode_t mode) {
  const std::filesystem::path beside = file.string() + ".new";
  unlink(beside.c_str());
  const net::Descriptor out(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  const auto failed = [&] {
    return fail(ErrorKind::unavailable, file.string(), std::string("cannot be written: ") + std::strerror(errno));
  };
  if (!out.is_open()) return failed();
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = write(out.get(), text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failed();
    at += static_cast<std::size_t>(count);
  }
  if (fsync(out.get()) != 0 || rename(beside.c_str(), file.c_str()) != 0) return failed();
  return {};
}

// The key first: what watches the certificate finds its key there.
Result<void> write_pair(const std::filesystem::path& directory, const std::string& name, const net::PemPair& pair) {
  if (auto written = write_whole(directory / (name + ".key"), pair.key, private_mode); !written) return written;
  return write_whole(directory / (name + ".pem"), pair.certificate, public_mode);
}

struct InitOptions {
  std::string directory, name_space = "portcullis-system", lifetime = "P365D";
  std::vector<std::string> services;
};

// The authority of the directory, made when there is none. One whose key does not fit is not replaced silently: a caBundle
// somewhere trusts it.
Result<net::PemPair> authority_of(const std::filesystem::path& directory, Instant now) {
  const std::filesystem::path certificate = directory / "ca.pem", key = directory / "ca.key";
  if (!std::filesystem::exists(certificate) && !std::filesystem::exists(key)) {
    auto made = net::make_authority("Portcullis CA", {now - net::certificate_clock_skew, now + authority_lifetime});
    if (!made) return made;
    if (auto written = write_pair(directory, "ca", *made); !written) return tl::unexpected(written.error());
    return made;
  }
  auto certificate_text = read_bounded(certificate, net::certificate_pem_bytes_max);
  if (!certificate_text) return tl::unexpected(certificate_text.error());
  auto key_text = read_bounded(key, net::certificate_pem_bytes_max);
  if (!key_text) return tl::unexpected(key_text.error());
  net::PemPair pair{*std::move(certificate_text), *std::move(key_text)};
  if (auto fits = net::check_key(pair, certificate.string()); !fits) return tl::unexpected(fits.error());
  const auto facts = net::read_certificates(pair.certificate, certificate.string());
  if (!facts) return tl::unexpected(facts.error());
  if (facts->front().not_after <= now)
    return fail(ErrorKind::invalid, certificate.string(),
                "expired at " + instant_text(facts->front().not_after) + "; move it away to make another");
  return pair;
}

ExitCode init(const InitOptions& options, Streams& streams) {
  if (!policy::is_dns_label(options.name_space))
    return refuse(streams, Error{ErrorKind::invalid, "--namespace",
                                 "found " + portcullis::quoted(options.name_space) + ", want the name of a namespace"});
  for (const std::string& service : options.services)
    if (!policy::is_dns_label(service))
      return refuse(streams,
                    Error{ErrorKind::invalid, "--service", "found " + portcullis::quoted(service) + ", want the name of a Service"});
  const std::filesystem::path directory = options.directory;
  std::error_code error;
  if (std::filesystem::create_directories(directory, error); error)
    return refuse(streams, Error{ErrorKind::unavailable, options.directory, error.message()});
  chmod(directory.c_str(), directory_mode);

  const Instant now = now_in_seconds();
  const auto authority = authority_of(directory, now);
  if (!authority) return refuse(streams, authority.error());
  const std::chrono::seconds lifetime = *policy::parse_duration(options.lifetime);
  Instant until{};
  for (const std::string& service : options.services) {
    const auto leaf = net::issue_leaf(*authority, {.common_name = service,
                                                   .dns_names = net::service_names(service, options.name_space),
                                                   .addresses = {},
                                                   .validity = {now - net::certificate_clock_skew, now + lifetime}});
    if (!leaf) return refuse(streams, leaf.error());
    if (auto written = write_pair(directory, service, *leaf); !written) return refuse(streams, written.error());
    if (const auto facts = net::read_certificates(leaf->certificate, service)) until = facts->front().not_after;
    streams.out << "written    " << (directory / (service + ".pem")).string() << ", " << service << ".key\n";
  }
  streams.out << "authority  " << (directory / "ca.pem").string() << "\nexpires    " << instant_text(until) << "\ncaBundle   "
              << net::base64(authority->certificate) << '\n';
  return ExitCode::fine;
}

// The chain of a file, or of a server for HOST:PORT where no such file is there.
Result<std::string> certificates_of(const std::string& target, const std::string& server_name) {
  std::error_code ignored;
  if (!std::filesystem::exists(target, ignored) && net::is_endpoint(target))
    return net::fetch_certificates(target, server_name, Clock::now() + look_time_max);
  return read_bounded(target, net::certificate_pem_bytes_max);
}

std::int64_t days_left(const net::CertificateFacts& facts, Instant now) {
  return std::chrono::floor<std::chrono::days>(facts.not_after - now).count();
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + printable(word);
  return text;
}

// "whole", or what is wrong between the first certificate and the last; "" for one alone.
std::string chain_text(const std::vector<net::CertificateFacts>& chain, Instant now) {
  if (chain.size() < 2 || chain.front().is_authority) return {};
  std::string pem;
  for (const auto& each : chain) pem += each.pem;
  const auto whole = net::verify_chain(pem, chain.back().pem, "", now);
  return whole ? "whole" : whole.error().what;
}

void print_table(const std::vector<net::CertificateFacts>& chain, Instant now, std::ostream& out) {
  for (std::size_t at = 0; at < chain.size(); ++at) {
    const net::CertificateFacts& each = chain[at];
    if (chain.size() > 1) out << (at > 0 ? "\n" : "") << "certificate  " << at + 1 << " of " << chain.size() << '\n';
    out << "subject      " << printable(each.subject) << "\nissuer       " << printable(each.issuer)
        << (each.is_self_issued ? " (itself)" : "") << '\n';
    if (!each.dns_names.empty()) out << "names        " << joined(each.dns_names) << '\n';
    if (!each.addresses.empty()) out << "addresses    " << joined(each.addresses) << '\n';
    const std::int64_t left = days_left(each, now);
    out << "valid        " << instant_text(each.not_before) << " to " << instant_text(each.not_after) << ", ";
    if (each.not_before > now) {
      out << "not yet";
    } else if (each.not_after <= now) {
      out << "expired";
    } else {
      out << left << (left == 1 ? " day left" : " days left");
    }
    out << "\nkey          " << each.key_type << (each.is_authority ? ", may sign certificates" : "") << "\nserial       " << each.serial
        << "\nsha256       " << each.fingerprint << '\n';
  }
  if (const std::string whole = chain_text(chain, now); !whole.empty()) out << "\nchain        " << whole << '\n';
}

void print_json(const std::string& target, const std::vector<net::CertificateFacts>& chain, Instant now, std::ostream& out) {
  Json json{{"schemaVersion", 1}, {"target", target}, {"certificates", Json::array()}};
  for (const net::CertificateFacts& each : chain) {
    json["certificates"].push_back({{"subject", each.subject},
                                    {"issuer", each.issuer},
                                    {"dnsNames", each.dns_names},
                                    {"addresses", each.addresses},
                                    {"notBefore", instant_text(each.not_before)},
                                    {"notAfter", instant_text(each.not_after)},
                                    {"daysLeft", days_left(each, now)},
                                    {"keyType", each.key_type},
                                    {"isAuthority", each.is_authority},
                                    {"serial", each.serial},
                                    {"sha256", each.fingerprint}});
  }
  if (const std::string whole = chain_text(chain, now); !whole.empty()) json["chain"] = whole;
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

struct LookOptions {
  std::vector<std::string> targets;
  std::string server_name, output = "table", within = "P30D";
};

ExitCode inspect(const LookOptions& options, Streams& streams) {
  const std::string& target = options.targets.front();
  const auto text = certificates_of(target, options.server_name);
  if (!text) return refuse(streams, text.error());
  const auto chain = net::read_certificates(*text, target);
  if (!chain) return refuse(streams, chain.error());
  if (options.output == "json") {
    print_json(target, *chain, now_in_seconds(), streams.out);
  } else {
    print_table(*chain, now_in_seconds(), streams.out);
  }
  return ExitCode::fine;
}

ExitCode expires(const LookOptions& options, Streams& streams) {
  const Instant now = now_in_seconds();
  const Instant bound = now + *policy::parse_duration(options.within);
  ExitCode code = ExitCode::fine;
  for (const std::string& target : options.targets) {
    const auto text = certificates_of(target, options.server_name);
    const auto chain =
        text ? net::read_certificates(*text, target) : Result<std::vector<net::CertificateFacts>>(tl::unexpected(text.error()));
    if (!chain) {
      code = worse(code, refuse(streams, chain.error()));
      continue;
    }
    // A chain is good as long as the first of its certificates to end.
    const auto first =
        std::min_element(chain->begin(), chain->end(), [](const auto& a, const auto& b) { return a.not_after < b.not_after; });
    const bool ends = first->not_after <= bound;
    if (ends) code = worse(code, ExitCode::no);
    streams.out << (first->not_after <= now ? "expired   "
                    : ends                  ? "ends soon "
                                            : "good      ")
                << printable(target) << "  " << printable(first->subject) << "  " << instant_text(first->not_after) << '\n';
  }
  return code;
}

std::function<ExitCode(Streams&)> declare_init(CLI::App& app) {
  auto options = std::make_shared<InitOptions>();
  with_environment(app.add_option("--dir", options->directory, "where to write; made when it is not there"))->required()->type_name("DIR");
  with_environment(app.add_option("--service", options->services, "Service to certify; repeatable (portcullis-webhook, portcullis-guard)"))
      ->allow_extra_args(false)
      ->type_name("NAME");
  with_environment(app.add_option("--namespace", options->name_space, "of the Services (portcullis-system)"))->type_name("NS");
  with_environment(app.add_option("--lifetime", options->lifetime, "of the server certificates (P365D)"))
      ->check(check_duration)
      ->type_name("DURATION");
  return [options](Streams& streams) {
    if (options->services.empty()) options->services = {"portcullis-webhook", "portcullis-guard"};
    return init(*options, streams);
  };
}

std::function<ExitCode(Streams&)> declare_inspect(CLI::App& app) {
  auto options = std::make_shared<LookOptions>();
  app.add_option("TARGET", options->targets, "a PEM file, or HOST:PORT of a TLS server")
      ->required()
      ->expected(1)
      ->type_name("FILE|HOST:PORT");
  with_environment(app.add_option("--server-name", options->server_name, "name to ask the server for (SNI)"))->type_name("NAME");
  with_environment(app.add_option("-o,--output", options->output, "table (default) or json"))
      ->check(one_of({"table", "json"}))
      ->type_name("FORMAT");
  return [options](Streams& streams) { return inspect(*options, streams); };
}

std::function<ExitCode(Streams&)> declare_expires(CLI::App& app) {
  auto options = std::make_shared<LookOptions>();
  app.add_option("TARGET", options->targets, "PEM files, or HOST:PORT of TLS servers")->required()->type_name("FILE|HOST:PORT");
  with_environment(app.add_option("--within", options->within, "how soon is too soon (P30D)"))
      ->check(check_duration)
      ->type_name("DURATION");
  with_environment(app.add_option("--server-name", options->server_name, "name to ask the server for (SNI)"))->type_name("NAME");
  return [options](Streams& streams) { return expires(*options, streams); };
}

}  // namespace

const Command certs_init_command{
    .words = "certs init",
    .summary = "make a certificate authority and a server certificate for each door",
    .examples =
        "  portcullis certs init --dir certs/\n"
        "  portcullis certs init --dir certs/ --namespace gate --lifetime P90D\n"
        "  portcullis certs init --dir certs/ --service portcullis-webhook\n",
    .declare = declare_init,
};

const Command certs_inspect_command{
    .words = "certs inspect",
    .summary = "show what the certificates of a file or a server say",
    .examples =
        "  portcullis certs inspect tls.crt\n"
        "  portcullis certs inspect 10.0.0.7:8443 --server-name portcullis-webhook.portcullis-system.svc\n"
        "  portcullis certs inspect tls.crt -o json\n",
    .declare = declare_inspect,
};

const Command certs_expires_command{
    .words = "certs expires",
    .summary = "tell whether certificates end soon: exit 1 if one does",
    .examples =
        "  portcullis certs expires tls.crt ca.crt\n"
        "  portcullis certs expires --within P14D 10.0.0.7:8443\n"
        "  portcullis certs expires --within 72h certs/*.pem || page-someone\n",
    .declare = declare_expires,
};

}  // namespace portcullis::cli
