// portcullis config validate: are these documents whole and free of contradictions? All errors at once, exit 2; else one
// line that says what was found, and which exceptions and overrides have expired or end soon.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/instant.hpp"
#include "config/store.hpp"

namespace portcullis::cli {
namespace {

constexpr std::chrono::days soon{7};  // as findings warn: within an exception's last 7 days

std::string counted(std::size_t number, std::string_view one, std::string_view many) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : many);
}

void print_end(const std::string& what, Instant expires_at, const policy::Place& place, Instant now, std::ostream& out) {
  if (expires_at <= now)
    out << "expired: " << what << " since " << instant_text(expires_at) << " (" << place.text() << ")\n";
  else if (expires_at - now <= soon)
    out << "ends soon: " << what << " at " << instant_text(expires_at) << " (" << place.text() << ")\n";
}

void print_ends(const policy::DocumentSet& documents, Instant now, std::ostream& out) {
  for (const policy::PolicyException& exception : documents.exceptions)
    print_end("exception " + exception.name, exception.expires_at, exception.place, now, out);
  if (!documents.guard_policy) return;
  for (const policy::ProfileOverride& override_ : documents.guard_policy->overrides)
    print_end("override of profile " + override_.profile, override_.expires_at, override_.place, now, out);
}

ExitCode validate(const std::string& directory, Streams& streams) {
  const auto store = config::Store::open(directory, false);
  if (!store) {
    const auto errors = document_errors(directory, store.error());
    print_errors(errors, streams.err);
    streams.err << counted(errors.size(), "error", "errors") << ": these documents would not be taken\n";
    return ExitCode::not_judged;
  }
  const config::Store::Snapshot snapshot = (*store)->current();
  const policy::DocumentSet& documents = snapshot->documents();
  std::size_t rules = 0;
  for (const policy::Policy& policy : documents.policies) rules += policy.rules.size();
  streams.out << "valid: platform " << documents.platform.name << ", " << counted(documents.tenants.size(), "tenant", "tenants") << ", "
              << counted(documents.policies.size(), "policy", "policies") << " of " << counted(rules, "rule", "rules") << ", "
              << counted(documents.exceptions.size(), "exception", "exceptions") << ", "
              << counted(documents.calendars.size(), "calendar", "calendars") << ", "
              << (documents.guard_policy ? "guard policy " + documents.guard_policy->name : std::string("no guard policy")) << "; "
              << snapshot->hash() << '\n';
  print_ends(documents, std::chrono::floor<std::chrono::seconds>(WallClock::now()), streams.out);
  return ExitCode::fine;
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto directory = std::make_shared<std::string>();
  with_environment(app.add_option("--config", *directory, "directory of documents"))->required()->type_name("DIR");
  return [directory](Streams& streams) { return validate(*directory, streams); };
}

}  // namespace

const Command config_validate_command{
    .words = "config validate",
    .summary = "tell whether the documents are whole and free of contradictions",
    .examples =
        "  portcullis config validate --config documents/\n"
        "  PORTCULLIS_CONFIG=documents/ portcullis config validate\n"
        "  portcullis config validate --config documents/ && kubectl create configmap portcullis --from-file documents/\n",
    .declare = declare,
};

}  // namespace portcullis::cli
