#include "net/client_http2.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

namespace portcullis::net {
namespace {

constexpr std::size_t output_piece_bytes = 256 * 1024;
constexpr std::size_t acknowledgements_max = 256;  // queued; a peer that asks and never reads is closed

std::string_view view(const std::uint8_t* bytes, std::size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

nghttp2_nv pair_of(std::string_view name, std::string_view value, std::uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
  // nghttp2 does not write through these; it copies what it keeps.
  auto* n = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));   // NOLINT(cppcoreguidelines-pro-type-const-cast)
  auto* v = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  return {n, v, name.size(), value.size(), flags};
}

}  // namespace

struct ClientHttp2::Stream {
  std::int32_t id = 0;
  ClientCall* call = nullptr;  // null: its caller has left, or has all of its answer
  std::size_t sent = 0;        // of the request's body
};

struct ClientHttp2::Callbacks {
  static ClientHttp2& self(void* user) { return *static_cast<ClientHttp2*>(user); }
  static Stream* stream(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static bool is_answer(const nghttp2_frame* frame) {
    return frame->hd.type == NGHTTP2_HEADERS && (frame->headers.cat == NGHTTP2_HCAT_RESPONSE || frame->headers.cat == NGHTTP2_HCAT_HEADERS);
  }

  static int header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    Stream* of = stream(session, frame->hd.stream_id);
    if (!of || !of->call || !is_answer(frame)) return 0;
    const std::string_view n = view(name, name_size), v = view(value, value_size);
    bool wanted = true;
    if (n == ":status") {
      int status = 0;
      std::from_chars(v.data(), v.data() + v.size(), status);  // nghttp2 has seen to its three digits
      wanted = of->call->take_status(status);
    } else {
      wanted = of->call->take_field(n, v);
    }
    if (!wanted) self(user).cut(*of);
    return 0;
  }
  // Upper case, a control character: nghttp2 alone would drop the field and go on.
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t, const std::uint8_t*, std::size_t,
                            std::uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    ClientHttp2& http2 = self(user);
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) http2.settings_seen_ = true;
    if (frame->hd.type == NGHTTP2_GOAWAY) http2.goaway_ = true;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Stream* of = stream(session, frame->hd.stream_id);
    if (!of || !of->call) return 0;
    const bool informational = of->call->answer().status < 200;
    if (is_answer(frame) && !of->call->has_head() && !informational && !of->call->take_head()) http2.cut(*of);
    if (of->call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      std::exchange(of->call, nullptr)->finish();
      // RFC 9113 8.1: answered before the request was whole; the rest of it is not wanted.
      if (nghttp2_session_get_stream_local_close(session, of->id) == 0) http2.cut(*of);
    }
    return 0;
  }
  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size, void* user) {
    Stream* of = stream(session, id);
    if (of && of->call && !of->call->take_body(view(bytes, size))) self(user).cut(*of);
    return 0;
  }
  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    ClientHttp2& http2 = self(user);
    const auto found = http2.streams_.find(id);
    if (found == http2.streams_.end()) return 0;
    if (ClientCall* call = found->second->call) {
      const bool refused = error == NGHTTP2_REFUSED_STREAM;
      call->give_up(ErrorKind::unavailable,
                    refused ? "the peer took no further stream" : std::string("the stream was cut off: ") + nghttp2_http2_strerror(error),
                    refused);
    }
    http2.streams_.erase(found);
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                           nghttp2_data_source* source, void*) {
    Stream& of = *static_cast<Stream*>(source->ptr);
    if (!of.call) return NGHTTP2_ERR_DEFERRED;  // a reset is on its way
    const std::string& body = of.call->request().body;
    const std::size_t count = std::min(room, body.size() - of.sent);
    std::memcpy(into, body.data() + of.sent, count);
    of.sent += count;
    if (of.sent == body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  static const nghttp2_session_callbacks* table() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* table = nullptr;
      if (nghttp2_session_callbacks_new(&table) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_header_callback(table, header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(table, invalid_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(table, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, data);
      nghttp2_session_callbacks_set_on_stream_close_callback(table, stream_closed);
      return table;
    }();
    return made;
  }
};

ClientHttp2::ClientHttp2(std::string authority, const ClientLimits& limits, std::string peer)
    : authority_(std::move(authority)), peer_(std::move(peer)), limits_(limits) {
  nghttp2_option* options = nullptr;
  if (nghttp2_option_new(&options) != 0) throw std::bad_alloc();
  nghttp2_option_set_max_outbound_ack(options, acknowledgements_max);
  nghttp2_option_set_no_closed_streams(options, 1);
  const int made = nghttp2_session_client_new2(&session_, Callbacks::table(), this, options);
  nghttp2_option_del(options);
  if (made != 0) throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits_.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.header_bytes_max)},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(limits_.connection_window_bytes));
}

