#include "policy/document/load.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/document/yaml.hpp"

namespace portcullis::policy {
namespace {

constexpr std::string_view api_version = "portcullis.dev/v1";
constexpr std::array<std::string_view, 1> api_versions{api_version};
constexpr std::array<std::string_view, 4> fields{"apiVersion", "kind", "metadata", "spec"};
constexpr std::array<std::string_view, 1> metadata_fields{"name"};

std::string read_name(const Cursor& document, std::string_view kind) {
  const Cursor metadata = document["metadata"];
  if (!metadata.mapping(metadata_fields)) return "";
  const Cursor at = metadata["name"];
  // A tenant's name becomes the value of a label.
  const bool label = kind == "Tenant";
  const std::string_view want = label ? "a DNS label: lower-case letters, digits and `-`, at most 63"
                                      : "a DNS name: lower-case letters, digits, `-` and `.`, at most 253";
  const auto name = at.text(want);
  if (!name) return "";
  if (!(label ? is_dns_label(*name) : is_dns_subdomain(*name))) at.refuse(want);
  return *name;
}

template <class Document>
Document begin(const Cursor& document, std::string_view kind) {
  Document out;
  out.place = document.place();
  out.name = read_name(document, kind);
  return out;
}

// False when it cannot be told what the document is.
bool decode_document(const Cursor& document, Draft& draft) {
  if (!document.any_mapping("a document: a mapping with apiVersion, kind, metadata and spec")) return false;
  std::vector<std::string_view> kinds;
  for (const DocumentKind& each : document_kinds()) kinds.push_back(each.kind);
  const auto index = document["kind"].word(kinds);
  if (!index) return false;
  const std::string_view kind = kinds[*index];
  document.mapping(fields);
  (void)document["apiVersion"].word(api_versions);
  const Cursor spec = document["spec"];
  if (kind == "Platform") {
    decode_platform(spec, draft.platforms.emplace_back(begin<Platform>(document, kind)));
  } else if (kind == "Tenant") {
    decode_tenant(spec, draft.tenants.emplace_back(begin<Tenant>(document, kind)), draft);
  } else if (kind == "Policy") {
    decode_policy(spec, draft.policies.emplace_back(begin<Policy>(document, kind)), draft);
  } else if (kind == "PolicyException") {
    decode_exception(spec, draft.exceptions.emplace_back(begin<PolicyException>(document, kind)), draft);
  } else if (kind == "Calendar") {
    decode_calendar(spec, draft.calendars.emplace_back(begin<Calendar>(document, kind)));
  } else {
    decode_guard_policy(spec, draft.guard_policies.emplace_back(begin<GuardPolicy>(document, kind)), draft);
  }
  return true;
}

// File, line and column of an error, read back from its place.
struct Position {
  std::string_view file;
  std::uint64_t line = 0, column = 0;
  auto operator<=>(const Position&) const = default;  // NOLINT(modernize-use-nullptr): of the literal 0 it compares with
};

std::uint64_t take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{}) text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

Position position_of(const Error& error) {
  const std::string_view where = error.where;
  for (std::size_t colon = where.find(':'); colon != std::string_view::npos; colon = where.find(':', colon + 1)) {
    std::string_view rest = where.substr(colon + 1);
    const std::uint64_t line = take_number(rest);
    if (line == 0 || rest.empty() || rest.front() != ':') continue;
    rest.remove_prefix(1);
    const std::uint64_t column = take_number(rest);
    if (column == 0 || (!rest.empty() && rest.front() != ' ')) continue;
    return {where.substr(0, colon), line, column};
  }
  return {where, 0, 0};
}

void sort_by_place(DocumentErrors& errors) {
  std::vector<std::pair<Position, const Error*>> order;
  for (const Error& error : errors) order.emplace_back(position_of(error), &error);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  DocumentErrors sorted;
  for (const auto& [position, error] : order) sorted.push_back(*error);
  errors = std::move(sorted);
}

template <class Document>
std::vector<Document> by_name(std::vector<Document> documents) {
  std::sort(documents.begin(), documents.end(), [](const Document& a, const Document& b) { return a.name < b.name; });
  return documents;
}

}  // namespace

tl::expected<DocumentSet, DocumentErrors> load_documents(const std::vector<DocumentFile>& files, bool needs_guard_policy,
                                                         const DocumentLimits& limits) {
  DocumentErrors errors;
  std::size_t bytes = 0;
  for (const DocumentFile& file : files) bytes += file.bytes.size();
  if (bytes > limits.set_bytes_max) {
    errors.push_back({ErrorKind::limit_exceeded, "",
                      "found " + std::to_string(bytes) + " bytes of documents, want at most " + std::to_string(limits.set_bytes_max) +
                          " (limit set_bytes_max)"});
    return tl::unexpected(std::move(errors));
  }
  Draft draft;
  Completeness completeness = Completeness::whole;
  for (const DocumentFile& file : files) {
    const auto stream = yaml::parse_stream(file.name, file.bytes, limits);
    if (!stream) {
      errors.push_back(stream.error());
      completeness = Completeness::parts_unread;
      continue;
    }
    Decoding decoding{std::make_shared<const std::string>(file.name), errors};
    for (const yaml::Document& document : *stream)
      if (!decode_document({decoding, &document.root, document.root.span, ""}, draft)) completeness = Completeness::parts_unread;
  }
  cross_check(draft, needs_guard_policy, completeness, errors);
  if (!errors.empty()) {
    sort_by_place(errors);
    return tl::unexpected(std::move(errors));
  }
  DocumentSet set;
  set.platform = std::move(draft.platforms.front());
  set.tenants = by_name(std::move(draft.tenants));
  set.policies = by_name(std::move(draft.policies));
  set.exceptions = by_name(std::move(draft.exceptions));
  set.calendars = by_name(std::move(draft.calendars));
  if (!draft.guard_policies.empty()) set.guard_policy = std::move(draft.guard_policies.front());
  return set;
}

}  // namespace portcullis::policy
