// What the tests of the webhook's handler put behind and before it: documents, a decision log, and a request as the loop hands it on.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "audit/log.hpp"
#include "base/clock.hpp"
#include "config/store.hpp"
#include "net/request.hpp"
#include "net/server.hpp"
#include "tests/catch.hpp"

namespace portcullis::test {

// The documents become a file of `directory`; the test fails when they are refused.
inline std::unique_ptr<config::Store> open_store(const std::filesystem::path& directory, const char* documents) {
  std::ofstream(directory / "documents.yaml") << documents;
  auto store = config::Store::open(directory, false);
  if (!store) {
    for (const Error& error : store.error()) UNSCOPED_INFO(error.message());
    FAIL("the documents of the test were refused");
  }
  return *std::move(store);
}

inline std::unique_ptr<audit::Log> open_log(const std::filesystem::path& directory) {
  audit::LogOptions options;
  options.file = directory / "decisions.jsonl";
  auto log = audit::Log::open(options);
  REQUIRE(log);
  return *std::move(log);
}

struct Posted {
  std::string target, body;
  std::string method = "POST";
  std::string content_type = "application/json";
  Clock::duration age = {};  // since its first byte came
};

inline net::Response answer_of(net::Handler& handler, const Posted& posted) {
  const std::string padded = posted.body + std::string(net::body_padding_bytes, '\0');
  const net::Field fields[] = {{"Content-Type", posted.content_type}};
  net::Request request;
  request.method = posted.method;
  request.target = posted.target;
  request.fields = fields;
  request.body = std::string_view(padded).substr(0, posted.body.size());
  request.received = Clock::now() - posted.age;
  net::Response response;
  handler.answer(request, response);
  return response;
}

}  // namespace portcullis::test
