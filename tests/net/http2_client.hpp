// A well-behaved HTTP/2 client for tests, framed by nghttp2.
#pragma once

#include <nghttp2/nghttp2.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/net/client.hpp"

namespace portcullis::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

class Http2Client {
 public:
  struct Answer {
    std::string status, body;
    std::map<std::string, std::string> fields;
    bool is_whole = false;
    std::uint32_t error = 0;
    std::string sends;
    std::size_t sent = 0;
    int continues = 0;
  };

  explicit Http2Client(std::uint16_t port) : client_(port, {.protocol = "h2"}) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
          Answer& answer = static_cast<Http2Client*>(user)->answers[frame->hd.stream_id];
          const std::string n(reinterpret_cast<const char*>(name), name_size), v(reinterpret_cast<const char*>(value), value_size);
          if (n == ":status" && v == "100") {
            ++answer.continues;
          } else if (n == ":status") {
            answer.status = v;
          } else {
            answer.fields[n] = v;
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size, void* user) {
          static_cast<Http2Client*>(user)->answers[id].body.append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                           [](nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
                                                             Answer& answer = static_cast<Http2Client*>(user)->answers[id];
                                                             answer.error = error;
                                                             answer.is_whole = true;
                                                             --static_cast<Http2Client*>(user)->open_;
                                                             return 0;
                                                           });
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Http2Client() { nghttp2_session_del(session_); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  std::int32_t ask(const std::string& method, const std::string& path, const std::string& body = {}, const Fields& more = {}) {
    Fields fields{{":method", method}, {":scheme", "https"}, {":authority", "a"}, {":path", path}};
    fields.insert(fields.end(), more.begin(), more.end());
    std::vector<nghttp2_nv> pairs;
    for (auto& [name, value] : fields) {
      pairs.push_back(
          {reinterpret_cast<std::uint8_t*>(name.data()), reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(), 0});
    }
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                                nghttp2_data_source* source, void*) -> ssize_t {
      Answer& answer = static_cast<Http2Client*>(source->ptr)->answers[id];
      const std::size_t count = std::min(room, answer.sends.size() - answer.sent);
      std::memcpy(into, answer.sends.data() + answer.sent, count);
      answer.sent += count;
      if (answer.sent == answer.sends.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(count);
    };
    const auto id = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), body.empty() ? nullptr : &provider, nullptr);
    answers[id].sends = body;
    ++open_;
    return id;
  }
  // Sends and receives until every stream is closed; false when the connection ended first.
  bool run() {
    while (open_ > 0) {
      if (!turn()) return false;
    }
    return true;
  }
  bool turn() {
    const std::uint8_t* bytes = nullptr;
    for (;;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      if (size <= 0) break;
      if (!client_.send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)})) return false;
    }
    const std::string got = client_.receive();
    return !got.empty() && nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(got.data()), got.size()) >= 0;
  }
  Answer& only(std::int32_t id) {
    run();
    return answers[id];
  }
  [[nodiscard]] bool is_connected() const { return client_.is_connected(); }
  nghttp2_session* session() { return session_; }

  std::map<std::int32_t, Answer> answers;

 private:
  Client client_;
  nghttp2_session* session_ = nullptr;
  int open_ = 0;
};

}  // namespace portcullis::test
