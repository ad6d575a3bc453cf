// The writing thread: collects what the loops left in their rings, numbers it, and writes it in batches.
//
// INVARIANT: `seq` is given here and nowhere else, so it is dense in the order of the file. A line that was begun is ended
// before another starts; on a new file it starts over.
#include "audit/log.hpp"

#include <openssl/crypto.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "audit/keyed_hash.hpp"
#include "audit/line.hpp"
#include "audit/output.hpp"
#include "audit/ring.hpp"
#include "base/clock.hpp"
#include "observe/log.hpp"

namespace portcullis::audit {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t batch_bytes_max = 256 * 1024;
constexpr milliseconds batch_time_max{10};   // a record waits at most this long before it is written
constexpr unsigned quiet_naps_max = 50;      // half a second without a record, then sleep until woken
constexpr milliseconds write_wait_max{100};  // how long a full pipe may keep us from looking for a stop
constexpr milliseconds backoff_min{10}, backoff_max{1000};
constexpr std::size_t cold_records_max = 1024;  // changes of the documents, waiting to be written
constexpr std::size_t input_hash_digits = 32, client_hash_digits = 16;
constexpr std::size_t client_hashes_max = 4096;

}  // namespace

struct Log::Impl {
  Impl(Output opened, KeyedHash keyed, LogOptions given)
      : options(std::move(given)),
        output(std::move(opened)),
        hash(std::move(keyed)),
        loops_hash(hash.copy()),
        start_of_line(line_start(options.origin)) {
    append_hex(boot, random_bytes(16));
    batch.reserve(batch_bytes_max + line_bytes_max);
  }

  void run();
  bool collect();
  void append_line(std::string_view before, std::string_view after, std::string_view secret, Secret kind);
  void append_gap(std::uint64_t lost, std::string_view why);
  std::string_view client_hash(std::string_view client);
  bool deliver();
  void reopen_output();
  bool has_records();
  void sleep();
  void wake();
  void announce_progress();
  char* wait_for_room(Ring& ring);
  template <class Done>
  bool wait_until(std::unique_lock<std::mutex>& lock, Done done) {
    return progress.wait_for(lock, options.disk_wait_max, done);
  }

  const LogOptions options;
  std::string boot;

  // The writing thread's own.
  Output output;
  KeyedHash hash;
  const KeyedHash loops_hash;  // used by nobody, copied for each loop
  const std::string start_of_line;
  std::uint64_t next_seq = 0;
  std::string batch;  // whole lines
  std::size_t batch_written = 0;
  bool is_failing = false;
  milliseconds backoff = backoff_min;
  std::size_t first_ring = 0;
  unsigned quiet_naps = 0;
  std::unordered_map<std::string, std::string> client_hashes;
  std::vector<std::shared_ptr<Ring>> rings_now;

  std::atomic<std::uint64_t> records{0}, dropped{0}, write_errors{0}, waits{0};
  std::atomic<bool> asleep{false};

  std::mutex mutex;
  std::condition_variable work, progress;  // for the writing thread; for those who wait for it
  // Under `mutex`:
  std::vector<std::shared_ptr<Ring>> rings;
  std::deque<std::string> cold;
  std::uint64_t cold_lost = 0;
  bool is_woken = false, is_stopping = false;
  Clock::time_point give_up_at{};
  std::uint64_t flush_asked = 0, flush_done = 0, reopen_asked = 0, reopen_done = 0;

  std::thread thread;
};

// ---- the loops' side

namespace {

// Only what the guard let through may be lost without a wait: it changed nothing and there is most of it.
bool may_be_dropped(const AdmissionRecord&) { return false; }
bool may_be_dropped(const GuardRecord& record) { return record.verdict == "pass"; }

std::string_view secret_of(const AdmissionRecord& record) { return record.input; }
std::string_view secret_of(const GuardRecord& record) {
  return {reinterpret_cast<const char*>(record.client.data()), record.client.size()};
}

constexpr Secret kind_of(const AdmissionRecord&) { return Secret::input; }
constexpr Secret kind_of(const GuardRecord&) { return Secret::client; }

template <class Impl>
class LoopWriter final : public Log::Writer {
 public:
  LoopWriter(Impl& log, std::shared_ptr<Ring> ring, KeyedHash hash)
      : log_(log), ring_(std::move(ring)), format_(log.boot), hash_(std::move(hash)) {}
  ~LoopWriter() override { ring_->abandoned.store(true, std::memory_order_release); }

