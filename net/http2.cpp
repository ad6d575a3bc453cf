#include "net/http2.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>

#include "observe/log.hpp"

namespace portcullis::net {
namespace {

constexpr std::size_t output_pause_bytes = 128 * 1024;
constexpr std::size_t body_bytes_first = 16 * 1024;  // one DATA frame
constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t field_overhead_bytes = 32;  // RFC 9113 6.5.2 counts each field so
constexpr std::chrono::seconds settings_time_max{10};
constexpr std::chrono::seconds goaway_pause{5};  // between "open no more" and the last stream that will be answered

std::string_view view(const std::uint8_t* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
  });
}

bool is_origin_form(std::string_view target) {
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool has_content(int status) { return status >= 200 && status != 204 && status != 304; }

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  // nghttp2 does not write through these; it copies what it keeps.
  auto* n = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));   // NOLINT(cppcoreguidelines-pro-type-const-cast)
  auto* v = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  return {n, v, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

// Names and values are copied into `text`, which keeps its memory from one stream to the next.
struct Http2::Stream {
  struct Span {
    std::size_t begin = 0, size = 0;
    [[nodiscard]] std::string_view in(const std::string& text) const { return std::string_view(text).substr(begin, size); }
  };

  std::int32_t id = 0;
  bool is_open = false, is_answered = false, is_waiting = false, is_sent = false, has_authority = false, has_host = false;
  std::uint64_t ticket = 0;  // while waiting
  std::string text, cookie;
  Span method, target, authority, host;
  std::vector<std::pair<Span, Span>> fields;
  std::size_t list_bytes = 0;  // as SETTINGS_MAX_HEADER_LIST_SIZE counts
  std::size_t field_count = 0;
  Buffer body;
  std::size_t held_bytes = 0;  // of the loop's pending bound
  std::string answer;
  std::size_t answer_sent = 0;
  Refusal refusal{.status = 0, .why = {}};
  Clock::time_point opened, wait_began, answered;

  Span keep(std::string_view bytes) {
    const Span span{text.size(), bytes.size()};
    text.append(bytes);
    return span;
  }
};

// nghttp2 speaks C: these find the object and the stream again.
struct Http2::Callbacks {
  static Http2& self(void* user) { return *static_cast<Http2*>(user); }
  static Stream* stream(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Stream* opened = self(user).open_stream(frame->hd.stream_id);
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, opened);
  }
  static int header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    Stream* of = stream(session, frame->hd.stream_id);
    if (!of || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // trailers are dropped
    return self(user).take_field(*of, view(name, name_size), view(value, value_size));
  }
  // A name of no length, upper case, a control character: nghttp2 alone would drop the field and go on.
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t, const std::uint8_t*, std::size_t,
                            std::uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  // Called for every frame, also of types that nobody knows.
  static int frame_begun(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    Http2& http2 = self(user);
    switch (head->type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_CONTINUATION:
        break;  // nghttp2 counts these
      case NGHTTP2_DATA:
        if (head->length == 0 && (head->flags & NGHTTP2_FLAG_END_STREAM) == 0) http2.pace_.control_frame(http2.loop_.now);
        break;
      default:
        http2.pace_.control_frame(http2.loop_.now);
    }
    if (http2.pace_.is_abusive()) http2.give_up("too many frames for too few requests");
    return 0;
  }
  static int frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2& http2 = self(user);
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) http2.settings_acknowledged_ = true;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Stream* of = stream(session, frame->hd.stream_id);
    if (!of) return 0;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      http2.complete(*of);
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
      http2.encourage(*of);
    }
    return 0;
  }
  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size, void* user) {
    if (Stream* of = stream(session, id)) self(user).take_body(*of, view(bytes, size));
    return 0;
  }
  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM) {
      self(user).pace_.stream_cut_short(self(user).loop_.now, self(user).loop_.now);  // beyond streams_max: it never was a Stream
    }
    const bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (!carries || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    Stream* of = stream(session, frame->hd.stream_id);
    if (!of) return 0;
    of->is_sent = true;
    // RFC 9113 8.1: answered before the request was whole (413); the rest is not wanted.
    if (nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }
  static int stream_closed(nghttp2_session* session, std::int32_t id, std::uint32_t, void* user) {
    if (Stream* of = stream(session, id)) self(user).closed(*of);
    return 0;
  }
  static ssize_t read_answer(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                             nghttp2_data_source* source, void* user) {
    Stream& of = *static_cast<Stream*>(source->ptr);
    const std::size_t count = std::min(room, of.answer.size() - of.answer_sent);
    std::memcpy(into, of.answer.data() + of.answer_sent, count);
    of.answer_sent += count;
    self(user).unsent_bytes_ -= count;
    if (of.answer_sent == of.answer.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  // Built once; every session copies it.
  static const nghttp2_session_callbacks* table() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* table = nullptr;
      if (nghttp2_session_callbacks_new(&table) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(table, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(table, header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(table, invalid_header);
      nghttp2_session_callbacks_set_on_begin_frame_callback(table, frame_begun);
      nghttp2_session_callbacks_set_on_frame_recv_callback(table, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, data);
      nghttp2_session_callbacks_set_on_frame_send_callback(table, frame_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(table, stream_closed);
      return table;
    }();
    return made;
  }
};

Http2::Http2(LoopState& loop, const ConnectionFacts& connection)
    : loop_(loop), connection_(connection), began_(loop.now), idle_since_(loop.now) {
  nghttp2_option* options = nullptr;
  if (nghttp2_option_new(&options) != 0) throw std::bad_alloc();
  nghttp2_option_set_max_outbound_ack(options, 256);
  nghttp2_option_set_no_closed_streams(options, 1);
  const int made = nghttp2_session_server_new2(&session_, Callbacks::table(), this, options);
  nghttp2_option_del(options);
  if (made != 0) throw std::bad_alloc();

  const Limits& limits = loop_.limits;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<std::uint32_t>(limits.streams_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes_max)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(limits.connection_window_bytes));
}

Http2::~Http2() {
  for (const auto& stream : streams_) {
    loop_.pending_bytes -= std::exchange(stream->held_bytes, 0);
    if (stream->is_waiting) abandon(loop_, stream->ticket);
  }
  nghttp2_session_del(session_);
}

Step Http2::advance(Buffer& in, std::string& out) {
  if (!in.empty()) {
    const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(in.data()), in.size());
    in.clear();  // nghttp2 keeps what is incomplete
    if (taken < 0) {
      loop_.counters.requests_malformed.add();
      log_refusal(loop_, connection_.peer, {.status = 0, .why = nghttp2_strerror(static_cast<int>(taken))});
      return Step::drop;
    }
  }
  return pump(out);
}

Step Http2::pump(std::string& out) {
  while (out.size() < output_pause_bytes) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) return Step::drop;
    if (size == 0) break;
    out.append(view(bytes, static_cast<std::size_t>(size)));
  }
  // One answer may be of any size; many that nobody fetches may not.
  if (unsent_answers_ > 1 && unsent_bytes_ > loop_.limits.output_bytes_max) return Step::drop;
  if (out.size() >= output_pause_bytes) return Step::again;
  if (given_up_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0)) return Step::finish;
  return Step::read;
}