ClientHttp2::~ClientHttp2() { nghttp2_session_del(session_); }

bool ClientHttp2::has_room() const {
  std::size_t streams_max = limits_.streams_max;
  if (settings_seen_) {
    streams_max =
        std::min<std::size_t>(streams_max, nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
  }
  return !over_ && !goaway_ && streams_.size() < streams_max && nghttp2_session_check_request_allowed(session_) != 0;
}

bool ClientHttp2::is_finished() const {
  if (over_ || (goaway_ && streams_.empty())) return true;
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void ClientHttp2::start(ClientCall& call) {
  const ClientRequest& request = call.request();
  std::vector<nghttp2_nv> fields{pair_of(":method", request.method), pair_of(":scheme", "https"), pair_of(":authority", authority_),
                                 pair_of(":path", request.target)};
  for (const auto& [name, value] : request.fields) {
    // RFC 7541 7.1.3: a secret stays out of the compression's table.
    fields.push_back(pair_of(name, value, name == "authorization" ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE));
  }
  if (request.gzip) fields.push_back(pair_of("accept-encoding", "gzip"));
  const std::string length = std::to_string(request.body.size());
  if (!request.body.empty()) fields.push_back(pair_of("content-length", length));

  auto stream = std::make_unique<Stream>();
  stream->call = &call;
  nghttp2_data_provider provider{};
  provider.source.ptr = stream.get();
  provider.read_callback = Callbacks::read_body;
  const std::int32_t id =
      nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), request.body.empty() ? nullptr : &provider, stream.get());
  if (id < 0) {
    goaway_ = true;  // its stream ids are used up, or it is about to end
    call.give_up(ErrorKind::unavailable, nghttp2_strerror(id), true);
    return;
  }
  stream->id = id;
  streams_.emplace(id, std::move(stream));
}

void ClientHttp2::stop(ClientCall& call) {
  for (auto& [id, stream] : streams_) {
    if (stream->call != &call) continue;
    cut(*stream);
    return;
  }
}

void ClientHttp2::cut(Stream& stream) {
  stream.call = nullptr;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
}

std::optional<Error> ClientHttp2::feed(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken >= 0) return std::nullopt;
  return Error{.kind = ErrorKind::invalid, .where = peer_, .what = std::string("not HTTP/2: ") + nghttp2_strerror(static_cast<int>(taken))};
}

void ClientHttp2::end_of_input(bool) { over_ = true; }

void ClientHttp2::close(const Error& why) {
  over_ = true;
  for (auto& [id, stream] : streams_) {
    if (ClientCall* call = std::exchange(stream->call, nullptr)) call->give_up(why, false);
  }
}

void ClientHttp2::take_output(std::string& out) {
  out.clear();
  while (!over_ && out.size() < output_piece_bytes) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) return;
    out.append(view(bytes, static_cast<std::size_t>(size)));
  }
}

bool ClientHttp2::ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  return true;
}

}  // namespace portcullis::net
