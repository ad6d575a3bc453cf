#include "guard/denial.hpp"

#include <algorithm>
#include <string>

#include "guard/text.hpp"
#include "observe/escape.hpp"

namespace portcullis::guard {
namespace {

constexpr std::int64_t second_nanoseconds = 1'000'000'000;
constexpr std::int64_t ceil_seconds(std::int64_t nanoseconds) { return (nanoseconds + second_nanoseconds - 1) / second_nanoseconds; }

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

Words words_of(const Denial& denial) {
  switch (denial.reason) {
    case Reason::banned:
      return {"Too Many Failed Logins", "There were too many failed logins from here. Wait, then try again."};
    case Reason::maintenance:
      return {"Maintenance",
              denial.message.empty() ? std::string_view("This system is being worked on. Please come back later.") : denial.message};
    case Reason::profile:
      return {"Not Available Now", "This part of the system is closed for the moment."};
    case Reason::concurrency:
      return {"Too Many Requests", "As many of these as may be at work at once are at work. Wait, then try again."};
    case Reason::quota:
      return {"Quota Used Up", "The requests of this day or month are used up."};
    default:
      break;
  }
  switch (denial.status) {
    case 400:
      return {"Bad Request", "This request cannot be read without doubt, so it is not passed on."};
    case 429:
      return {"Too Many Requests", "More requests than this address, session or system may send. Wait, then try again."};
    default:
      return {"Forbidden", "This request is not allowed here."};
  }
}

// `login-address`; `plan` and `pool` for what all classes share.
std::string policy_name(const Denial& denial) {
  const KeyKind key = denial.limit.key;
  std::string name(key_kind_name(denial.reason == Reason::concurrency ? KeyKind::place : key));
  if (key == KeyKind::plan || key == KeyKind::pool || key == KeyKind::pool_part || denial.class_name.empty()) return name;
  return std::string(denial.class_name).append("-").append(name);
}

bool is_limit(Reason reason) {
  return reason != Reason::banned && reason != Reason::store_lost && reason != Reason::concurrency && reason != Reason::maintenance;
}

void write_rate_headers(const Denial& denial, const std::string& name, std::int64_t wait_seconds, net::Response& response) {
  response.header("ratelimit-policy",
                  "\"" + name + "\";q=" + std::to_string(denial.limit.quota) + ";w=" + std::to_string(ceil_seconds(denial.limit.window)));
  response.header("ratelimit", "\"" + name + "\";r=" + std::to_string(std::max<std::int64_t>(0, denial.limit.remaining)) +
                                   ";t=" + std::to_string(wait_seconds));
}

// Only a maintenance message is not from our own tables.
std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

void write_page(const Words& words, const Denial& denial, std::int64_t retry_seconds, std::string& body) {
  body.append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>").append(words.title);
  body.append("</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n");
  body.append(
      "<style>body{font:1rem/1.5 sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;color:#333}</style></head>\n<body><h1>");
  body.append(words.title).append("</h1>\n<p>").append(escape_html(words.detail)).append("</p>\n");
  if (denial.status == 429) body.append("<p>Try again in ").append(std::to_string(retry_seconds)).append(" seconds.</p>\n");
  body.append("</body></html>\n");
}

void append_json(std::string_view text, std::string& body) {
  const std::size_t before = body.size();
  body.resize(before + text.size() * 6 + 3);  // an escape takes six bytes at most
  body.resize(before + observe::escape_json(body.data() + before, body.size() - before, text));
}

void write_json_rpc(const Words& words, const Denial& denial, std::string& body) {
  const std::string_view name = denial.status == 429   ? "guard.RateLimited"
                                : denial.status == 503 ? "guard.Maintenance"
                                : denial.status == 400 ? "guard.BadRequest"
                                                       : "guard.Forbidden";
  body.append(R"({"jsonrpc":"2.0","id":null,"error":{"code":)").append(std::to_string(denial.status));
  body.append(R"(,"message":")").append(words.title).append(R"(","data":{"name":")").append(name);
  body.append(R"(","message":")");
  append_json(words.detail, body);
  body.append(R"(","debug":""}}})").append("\n");
}

void write_xml_rpc(const Words& words, const Denial& denial, std::string& body) {
  body.append("<?xml version=\"1.0\"?>\n<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>");
  body.append(std::to_string(denial.status)).append("</int></value></member><member><name>faultString</name><value><string>");
  body.append(words.title).append(": ").append(escape_html(words.detail));
  body.append("</string></value></member></struct></value></fault></methodResponse>\n");
}

// draft-ietf-httpapi-ratelimit-headers-10, section 6.
std::string_view problem_type(const Denial& denial) {
  if (denial.reason == Reason::banned) return "https://iana.org/assignments/http-problem-types#abnormal-usage-detected";
  if (denial.reason == Reason::concurrency || denial.reason == Reason::store_lost || denial.status == 503)
    return "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
  return denial.status == 429 ? "https://iana.org/assignments/http-problem-types#quota-exceeded" : "about:blank";
}

void write_problem(const Words& words, const Denial& denial, const std::string& name, std::string& body) {
  body.append(R"({"type":")").append(problem_type(denial)).append(R"(","title":")").append(words.title);
  body.append(R"(","status":)").append(std::to_string(denial.status)).append(R"(,"detail":")");
  append_json(words.detail, body);
  body.append("\"");
  if (denial.status == 429 && is_limit(denial.reason)) {
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

std::string_view denial_body_name(DenialBody body) {
  switch (body) {
    case DenialBody::empty:
      return "empty";
    case DenialBody::page:
      return "page";
    case DenialBody::json_rpc:
      return "json-rpc";
    case DenialBody::xml_rpc:
      return "xml-rpc";
    case DenialBody::problem:
      return "problem";
  }
  return "";
}

void write_denial(const Denial& denial, net::Response& response) {
  response.clear();
  response.status = denial.status;
  response.header("cache-control", "no-store");
  std::string name;
  std::int64_t retry_seconds = 0;
  if (denial.status == 429 || denial.status == 503) {
    name = policy_name(denial);
    const std::uint32_t seconds_min = denial.status == 503 ? maintenance_retry_seconds
                                      : denial.route_class ? route_class_info(*denial.route_class).retry_after_min_seconds
                                                           : 0;
    retry_seconds = retry_after_seconds(denial.limit.wait, seconds_min, denial.random);
    response.header("retry-after", std::to_string(retry_seconds));
    if (denial.status == 429 && is_limit(denial.reason))
      write_rate_headers(denial, name, std::max<std::int64_t>(1, ceil_seconds(denial.limit.wait)), response);
  }
  if (denial.dialect == Dialect::nginx) {
    response.status = 403;
    response.header("x-guard-status", std::to_string(denial.status));
    if (retry_seconds > 0) response.header("x-guard-retry-after", std::to_string(retry_seconds));
    response.header("x-guard-body", denial_body_name(denial.body));
  }
  const Words words = words_of(denial);
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
