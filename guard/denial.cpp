#include "guard/denial.hpp"

#include <algorithm>
#include <string>

namespace portcullis::guard {
namespace {

constexpr std::int64_t second_nanoseconds = 1'000'000'000;
constexpr std::int64_t ceil_seconds(std::int64_t nanoseconds) { return (nanoseconds + second_nanoseconds - 1) / second_nanoseconds; }

bool equal_folded(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() && std::equal(text.begin(), text.end(), lower_case.begin(),
                                                        [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; });
}

bool sends_json(const DecidingHeaders& headers) {
  constexpr std::string_view json = "application/json";
  const std::string_view type = headers.content_type;
  return equal_folded(type.substr(0, json.size()), json) &&
         (type.size() == json.size() || type[json.size()] == ';' || type[json.size()] == ' ');
}

// A person waits for a page: browsers say so by Sec-Fetch-Mode; older ones and tools only by what they accept.
bool navigates(const DecidingHeaders& headers) {
  if (!headers.fetch_mode.empty()) return headers.fetch_mode == "navigate";
  return headers.accept.find("text/html") != std::string_view::npos;
}

struct Words {
  std::string_view title, detail;
};

Words words_of(int status) {
  switch (status) {
    case 400:
      return {"Bad Request", "This request cannot be read without doubt, so it is not passed on."};
    case 429:
      return {"Too Many Requests", "More requests than this address, session or system may send. Wait, then try again."};
    default:
      return {"Forbidden", "This request is not allowed here."};
  }
}

constexpr std::string_view key_name(KeyKind key) {
  switch (key) {
    case KeyKind::address:
      return "address";
    case KeyKind::session:
      return "session";
    case KeyKind::api_key:
      return "api-key";
    case KeyKind::tenant:
      return "all";
    case KeyKind::plan:
      return "plan";
  }
  return "";
}

// `login-address`, or `plan` for the bucket that all classes share.
std::string policy_name(const Denial& denial) {
  if (denial.limit.key == KeyKind::plan || !denial.route_class) return "plan";
  return std::string(route_class_name(*denial.route_class)).append("-").append(key_name(denial.limit.key));
}

void write_rate_headers(const Denial& denial, const std::string& name, std::int64_t wait_seconds, net::Response& response) {
  const Gcra& gcra = denial.limit.gcra;
  response.header("ratelimit-policy", "\"" + name + "\";q=" + std::to_string(gcra.tolerance / gcra.interval) +
                                          ";w=" + std::to_string(ceil_seconds(gcra.tolerance)));
  response.header("ratelimit", "\"" + name + "\";r=" + std::to_string(std::max<std::int64_t>(0, denial.limit.remaining)) +
                                   ";t=" + std::to_string(wait_seconds));
}

// Reasons and names come from our own tables, so nothing here needs escaping.
void write_page(const Words& words, const Denial& denial, std::int64_t retry_seconds, std::string& body) {
  body.append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>").append(words.title);
  body.append("</title></head>\n<body><h1>").append(words.title).append("</h1>\n<p>").append(words.detail).append("</p>\n");
  if (denial.status == 429) body.append("<p>Try again in ").append(std::to_string(retry_seconds)).append(" seconds.</p>\n");
  body.append("</body></html>\n");
}

void write_json_rpc(const Words& words, const Denial& denial, std::string& body) {
  const std::string_view name = denial.status == 429 ? "guard.RateLimited" : denial.status == 400 ? "guard.BadRequest" : "guard.Forbidden";
  body.append(R"({"jsonrpc":"2.0","id":null,"error":{"code":)").append(std::to_string(denial.status));
  body.append(R"(,"message":")").append(words.title).append(R"(","data":{"name":")").append(name);
  body.append(R"(","message":")").append(words.detail).append(R"(","debug":""}}})").append("\n");
}

void write_xml_rpc(const Words& words, const Denial& denial, std::string& body) {
  body.append("<?xml version=\"1.0\"?>\n<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>");
  body.append(std::to_string(denial.status)).append("</int></value></member><member><name>faultString</name><value><string>");
  body.append(words.title).append(": ").append(words.detail);
  body.append("</string></value></member></struct></value></fault></methodResponse>\n");
}

void write_problem(const Words& words, const Denial& denial, const std::string& name, std::string& body) {
  const bool slowed = denial.status == 429;
  body.append(R"({"type":")").append(slowed ? "https://iana.org/assignments/http-problem-types#quota-exceeded" : "about:blank");
  body.append(R"(","title":")").append(words.title).append(R"(","status":)").append(std::to_string(denial.status));
  body.append(R"(,"detail":")").append(words.detail).append("\"");
  if (slowed) {
    body.append(R"(,"violated-policies":[")").append(name).append("\"]");
  } else if (may_be_told(denial.reason)) {
    body.append(R"(,"reason":")").append(reason_name(denial.reason)).append("\"");
  }
  body.append("}\n");
}

}  // namespace

DenialBody denial_body(DenialShape shape, const DecidingHeaders& headers, std::string_view path) {
  switch (shape) {
    case DenialShape::negotiate:
      if (navigates(headers)) return DenialBody::page;
      return sends_json(headers) ? DenialBody::json_rpc : DenialBody::problem;
    case DenialShape::page:
      return sends_json(headers) ? DenialBody::json_rpc : DenialBody::page;
    case DenialShape::json_rpc:
      return DenialBody::json_rpc;
    case DenialShape::xml_rpc:
      return sends_json(headers) || path.find("/jsonrpc") != std::string_view::npos ? DenialBody::json_rpc : DenialBody::xml_rpc;
    case DenialShape::problem:
      return DenialBody::problem;
    case DenialShape::empty:
      return DenialBody::empty;
  }
  return DenialBody::problem;
}

std::int64_t retry_after_seconds(std::int64_t wait_nanoseconds, std::uint32_t seconds_min, std::uint64_t random) {
  const std::int64_t least = std::max<std::int64_t>({ceil_seconds(wait_nanoseconds), seconds_min, 1});
  const auto spread = static_cast<std::uint64_t>(std::clamp<std::int64_t>(least / 2, 1, retry_jitter_seconds_max));
  return least + static_cast<std::int64_t>(random % (spread + 1));
}

void write_denial(const Denial& denial, net::Response& response) {
  response.clear();
  response.status = denial.status;
  response.header("cache-control", "no-store");
  std::string name;
  std::int64_t retry_seconds = 0;
  if (denial.status == 429) {
    name = policy_name(denial);
    const std::uint32_t seconds_min = denial.route_class ? route_class_info(*denial.route_class).retry_after_min_seconds : 0;
    retry_seconds = retry_after_seconds(denial.limit.wait, seconds_min, denial.random);
    response.header("retry-after", std::to_string(retry_seconds));
    write_rate_headers(denial, name, std::max<std::int64_t>(1, ceil_seconds(denial.limit.wait)), response);
  }
  const Words words = words_of(denial.status);
  switch (denial.body) {
    case DenialBody::empty:
      break;
    case DenialBody::page:
      response.content_type = "text/html; charset=utf-8";
      write_page(words, denial, retry_seconds, response.body);
      break;
    case DenialBody::json_rpc:
      response.content_type = "application/json";
      write_json_rpc(words, denial, response.body);
      break;
    case DenialBody::xml_rpc:
      response.content_type = "text/xml; charset=utf-8";
      write_xml_rpc(words, denial, response.body);
      break;
    case DenialBody::problem:
      response.content_type = "application/problem+json";
      write_problem(words, denial, name, response.body);
      break;
  }
}

}  // namespace portcullis::guard