  void record(const AdmissionRecord& record) override { put(record); }
  void record(const GuardRecord& record) override { put(record); }

 private:
  template <class Record>
  void put(const Record& record) {
    char* room = ring_->reserve();
    if (room == nullptr && may_be_dropped(record)) {
      ring_->lost_full.fetch_add(1, std::memory_order_relaxed);
      log_.dropped.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (room == nullptr && (room = log_.wait_for_room(*ring_)) == nullptr) return;
    const LineSizes sizes = format_.write(record, Moment::now(), room);
    std::string_view secret = secret_of(record);
    Secret kind = secret.empty() ? Secret::none : kind_of(record);
    if (secret.size() > frame_secret_bytes_max) {
      digits_.clear();
      hash_.append(digits_, secret, input_hash_digits);
      secret = digits_;
      kind = Secret::hashed_input;
    }
    if (!secret.empty()) std::memcpy(room + sizes.before + sizes.after, secret.data(), secret.size());
    ring_->publish(sizes.before, sizes.after, secret.size(), kind);
    const bool is_asleep = log_.asleep.load() && log_.asleep.exchange(false);
    if (is_asleep || (ring_->is_half_full() && !ring_->nudged.exchange(true, std::memory_order_relaxed))) log_.wake();
  }

  Impl& log_;
  const std::shared_ptr<Ring> ring_;
  LineFormat format_;
  KeyedHash hash_;
  std::string digits_;
};

}  // namespace

void Log::Impl::wake() {
  {
    const std::lock_guard lock(mutex);
    is_woken = true;
  }
  work.notify_one();
}

// Through the mutex, so that whoever looked just before is already waiting and is woken.
void Log::Impl::announce_progress() {
  { const std::lock_guard lock(mutex); }
  progress.notify_all();
}

// Null when there was none in time; the record is then counted as lost.
char* Log::Impl::wait_for_room(Ring& ring) {
  if (!ring.stalled.load(std::memory_order_relaxed)) {
    waits.fetch_add(1, std::memory_order_relaxed);
    const Deadline deadline = Clock::now() + options.room_wait_max;
    std::unique_lock lock(mutex);
    is_woken = true;
    work.notify_one();
    char* room = nullptr;
    const auto has_room = [&] { return (room = ring.reserve()) != nullptr; };
    if (progress.wait_until(lock, deadline, has_room)) return room;
    ring.stalled.store(true, std::memory_order_relaxed);
  }
  ring.lost_waiting.fetch_add(1, std::memory_order_relaxed);
  dropped.fetch_add(1, std::memory_order_relaxed);
  observe::log_limited(observe::Level::error, "audit_record_lost", {{"reason", "no room in the buffer, the log is not being written"}}, 1);
  return nullptr;
}

// ---- the writing thread

void Log::Impl::append_line(std::string_view before, std::string_view after, std::string_view secret, Secret kind) {
  batch += start_of_line;
  char digits[20];
  batch.append(digits, std::to_chars(digits, digits + sizeof digits, next_seq++).ptr);
  batch += ',';
  batch += before;
  if (kind == Secret::input || kind == Secret::hashed_input) {
    batch += ",\"in\":\"hmac:";
    if (kind == Secret::input) {
      hash.append(batch, secret, input_hash_digits);
    } else {
      batch += secret;
    }
    batch += '"';
  } else if (kind == Secret::client) {
    batch += ",\"client\":\"hmac:";
    batch += client_hash(secret);
    batch += '"';
  }
  batch += after;
  batch += '\n';
  records.fetch_add(1, std::memory_order_relaxed);
}

// Remembered, because the same clients come again and an HMAC costs more than all the rest of the line.
std::string_view Log::Impl::client_hash(std::string_view client) {
  std::string key(client);
  if (const auto found = client_hashes.find(key); found != client_hashes.end()) return found->second;
  if (client_hashes.size() >= client_hashes_max) client_hashes.clear();
  std::string text;
  hash.append(text, client, client_hash_digits);
  return client_hashes.emplace(std::move(key), std::move(text)).first->second;
}

void Log::Impl::append_gap(std::uint64_t lost, std::string_view why) {
  if (lost > 0) append_line(gap_line(Moment::now(), boot, lost, why), {}, {}, Secret::none);
}

// Fills the batch. True when all was taken that was there at the call.
bool Log::Impl::collect() {
  std::deque<std::string> cold_now;
  std::uint64_t cold_lost_now = 0;
  {
    const std::lock_guard lock(mutex);
    cold_now.swap(cold);
    cold_lost_now = std::exchange(cold_lost, 0);
    // A ring whose writer is gone stays until it is empty.
    const auto is_done = [](const std::shared_ptr<Ring>& ring) {
      return ring->abandoned.load(std::memory_order_acquire) && ring->is_empty() && ring->lost_full.load() == 0 &&
             ring->lost_waiting.load() == 0;
    };
    rings.erase(std::remove_if(rings.begin(), rings.end(), is_done), rings.end());
    rings_now = rings;
  }
  for (const std::string& line : cold_now) append_line(line, {}, {}, Secret::none);
  append_gap(cold_lost_now, "too_many_config_records");
  bool is_all = true;
  for (std::size_t i = 0; i < rings_now.size() && is_all; ++i) {
    Ring& ring = *rings_now[(first_ring + i) % rings_now.size()];
    // What was lost until now was lost behind what is in the ring, so its gap follows that.
    const std::uint64_t full = ring.lost_full.load(std::memory_order_relaxed), waiting = ring.lost_waiting.load(std::memory_order_relaxed);
    is_all = ring.consume([this](const Frame& frame) {
      if (batch.size() >= batch_bytes_max) return false;
      append_line(frame.before, frame.after, frame.secret, frame.kind);
      return true;
    });
    if (is_all) {
      ring.lost_full.fetch_sub(full, std::memory_order_relaxed);
      ring.lost_waiting.fetch_sub(waiting, std::memory_order_relaxed);
      append_gap(full, "buffer_full");
      append_gap(waiting, "waited_in_vain");
    }
  }
  ++first_ring;  // a batch that one loop filled begins with the next loop
  return is_all;
}

// Writes the batch, however long it takes; false when stopping and out of patience.
bool Log::Impl::deliver() {
  while (!batch.empty()) {
    const Output::Written written = output.write(std::string_view(batch).substr(batch_written), write_wait_max);
    batch_written += written.bytes;
    if (batch_written == batch.size()) {
      batch.clear();
      batch_written = 0;
      backoff = backoff_min;
      if (std::exchange(is_failing, false)) observe::log(observe::Level::info, "audit_write_recovered");
      return true;
    }
    if (written.error != 0) {
      write_errors.fetch_add(1, std::memory_order_relaxed);
      is_failing = true;
      observe::log_limited(
          observe::Level::error, "audit_write_failed",
          {{"file", options.file ? options.file->string() : "standard output"}, {"error", std::generic_category().message(written.error)}},
          1);
    }
    std::unique_lock lock(mutex);
    if (written.error != 0 || written.bytes == 0) {
      const milliseconds pause = written.error != 0 ? backoff : milliseconds(1);
      work.wait_for(lock, pause, [&] { return reopen_asked != reopen_done || (is_stopping && Clock::now() >= give_up_at); });
      if (written.error != 0) backoff = std::min(backoff * 2, backoff_max);
    }
    if (is_stopping && Clock::now() >= give_up_at) return false;
    const bool reopen_now = reopen_asked != reopen_done;
    lock.unlock();
    if (reopen_now) reopen_output();
  }
  return true;
}

// Between two lines, or in the middle of one that is then written whole to the new file.
void Log::Impl::reopen_output() {
  std::uint64_t asked = 0;
  {
    const std::lock_guard lock(mutex);
    asked = reopen_asked;
  }
  Result<Output> opened = Output::open(options.file);
  if (opened) {
    output = *std::move(opened);
    const std::size_t newline = batch_written == 0 ? std::string::npos : batch.rfind('\n', batch_written - 1);
    batch_written = newline == std::string::npos ? 0 : newline + 1;
    observe::log(observe::Level::info, "audit_reopened", {{"file", options.file->string()}});
  } else {
    observe::log(observe::Level::error, "audit_reopen_failed", {{"error", opened.error().message()}});
  }
  {
    const std::lock_guard lock(mutex);
    reopen_done = asked;
  }
  progress.notify_all();
}

// With `mutex` held.
bool Log::Impl::has_records() {
  if (!cold.empty() || cold_lost > 0) return true;
  return std::any_of(rings.begin(), rings.end(),
                     [](const auto& ring) { return !ring->is_empty() || ring->lost_full.load() > 0 || ring->lost_waiting.load() > 0; });
}

// A nap lets a batch gather; after a quiet while only a record or a request wakes us.
void Log::Impl::sleep() {
  std::unique_lock lock(mutex);
  const auto is_called = [&] { return is_woken || is_stopping || flush_asked != flush_done || reopen_asked != reopen_done; };
  if (quiet_naps < quiet_naps_max) {
    quiet_naps = has_records() ? 0 : quiet_naps + 1;
    work.wait_for(lock, batch_time_max, is_called);
  } else {
    // A record published before `asleep` is seen here; one published after sees `asleep`.
    asleep.store(true);
    if (!has_records()) work.wait(lock, is_called);
    asleep.store(false);
    quiet_naps = 0;
  }
  is_woken = false;
}

void Log::Impl::run() {
  for (;;) {
    std::uint64_t flushing = 0;
    bool stopping = false;
    {
      const std::lock_guard lock(mutex);
      flushing = flush_asked;
      stopping = is_stopping;
    }
    const std::uint64_t before = next_seq;
    const bool is_all = collect();
    announce_progress();  // there is room
    if (next_seq != before) quiet_naps = 0;
    if (!deliver()) break;
    bool reopen_now = false;
    {
      const std::lock_guard lock(mutex);
      if (is_all) flush_done = flushing;
      reopen_now = reopen_asked != reopen_done;
    }
    progress.notify_all();
    if (reopen_now) reopen_output();
    if (is_all && stopping) break;
    if (is_all) sleep();
  }
}

// ---- the face

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Log>> Log::open(LogOptions options) {
  Result<Output> output = Output::open(options.file);
  if (!output) return tl::unexpected(std::move(output.error()).within("decision log"));
  Result<KeyedHash> hash = KeyedHash::create(options.hash_key.empty() ? random_bytes(32) : options.hash_key);
  if (!hash) return tl::unexpected(std::move(hash.error()).within("decision log"));
  OPENSSL_cleanse(options.hash_key.data(), options.hash_key.size());
  auto impl = std::make_unique<Impl>(*std::move(output), *std::move(hash), std::move(options));
  // Signals are the main thread's; SIGPIPE, blocked, is the write's EPIPE.
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  impl->thread = std::thread([&log = *impl] { log.run(); });
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
  pthread_setname_np(impl->thread.native_handle(), "audit");
  return std::unique_ptr<Log>(new Log(std::move(impl)));
}

Log::~Log() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_stopping = true;
    impl_->give_up_at = Clock::now() + impl_->options.disk_wait_max;
  }
  impl_->work.notify_one();
  impl_->thread.join();
  if (!impl_->batch.empty()) observe::log(observe::Level::error, "audit_lost_at_stop", {{"reason", "the log could not be written"}});
}

