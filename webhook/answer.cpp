#include "webhook/answer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "base/text.hpp"
#include "net/base64.hpp"

namespace portcullis::webhook {
namespace {

using Json = nlohmann::ordered_json;
using policy::PolicyFinding;
using policy::Verdict;

constexpr std::string_view answer_head = R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":)";

// Letters, digits and punctuation that JSON strings hold as they are. Everything that is usual in a uid, tenant or hash.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
}

void append_string(std::string& body, std::string_view text) {
  if (is_plain(text)) {
    body += '"';
    body += text;
    body += '"';
  } else {
    body += policy::json_string(text);
  }
}

// Headers carry warnings through proxies: what is not ASCII is written as an escape, which printable() has left readable.
std::string ascii(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (const char c : text) shown += c >= ' ' && c < 0x7F ? c : '?';
  return shown;
}

std::string cut(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;  // not within a code point
  text.resize(end);
  return text + "...";
}

std::string warning_text(const PolicyFinding& finding) {
  std::string text = finding_text(finding);
  if (finding.kept) text += " (was so before and did not get worse)";
  if (!finding.exception.empty()) text += " (excepted by " + std::string(finding.exception) + ", which ends within 7 days)";
  return text;
}

std::vector<std::string> warnings(const policy::Decision& decision) {
  std::vector<std::string> all;
  std::size_t used = 0, left_out = 0;
  const auto add = [&](std::string text) {
    text = cut(ascii(text), warning_characters_max);
    if (used + text.size() > warnings_characters_max - warning_characters_max) {
      ++left_out;
    } else if (std::find(all.begin(), all.end(), text) == all.end()) {
      used += text.size();
      all.push_back(std::move(text));
    }
  };
  for (const PolicyFinding& finding : decision.findings)
    if (finding.weight() == Verdict::warn) add(warning_text(finding));
  for (const std::string& note : decision.notes) add(note);
  for (const policy::Unjudged& each : decision.unjudged)
    if (each.effect() == policy::FailureMode::warn) add(unjudged_text(each));
  if (left_out > 0) all.push_back(std::to_string(left_out) + " further warnings are not listed");
  return all;
}

// What `word` says of each finding, each once, in the findings' order; findings of which it says nothing are left out.
std::string list_of(const policy::Decision& decision, std::string_view PolicyFinding::*word) {
  std::vector<std::string_view> words;
  std::string list;
  for (const PolicyFinding& finding : decision.findings) {
    const std::string_view each = finding.*word;
    if (each.empty() || std::find(words.begin(), words.end(), each) != words.end()) continue;
    words.push_back(each);
    if (!list.empty()) list += ',';
    list += each;
  }
  return list;
}

void append_annotation(std::string& body, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  body += ",\"";
  body += key;
  body += "\":";
  if (value.size() <= annotation_bytes_max) {
    append_string(body, value);
  } else {
    append_string(body, cut(std::string(value), annotation_bytes_max));
  }
}

void append_annotations(std::string& body, const policy::Subject& subject, const policy::Decision& decision, std::string_view policy_hash) {
  body += R"(,"auditAnnotations":{"decision":")";
  body += verdict_name(decision.verdict);
  body += '"';
  append_annotation(body, "tenant", decision.tenant);
  append_annotation(body, "policy-hash", policy_hash);
  if (!decision.limit.empty()) append_annotation(body, "findings", "work-budget");
  if (!decision.findings.empty()) {
    append_annotation(body, "findings", list_of(decision, &PolicyFinding::rule));
    append_annotation(body, "exception", list_of(decision, &PolicyFinding::exception));
  }
  const policy::Value annotations = subject.judged().annotations;
  if (annotations.present()) {
    append_annotation(body, "change-ticket", annotations["portcullis.dev/change-ticket"].text());
    append_annotation(body, "approved-by", annotations["portcullis.dev/approved-by"].text());
  }
  body += '}';
}

Json denial_status(const policy::Subject& subject, const policy::Decision& decision) {
  Json causes = Json::array();
  for (const PolicyFinding& finding : decision.findings) {
    if (finding.weight() != Verdict::deny || causes.size() >= causes_max) continue;
    const policy::Finding& f = finding.finding;
    causes.push_back(Json{{"reason", finding.rule},
                          {"message", f.what + ": found " + f.found + ", want " + f.wanted + (f.fix.empty() ? "" : "; " + f.fix)},
                          {"field", f.where}});
  }
  if (!decision.limit.empty()) causes.push_back(Json{{"reason", "work-budget"}, {"message", decision.limit}, {"field", ""}});
  return Json{{"metadata", Json::object()},
              {"status", "Failure"},
              {"message", denial_message(decision)},
              {"reason", "Forbidden"},
              {"details", Json{{"name", subject.name}, {"group", subject.group}, {"kind", subject.kind}, {"causes", std::move(causes)}}},
              {"code", 403}};
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string denial_message(const policy::Decision& decision) {
  if (!decision.limit.empty()) return decision.limit;
  std::vector<std::string> lines;
  std::unordered_set<std::string> known;  // many policies may each deny a hundred findings
  for (const PolicyFinding& finding : decision.findings) {
    if (finding.weight() != Verdict::deny) continue;
    std::string line = finding_text(finding) + " (policy " + std::string(finding.policy) + ")";
    if (known.insert(line).second) lines.push_back(std::move(line));
  }
  constexpr std::size_t tail_bytes = 64;
  std::string message = lines.size() == 1 ? "" : std::to_string(lines.size()) + " findings:";
  std::size_t shown = 0;
  for (const std::string& line : lines) {
    const std::string text = lines.size() == 1 ? line : "\n- " + line;
    if (message.size() + text.size() > message_bytes_max - tail_bytes && shown > 0) break;
    message += cut(text, message_bytes_max - tail_bytes);
    ++shown;
  }
  if (shown < lines.size()) message += "\n- and " + std::to_string(lines.size() - shown) + " more";
  return message;
}

void write_validation(std::string_view uid, const policy::Subject& subject, const policy::Decision& decision, std::string_view policy_hash,
                      std::string& body) {
  body.clear();
  body += answer_head;
  append_string(body, uid);
  body += decision.verdict == Verdict::deny ? R"(,"allowed":false)" : R"(,"allowed":true)";
  if (decision.verdict == Verdict::deny) body += ",\"status\":" + dump(denial_status(subject, decision));
  if (!decision.findings.empty() || !decision.notes.empty() || !decision.unjudged.empty())
    if (const std::vector<std::string> all = warnings(decision); !all.empty()) body += ",\"warnings\":" + dump(Json(all));
  append_annotations(body, subject, decision, policy_hash);
  body += "}}";
}

void write_mutation(std::string_view uid, const policy::Patch& patch, std::string& body) {
  body.clear();
  body += answer_head;
  append_string(body, uid);
  body += R"(,"allowed":true)";
  if (!patch.empty()) body += R"(,"patchType":"JSONPatch","patch":")" + net::base64(patch.json()) + '"';
  body += "}}";
}

}  // namespace portcullis::webhook