Http2::Stream* Http2::open_stream(std::int32_t id) {
  if (spare_.empty()) {
    streams_.push_back(std::make_unique<Stream>());
    spare_.push_back(streams_.back().get());
  }
  Stream& stream = *spare_.back();
  spare_.pop_back();
  stream.id = id;
  stream.is_open = true;
  stream.opened = loop_.now;
  ++open_streams_;
  pace_.stream_opened(loop_.now);
  return &stream;
}

int Http2::take_field(Stream& stream, std::string_view name, std::string_view value) {
  stream.list_bytes += name.size() + value.size() + field_overhead_bytes;
  ++stream.field_count;
  if (stream.list_bytes > loop_.limits.header_bytes_max || stream.field_count > loop_.limits.header_fields_max) {
    stream.refusal = {431, "the header is too large"};
    // A few KB of HPACK can stand for many MB of fields: beyond twice the bound nobody means well.
    if (stream.list_bytes <= 2 * loop_.limits.header_bytes_max) return 0;
    give_up("a header far beyond its bound");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  if (name == ":method") {
    stream.method = stream.keep(value);
  } else if (name == ":path") {
    stream.target = stream.keep(value);
  } else if (name == ":authority") {
    stream.authority = stream.keep(value);
    stream.has_authority = true;
  } else if (name == "host") {
    stream.host = stream.keep(value);
    stream.has_host = true;
  } else if (name == "cookie") {
    // RFC 9113 8.2.3: crumbs are one field for everybody behind us.
    if (!stream.cookie.empty()) stream.cookie += "; ";
    stream.cookie += value;
  } else if (!name.starts_with(':')) {
    const auto kept = stream.keep(name);
    stream.fields.emplace_back(kept, stream.keep(value));
  }
  return 0;
}

void Http2::take_body(Stream& stream, std::string_view bytes) {
  if (stream.is_answered) return;  // refused already; what still comes is dropped
  const std::size_t size = stream.body.size() + bytes.size();
  if (stream.refusal.status == 0 && size > loop_.limits.body_bytes_max) stream.refusal = {413, "the body is too large"};
  if (stream.refusal.status == 0 && size > stream.body.capacity()) {
    const std::size_t wanted = std::max({size, stream.body.capacity() * 2, body_bytes_first});
    if (loop_.pending_bytes + wanted - stream.held_bytes > loop_.limits.pending_bytes_max) {
      loop_.counters.requests_shed.add();
      stream.refusal = {503, "too many bodies are being received"};
    } else {
      stream.body.reserve(wanted);
      loop_.pending_bytes += wanted - stream.held_bytes;
      stream.held_bytes = wanted;
    }
  }
  if (stream.refusal.status != 0) return refuse(stream, stream.refusal);
  std::memcpy(stream.body.room(), bytes.data(), bytes.size());
  stream.body.added(bytes.size());
}

// Expect: 100-continue (RFC 9110 10.1.1) is answered at once.
void Http2::encourage(Stream& stream) {
  const bool waits = std::any_of(stream.fields.begin(), stream.fields.end(), [&](const auto& field) {
    return field.first.in(stream.text) == "expect" && field.second.in(stream.text) == "100-continue";
  });
  if (!waits || stream.refusal.status != 0) return;
  const nghttp2_nv status = pair_of(":status", "100");
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &status, 1, nullptr);
}

