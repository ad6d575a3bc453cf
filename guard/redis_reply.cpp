#include "guard/redis_reply.hpp"

#include <hiredis/read.h>

#include <algorithm>
#include <new>
#include <utility>

namespace portcullis::guard {

std::string_view RedisReply::error_code() const {
  if (kind != Kind::error) return {};
  const std::string_view word = std::string_view(text).substr(0, text.find(' '));
  constexpr std::size_t code_bytes_max = 32;
  const bool capital = std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
  return capital && word.size() <= code_bytes_max ? word : std::string_view();
}

// hiredis asks for an object for each element and never looks into it. All of a reply is built in the reader's own, so
// nothing is its to free; nullptr stops it for good.
struct RedisReader::Build {
  static RedisReply& of(const redisReadTask* task) { return static_cast<RedisReader*>(task->privdata)->building_; }

  static void* text(const redisReadTask* task, char* bytes, std::size_t size) {
    if (task->parent != nullptr || size > redis_reply_bytes_max) return nullptr;
    RedisReply& reply = of(task);
    reply.kind = task->type == REDIS_REPLY_ERROR    ? RedisReply::Kind::error
                 : task->type == REDIS_REPLY_STATUS ? RedisReply::Kind::status
                                                    : RedisReply::Kind::text;
    reply.text.assign(bytes, size);
    return &reply;
  }
  static void* array(const redisReadTask* task, int size) {
    if (task->parent != nullptr || size < 0 || static_cast<std::size_t>(size) > redis_reply_items_max) return nullptr;
    RedisReply& reply = of(task);
    reply.kind = RedisReply::Kind::array;
    reply.items.clear();
    return &reply;
  }
  static void* integer(const redisReadTask* task, long long value) {
    RedisReply& reply = of(task);
    if (task->parent != nullptr) {
      if (reply.items.size() == redis_reply_items_max) return nullptr;
      reply.items.push_back(value);
    } else {
      reply.kind = RedisReply::Kind::integer;
      reply.integer = value;
    }
    return &reply;
  }
  static void* nil(const redisReadTask* task) {
    if (task->parent != nullptr) return nullptr;
    RedisReply& reply = of(task);
    reply.kind = RedisReply::Kind::nil;
    return &reply;
  }
  static void free(void*) {}

  static redisReplyObjectFunctions functions;
};

redisReplyObjectFunctions RedisReader::Build::functions{text, array, integer, nil, free};

void RedisReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisReader::RedisReader() : reader_(redisReaderCreateWithFunctions(&Build::functions)) {
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = this;
}

RedisReader::~RedisReader() = default;

void RedisReader::feed(std::string_view bytes) {
  if (broken_ || bytes.empty()) return;
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) broken_ = true;
}

RedisReader::Next RedisReader::next(RedisReply& reply) {
  if (broken_) return Next::broken;
  void* got = nullptr;
  if (redisReaderGetReply(reader_.get(), &got) != REDIS_OK) {
    broken_ = true;
    return Next::broken;
  }
  if (got != nullptr) {
    std::swap(reply, building_);
    return Next::reply;
  }
  // What is left is the beginning of one reply.
  if (reader_->len - reader_->pos <= redis_reply_bytes_max) return Next::more;
  broken_ = true;
  return Next::broken;
}

}  // namespace portcullis::guard
