#include "net/http1.hpp"

#include <algorithm>
#include <charconv>

namespace portcullis::net {
namespace {

// Answers to pipelined requests are gathered up to this size before they are written.
constexpr std::size_t output_pause_bytes = 128 * 1024;

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_status(std::string& out, int status) {
  if (status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
    return;
  }
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(status));
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
}

bool has_content(int status) { return status >= 200 && status != 204 && status != 304; }

struct Ending {
  bool keep_alive = false, say_keep_alive = false, head_only = false;
};

void append_response(std::string& out, const Response& response, std::string_view date_line, Ending ending) {
  append_status(out, response.status);
  out += date_line;
  if (!response.content_type.empty()) {
    out += "content-type: ";
    out += response.content_type;
    out += "\r\n";
  }
  for (const Response::Header& header : response.headers()) {
    out += header.name;
    out += ": ";
    out += header.value;
    out += "\r\n";
  }
  if (has_content(response.status)) {
    out += "content-length: ";
    append_number(out, response.body.size());
    out += "\r\n";
  }
  if (!ending.keep_alive) out += "connection: close\r\n";
  if (ending.say_keep_alive) out += "connection: keep-alive\r\n";
  out += "\r\n";
  if (has_content(response.status) && !ending.head_only) out += response.body;
}

}  // namespace

Http1::Http1(LoopState& loop, const ConnectionFacts& connection) : loop_(loop), connection_(connection), since_(loop.now) {}

Http1::~Http1() {
  hold(0);
  if (state_ == State::waiting) abandon(loop_, ticket_);
}

void Http1::hold(std::size_t bytes) {
  loop_.pending_bytes += bytes - held_bytes_;
  held_bytes_ = bytes;
}

Step Http1::advance(Buffer& in, std::string& out) {
  while (state_ != State::over && state_ != State::waiting && !in.empty()) {
    if (out.size() >= output_pause_bytes) return Step::again;
    if (state_ == State::idle) {
      state_ = State::head;
      wants_head_only_ = false;
      since_ = received_ = loop_.now;
    }
    if (state_ == State::head && !read_head(in, out)) break;
    if (state_ == State::body && !read_body(in, out)) break;
    answer(in, out);
  }
  if (state_ == State::waiting) return Step::hold;
  return state_ == State::over ? Step::finish : Step::read;
}

// True once the head is whole and good.
bool Http1::read_head(Buffer& in, std::string& out) {
  std::optional<Refusal> refusal;
  // RFC 9112 2.2: an empty line before a request is skipped. One, since old clients sent one after a POST.
  if (requests_ > 0 && scan_.untouched() && in.view() == "\r") return false;  // its other half is on the way
  if (requests_ > 0 && scan_.untouched() && in.view().starts_with("\r\n")) {
    in.consume(2);
    if (in.empty()) {
      state_ = State::idle;
      return false;
    }
  }
  head_bytes_ = scan_.find_end(in.view(), loop_.limits, refusal);
  if (!refusal && head_bytes_ == 0) {
    if (in.room_bytes() == 0) in.reserve(std::max(in.size() * 2, buffer_bytes_base));
    return false;
  }
  if (!refusal) refusal = parse_head(in.view().substr(0, head_bytes_), loop_.limits, head_);
  // Kept apart from the head's views, which point nowhere once the buffer has grown.
  wants_head_only_ = in.view().starts_with("HEAD ");
  if (refusal) {
    refuse(*refusal, out);
    return false;
  }
  base_ = in.data();
  content_bytes_ = raw_bytes_ = 0;
  continue_sent_ = false;
  if (head_.chunked) {
    chunks_.emplace(loop_.limits.body_bytes_max);
  } else {
    chunks_.reset();
  }
  state_ = State::body;
  since_ = loop_.now;
  return true;
}

// True once the body is whole and in one piece behind the head.
bool Http1::read_body(Buffer& in, std::string& out) {
  if (chunks_) {
    const std::size_t begin = head_bytes_ + content_bytes_;
    const auto progress = chunks_->decode(in.data() + begin, in.size() - begin);
    content_bytes_ += progress.content;
    switch (progress.state) {
      case ChunkDecoder::State::done:
        raw_bytes_ = begin + progress.read;
        return true;
      case ChunkDecoder::State::malformed:
        refuse({400, "the chunked body is malformed"}, out);
        return false;
      case ChunkDecoder::State::too_large:
        refuse({413, "the body is too large"}, out);
        return false;
      case ChunkDecoder::State::more:
        break;
    }
    in.truncate(head_bytes_ + content_bytes_);
  } else {
    content_bytes_ = std::min<std::size_t>(in.size() - head_bytes_, head_.content_length);
    if (content_bytes_ == head_.content_length) {
      raw_bytes_ = head_bytes_ + content_bytes_;
      return true;
    }
  }
  if (head_.expects_continue && !continue_sent_ && content_bytes_ == 0) {
    out += "HTTP/1.1 100 Continue\r\n\r\n";
    continue_sent_ = true;
  }
  // Memory follows what has really arrived, at most twice as much: a claimed length alone costs us nothing.
  std::size_t wanted = std::max(in.size() * 2, buffer_bytes_base);
  if (!chunks_) wanted = std::min<std::size_t>(wanted, head_bytes_ + head_.content_length);
  if (in.room_bytes() >= buffer_bytes_base / 2 || wanted <= in.size()) return false;
  make_room(in, wanted, out);
  return false;
}