void Http2::complete(Stream& stream) {
  if (stream.is_answered) return;
  const std::string_view method = stream.method.in(stream.text);
  const std::string_view target = stream.target.in(stream.text);
  const std::string_view authority = stream.authority.in(stream.text);
  const std::string_view host = stream.host.in(stream.text);
  if (stream.refusal.status != 0) return refuse(stream, stream.refusal);
  if (method == "CONNECT") return refuse(stream, {501, "CONNECT is not offered"});
  if (method.size() > method_bytes_max) return refuse(stream, {501, "the method is not known"});
  if (!is_token(method)) return refuse(stream, {400, "the method is malformed"});
  if (target.size() > loop_.limits.target_bytes_max) return refuse(stream, {414, "the request target is too long"});
  if (!is_origin_form(target)) return refuse(stream, {400, "the request target must begin with a slash and be ASCII"});
  if (stream.has_authority && stream.has_host && authority != host) return refuse(stream, {400, ":authority and host differ"});

  fields_.clear();
  fields_.push_back({"host", stream.has_authority ? authority : host});
  for (const auto& [name, value] : stream.fields) fields_.push_back({name.in(stream.text), value.in(stream.text)});
  if (!stream.cookie.empty()) fields_.push_back({"cookie", stream.cookie});
  if (!stream.body.allocated()) stream.body = Buffer(0);  // an empty body has its padding too
  answer_safely(loop_, connection_,
                Request{
                    .method = method,
                    .target = target,
                    .fields = fields_,
                    .body = stream.body.view(),
                    .peer = connection_.peer,
                    .client_name = connection_.client_name,
                    .tls = connection_.tls,
                    .http2 = true,
                    .draining = loop_.draining,
                    .received = stream.opened,
                });
  ++requests_;
  loop_.counters.requests_http2.add();
  give(stream);
}

void Http2::give(Stream& stream) {
  if (loop_.response.waits()) {
    if (!std::exchange(stream.is_waiting, true)) stream.wait_began = loop_.now;
    stream.ticket = loop_.response.ticket();
    loop_.pending_bytes -= std::exchange(stream.held_bytes, 0);
    stream.body = Buffer{};
    return;
  }
  stream.is_waiting = false;
  if (loop_.response.close && !retired_) {
    retired_ = last_called_ = true;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_NO_ERROR, nullptr, 0);
  }
  submit(stream);
}

Step Http2::finish(std::uint64_t ticket, std::string& out) {
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s->is_waiting && s->ticket == ticket; });
  if (found == streams_.end()) return pump(out);
  finish_safely(loop_, connection_, ticket);
  give(**found);
  return pump(out);
}

void Http2::refuse(Stream& stream, const Refusal& refusal) {
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
  submit(stream);
}

