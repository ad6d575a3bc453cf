// A protocol driven without a socket: the same bytes, in one piece and in many, must lead to the same requests and answers.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "net/session.hpp"
#include "observe/log.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace portcullis::fuzz {

// Answers with what it was asked, and writes it down.
class Echo final : public net::Handler {
 public:
  std::string seen;
  void answer(const net::Request& request, net::Response& response) override {
    seen.append(request.method).append(" ").append(request.target).append("\n");
    for (const net::Field& field : request.fields) {
      must(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos, "a field is one line");
      must(!field.name.empty(), "a field has a name");
      seen.append(field.name).append(":").append(field.value).append("\n");
    }
    seen.append(request.body).append("\n");
    must(request.target.starts_with('/'), "a target begins with a slash");
    volatile char sink = 0;
    for (std::size_t i = 0; i < net::body_padding_bytes; ++i) sink = request.body.data()[request.body.size() + i];
    static_cast<void>(sink);
    response.clear();
    response.content_type = "text/plain";
    response.body.assign(request.method);
  }
};

struct Told {
  std::string seen, output;
  bool ended = false;
};

// `pieces`: how many bytes come at a time.
template <class Protocol>
Told drive(std::string_view input, std::size_t piece) {
  static const bool quiet = [] {
    observe::set_log_sink([](std::string_view) {});
    return true;
  }();
  static_cast<void>(quiet);
  Told told;
  Echo echo;
  net::LoopState loop;
  loop.door = "fuzz";
  loop.handler = &echo;
  loop.now = Clock::time_point(std::chrono::hours(1));
  net::ConnectionFacts facts;
  {
    Protocol session(loop, facts);
    net::Buffer in = loop.buffers.take();
    while (!input.empty() && !told.ended) {
      if (in.room_bytes() == 0) in.reserve(std::max(in.size() * 2, net::buffer_bytes_base));
      must(in.room_bytes() > 0, "a session that waits has room");
      const std::size_t count = std::min({piece, input.size(), in.room_bytes()});
      std::memcpy(in.room(), input.data(), count);
      in.added(count);
      input.remove_prefix(count);
      net::Step step = net::Step::again;
      for (int turns = 0; step == net::Step::again; ++turns) {
        must(turns < 10'000, "a session comes to an end");
        std::string out;
        step = session.advance(in, out);
        told.output += out;
      }
      told.ended = step == net::Step::finish || step == net::Step::drop;
    }
    static_cast<void>(session.deadline());
    if (!told.ended) {
      std::string out;
      static_cast<void>(session.tick(out));
      static_cast<void>(session.retire(out));
      static_cast<void>(session.last_call(out));
      session.time_out(out);
    }
  }
  must(loop.pending_bytes == 0, "what was held is given back");
  told.seen = std::move(echo.seen);
  return told;
}

}  // namespace portcullis::fuzz