bool Http1::make_room(Buffer& in, std::size_t wanted, std::string& out) {
  const std::size_t beyond_base = wanted > buffer_bytes_base ? wanted - buffer_bytes_base : 0;
  if (beyond_base > held_bytes_ && loop_.pending_bytes + beyond_base - held_bytes_ > loop_.limits.pending_bytes_max) {
    loop_.counters.requests_shed.add();
    refuse({503, "too many bodies are being received"}, out);
    return false;
  }
  in.reserve(wanted);
  hold(std::max(beyond_base, held_bytes_));
  return true;
}

void Http1::answer(Buffer& in, std::string& out) {
  head_.rebase(base_, in.data());
  base_ = in.data();
  const Request request{
      .method = head_.method,
      .target = head_.target,
      .fields = head_.fields,
      .body = {in.data() + head_bytes_, content_bytes_},
      .peer = connection_.peer,
      .client_name = connection_.client_name,
      .tls = connection_.tls,
      .http2 = false,
      .draining = loop_.draining,
      .received = received_,
  };
  answer_safely(loop_, connection_, request);
  ++requests_;
  loop_.counters.requests_http1.add();
  in.consume(raw_bytes_);
  scan_.reset();
  hold(0);
  since_ = loop_.now;
  give(out);
}

void Http1::give(std::string& out) {
  if (loop_.response.waits()) {
    ticket_ = loop_.response.ticket();
    state_ = State::waiting;
    return;
  }
  const bool keep_alive = head_.keep_alive && !loop_.response.close && !retired_ && !loop_.draining;
  const Ending ending{.keep_alive = keep_alive, .say_keep_alive = keep_alive && !head_.http11, .head_only = wants_head_only_};
  append_response(out, loop_.response, loop_.date.line(loop_.now), ending);
  since_ = loop_.now;
  state_ = ending.keep_alive ? State::idle : State::over;
}

Step Http1::finish(std::uint64_t ticket, std::string& out) {
  finish_safely(loop_, connection_, ticket);
  give(out);
  if (state_ == State::waiting) return Step::hold;
  return state_ == State::over ? Step::finish : Step::read;
}

// Whatever follows a refused request is not to be trusted to begin where we think: the connection ends.
void Http1::refuse(const Refusal& refusal, std::string& out) {
  if (refusal.status != 503) {
    loop_.counters.requests_malformed.add();
    log_refusal(loop_, connection_.peer, refusal);
  }
  Response& response = loop_.response;
  response.clear();
  response.status = refusal.status;
  response.content_type = "text/plain; charset=utf-8";
  response.body.assign(refusal.why).append("\n");
  if (refusal.status == 503) response.header("retry-after", "1");
  append_response(out, response, loop_.date.line(loop_.now), {.keep_alive = false, .head_only = wants_head_only_});
  state_ = State::over;
  hold(0);
}

// A client may be about to use an idle connection: it stays, and the next answer says close.
Step Http1::retire(std::string&) {
  retired_ = true;
  return Step::read;
}

Deadline Http1::deadline() const {
  switch (state_) {
    case State::idle:
      return since_ + loop_.limits.idle_time_max;
    case State::head:
      return since_ + loop_.limits.header_time_max;
    case State::body:
      return since_ + loop_.limits.body_time_max;
    case State::waiting:
      return since_ + loop_.limits.wait_time_max;
    case State::over:
      break;
  }
  return since_ + loop_.limits.write_time_max;
}

std::string_view Http1::waiting_for() const {
  switch (state_) {
    case State::idle:
      return "request";
    case State::head:
      return "header";
    case State::body:
      return "body";
    case State::waiting:
      return "answer";
    case State::over:
      break;
  }
  return "end";
}

void Http1::time_out(std::string& out) {
  if (state_ == State::head) {
    refuse({408, "the header took too long"}, out);
  } else if (state_ == State::body) {
    refuse({408, "the body took too long"}, out);
  } else if (state_ == State::waiting) {
    refuse(give_up_waiting(loop_, connection_.peer, ticket_), out);
  }
}

}  // namespace portcullis::net