void Http2::submit(Stream& stream) {
  Response& response = loop_.response;
  stream.is_answered = true;
  stream.answered = loop_.now;
  loop_.pending_bytes -= std::exchange(stream.held_bytes, 0);

  char status[8], length[24];
  const auto text_of = [](char* text, std::size_t room, std::size_t number) {
    return std::string_view(text, static_cast<std::size_t>(std::to_chars(text, text + room, number).ptr - text));
  };
  answer_fields_.clear();
  answer_fields_.push_back(pair_of(":status", text_of(status, sizeof status, static_cast<std::size_t>(response.status))));
  answer_fields_.push_back(pair_of("date", loop_.date.value(loop_.now)));
  if (!response.content_type.empty()) answer_fields_.push_back(pair_of("content-type", response.content_type));
  for (const Response::Header& header : response.headers()) answer_fields_.push_back(pair_of(header.name, header.value));
  if (has_content(response.status)) {
    answer_fields_.push_back(pair_of("content-length", text_of(length, sizeof length, response.body.size())));
  }
  const bool head_only = stream.method.in(stream.text) == "HEAD";
  const bool has_data = !head_only && has_content(response.status) && !response.body.empty();
  nghttp2_data_provider provider{};
  if (has_data) {
    std::swap(stream.answer, response.body);  // both keep their memory
    stream.answer_sent = 0;
    unsent_bytes_ += stream.answer.size();
    ++unsent_answers_;
    provider.source.ptr = &stream;
    provider.read_callback = Callbacks::read_answer;
  }
  nghttp2_submit_response(session_, stream.id, answer_fields_.data(), answer_fields_.size(), has_data ? &provider : nullptr);
}

void Http2::closed(Stream& stream) {
  if (!stream.is_sent) {
    pace_.stream_cut_short(stream.opened, loop_.now);
    if (pace_.is_abusive()) give_up("too many streams end without their answer");
  }
  release(stream);
}

void Http2::release(Stream& stream) {
  loop_.pending_bytes -= std::exchange(stream.held_bytes, 0);
  if (std::exchange(stream.is_waiting, false)) abandon(loop_, stream.ticket);
  if (!stream.answer.empty()) {
    unsent_bytes_ -= stream.answer.size() - stream.answer_sent;
    --unsent_answers_;
  }
  stream.is_open = stream.is_answered = stream.is_sent = stream.has_authority = stream.has_host = false;
  stream.text.clear();
  stream.cookie.clear();
  stream.fields.clear();
  stream.method = stream.target = stream.authority = stream.host = {};
  stream.list_bytes = stream.field_count = stream.answer_sent = 0;
  stream.answer.clear();
  stream.refusal = {.status = 0, .why = {}};
  if (stream.body.capacity() > body_bytes_first) stream.body = Buffer{};
  stream.body.clear();
  spare_.push_back(&stream);
  if (--open_streams_ == 0) idle_since_ = loop_.now;
}

void Http2::give_up(std::string_view why) {
  if (std::exchange(given_up_, true)) return;
  loop_.counters.requests_malformed.add();
  log_refusal(loop_, connection_.peer, {.status = 0, .why = why});
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

// Each stream has its own total deadlines: for arriving whole, then for its answer to be taken.
Step Http2::tick(std::string& out) {
  const Limits& limits = loop_.limits;
  if (!settings_acknowledged_ && loop_.now - began_ > settings_time_max) {
    nghttp2_session_terminate_session(session_, NGHTTP2_SETTINGS_TIMEOUT);
  }
  if (open_streams_ > 0) {
    for (const auto& stream : streams_) {
      if (!stream->is_open) continue;
      if (stream->is_waiting) {
        if (loop_.now - stream->wait_began < limits.wait_time_max) continue;
        stream->is_waiting = false;
        refuse(*stream, give_up_waiting(loop_, connection_.peer, stream->ticket));
        continue;
      }
      const Deadline deadline = stream->is_answered ? stream->answered + limits.write_time_max : stream->opened + limits.body_time_max;
      if (loop_.now > deadline) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
    }
  }
  if (retired_ && !last_called_ && !loop_.draining && loop_.now - retired_at_ > goaway_pause) return last_call(out);
  return pump(out);
}

// RFC 9113 6.8: first a GOAWAY that names no stream, so that what is on its way is still answered.
Step Http2::retire(std::string& out) {
  if (!std::exchange(retired_, true)) {
    retired_at_ = loop_.now;
    nghttp2_submit_shutdown_notice(session_);
  }
  return pump(out);
}

Step Http2::last_call(std::string& out) {
  retired_ = true;
  if (!std::exchange(last_called_, true)) {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR, nullptr, 0);
  }
  return pump(out);
}

Deadline Http2::deadline() const { return open_streams_ > 0 ? Deadline::max() : idle_since_ + loop_.limits.idle_time_max; }

void Http2::time_out(std::string& out) {
  nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  pump(out);
}

}  // namespace portcullis::net