std::unique_ptr<Log::Writer> Log::writer() {
  auto ring = std::make_shared<Ring>(impl_->options.buffer_bytes_max);
  const std::lock_guard lock(impl_->mutex);
  impl_->rings.push_back(ring);
  return std::make_unique<LoopWriter<Impl>>(*impl_, std::move(ring), impl_->loops_hash.copy());
}

void Log::record_config(std::string_view event, std::string_view policy_hash, std::string_view detail) {
  std::string line = config_line(Moment::now(), impl_->boot, event, policy_hash, detail);
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->cold.size() < cold_records_max) {
      impl_->cold.push_back(std::move(line));
    } else {
      ++impl_->cold_lost;
      impl_->dropped.fetch_add(1, std::memory_order_relaxed);
    }
    impl_->is_woken = true;
  }
  impl_->work.notify_one();
}

bool Log::flush() {
  std::unique_lock lock(impl_->mutex);
  const std::uint64_t mine = ++impl_->flush_asked;
  impl_->work.notify_one();
  return impl_->wait_until(lock, [&] { return impl_->flush_done >= mine; });
}

void Log::reopen() {
  if (!impl_->options.file) return;
  flush();
  std::unique_lock lock(impl_->mutex);
  const std::uint64_t mine = ++impl_->reopen_asked;
  impl_->work.notify_one();
  impl_->wait_until(lock, [&] { return impl_->reopen_done >= mine; });
}

LogStats Log::stats() const { return {impl_->records.load(), impl_->dropped.load(), impl_->write_errors.load(), impl_->waits.load()}; }

}  // namespace portcullis::audit
