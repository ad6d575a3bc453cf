// check -o json: schemaVersion 1; fields are only ever added.
#include <nlohmann/json.hpp>

#include "cli/instant.hpp"
#include "cli/report.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;

Json finding_json(const FileFinding& each) {
  const policy::PolicyFinding& finding = each.finding;
  Json json{
      {"rule", finding.rule},
      {"policy", finding.policy},
      {"mode", policy::mode_name(finding.mode)},
      {"what", finding.finding.what},
      {"where", finding.finding.where},
      {"found", finding.finding.found},
      {"wanted", finding.finding.wanted},
      {"fix", finding.finding.fix},
      {"line", each.span.line},
      {"column", each.span.column},
      {"endLine", each.span.end_line},
      {"endColumn", each.span.end_column},
      {"fingerprint", each.fingerprint},
      {"exception", nullptr},
      {"verdict", policy::verdict_name(finding.weight())},
      {"missing", each.missing},
  };
  if (!finding.exception.empty()) json["exception"] = finding.exception;
  if (each.days_left) json["daysLeft"] = *each.days_left;
  if (finding.kept) json["kept"] = true;
  return json;
}

Json decision_json(const FileDecision& decision) {
  const Manifest& object = *decision.manifest;
  Json json{
      {"file", object.source->name()},
      {"line", object.line()},
      {"object", {{"apiVersion", object.api_version}, {"kind", object.kind}, {"namespace", decision.name_space}, {"name", object.name}}},
      {"tenant", decision.tenant},
      {"verdict", policy::verdict_name(decision.verdict)},
      {"findings", Json::array()},
  };
  if (!object.origin.empty()) json["origin"] = object.origin;
  if (object.name.empty() && !object.generate_name.empty()) json["object"]["generateName"] = object.generate_name;
  for (const FileFinding& finding : decision.findings) json["findings"].push_back(finding_json(finding));
  if (!decision.skipped.empty()) json["skipped"] = decision.skipped;
  if (!decision.notes.empty()) json["notes"] = decision.notes;
  if (!decision.limit.empty()) json["limit"] = decision.limit;
  return json;
}

}  // namespace

void write_json(const Report& report, std::ostream& out) {
  const Counts counts = count(report);
  Json json{
      {"schemaVersion", 1},
      {"decisions", Json::array()},
      {"errors", Json::array()},
      {"summary",
       {{"objects", counts.objects},
        {"allowed", counts.allowed},
        {"warned", counts.warned},
        {"denied", counts.denied},
        {"excepted", counts.excepted}}},
      {"notJudged", Json::array()},
      {"expiredExceptions", Json::array()},
  };
  for (const FileDecision& decision : report.judged.decisions) json["decisions"].push_back(decision_json(decision));
  for (const ManifestError& error : report.errors) {
    Json each{{"file", error.file}, {"line", error.line}, {"message", error.message}};
    if (error.column > 0) each["column"] = error.column;
    json["errors"].push_back(std::move(each));
  }
  for (const NotJudged& each : report.judged.not_judged)
    json["notJudged"].push_back({{"rule", each.rule}, {"policy", each.policy}, {"why", each.why}, {"objects", each.objects}});
  for (const ExpiredException& each : report.expired)
    json["expiredExceptions"].push_back({{"name", each.name}, {"expiresAt", instant_text(each.expired_at)}, {"place", each.place}});
  if (report.manifests) {
    json["summary"]["files"] = report.manifests->files;
    json["summary"]["leftOut"] = {{"documents", report.manifests->own_documents}, {"kustomizations", report.manifests->kustomizations}};
  }
  // A name from a file is valid UTF-8, a file's own name may not be.
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace portcullis::cli
