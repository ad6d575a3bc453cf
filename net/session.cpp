// What both protocols share: the date, the handler's call, refusals in the log, the words for a status.
#include "net/session.hpp"

#include <ctime>
#include <exception>

#include "base/text.hpp"
#include "observe/log.hpp"

namespace portcullis::net {

std::string_view DateLine::line(Clock::time_point now) {
  if (line_.empty() || now - made_ >= std::chrono::seconds(1)) {
    made_ = now;
    const std::time_t seconds = WallClock::to_time_t(WallClock::now());
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    // RFC 9110 5.6.7. The program never leaves the C locale for times, so the names are English.
    const std::size_t size = std::strftime(text, sizeof text, "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    line_.assign(text, size);
  }
  return line_;
}

namespace {

void fail_request(LoopState& loop, const Peer& peer, std::string_view what) {
  loop.counters.requests_failed.add();
  observe::log(observe::Level::error, "handler_failed", {{"door", loop.door}, {"peer", peer.text()}, {"error", printable(what)}});
  loop.response.clear();
  loop.response.status = 500;
  loop.response.content_type = "text/plain; charset=utf-8";
  loop.response.body = "internal error\n";
  loop.response.close = true;
}

template <class Ask>
void ask_safely(LoopState& loop, const ConnectionFacts& connection, Ask ask) {
  loop.response.clear();
  std::string what;
  try {
    ask();
    if (!loop.response.waits()) return;
    if (loop.waiting.try_emplace(loop.response.ticket(), connection.connection).second) return;
    what = "a ticket that waits already";
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "an exception of unknown type";
  }
  fail_request(loop, connection.peer, what);
}

}  // namespace

void answer_safely(LoopState& loop, const ConnectionFacts& connection, const Request& request) {
  ask_safely(loop, connection, [&] { loop.handler->answer(request, loop.response); });
}

void finish_safely(LoopState& loop, const ConnectionFacts& connection, std::uint64_t ticket) {
  loop.waiting.erase(ticket);
  ask_safely(loop, connection, [&] { loop.handler->finish(ticket, loop.response); });
}

void abandon(LoopState& loop, std::uint64_t ticket) {
  loop.waiting.erase(ticket);
  loop.handler->abandoned(ticket);
}

Refusal give_up_waiting(LoopState& loop, const Peer& peer, std::uint64_t ticket) {
  abandon(loop, ticket);
  loop.counters.requests_failed.add();
  observe::log_limited(observe::Level::error, "answer_missing", {{"door", loop.door}, {"peer", peer.text()}});
  return {503, "the answer took too long"};
}

void log_refusal(LoopState& loop, const Peer& peer, const Refusal& refusal) {
  observe::log_limited(observe::Level::info, "request_refused",
                       {{"door", loop.door}, {"peer", peer.text()}, {"status", refusal.status}, {"reason", refusal.why}});
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

}  // namespace portcullis::net
