#include "config/store.hpp"

#include <openssl/evp.h>

#include <array>
#include <chrono>

#include "observe/log.hpp"

namespace portcullis::config {
namespace {

// "sha256:<hex>" over names and bytes, each with its length before it, so that no two sets run together.
std::string hash_of(const std::vector<policy::DocumentFile>& files) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  const auto add = [&](const std::string& text) {
    const std::string length = std::to_string(text.size()) + ":";
    EVP_DigestUpdate(context.get(), length.data(), length.size());
    EVP_DigestUpdate(context.get(), text.data(), text.size());
  };
  for (const policy::DocumentFile& file : files) {
    add(file.name);
    add(file.bytes);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &length);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = "sha256:";
  for (unsigned at = 0; at < length; ++at) {
    text += digits[digest[at] >> 4U];
    text += digits[digest[at] & 15U];
  }
  return text;
}

using Compiled = tl::expected<Store::Snapshot, policy::DocumentErrors>;

Compiled compile(const std::vector<policy::DocumentFile>& files, bool needs_guard_policy) {
  auto documents = policy::load_documents(files, needs_guard_policy);
  if (!documents) return tl::unexpected(std::move(documents.error()));
  documents->hash = hash_of(files);
  return policy::PolicySnapshot::compile(std::move(*documents));
}

Compiled load(const std::filesystem::path& directory, bool needs_guard_policy) {
  const auto files = read_directory(directory);
  if (!files) return tl::unexpected(files.error());
  return compile(*files, needs_guard_policy);
}

std::int64_t unix_now() { return std::chrono::duration_cast<std::chrono::seconds>(WallClock::now().time_since_epoch()).count(); }

}  // namespace

Store::Store(std::filesystem::path directory, bool needs_guard_policy)
    : directory_(std::move(directory)), needs_guard_policy_(needs_guard_policy) {}

tl::expected<std::unique_ptr<Store>, policy::DocumentErrors> Store::open(std::filesystem::path directory, bool needs_guard_policy) {
  std::unique_ptr<Store> store(new Store(std::move(directory), needs_guard_policy));
  if (policy::DocumentErrors errors = store->reload(); !errors.empty()) return tl::unexpected(std::move(errors));
  return store;
}

tl::expected<std::unique_ptr<Store>, policy::DocumentErrors> Store::open(std::vector<policy::DocumentFile> files, bool needs_guard_policy) {
  std::unique_ptr<Store> store(new Store({}, needs_guard_policy));
  if (policy::DocumentErrors errors = store->replace(std::move(files)); !errors.empty()) return tl::unexpected(std::move(errors));
  return store;
}

policy::DocumentErrors Store::reload() {
  // One at a time: two that overlapped could leave the older set in force.
  const std::lock_guard reloading(reload_mutex_);
  return adopt(directory_.empty() ? compile(given_, needs_guard_policy_) : load(directory_, needs_guard_policy_));
}

policy::DocumentErrors Store::replace(std::vector<policy::DocumentFile> files) {
  const std::lock_guard reloading(reload_mutex_);
  given_ = std::move(files);
  return adopt(compile(given_, needs_guard_policy_));
}

policy::DocumentErrors Store::adopt(Compiled loaded) {
  policy::DocumentErrors errors;
  Snapshot in_force;
  std::vector<Listener> listeners;
  {
    const std::lock_guard lock(mutex_);
    if (loaded) {
      current_ = std::move(*loaded);
      status_.loads++;
      status_.loaded_at = unix_now();
      status_.last_error.clear();
      version_.fetch_add(1, std::memory_order_release);
    } else {
      errors = std::move(loaded.error());
      status_.failures++;
      status_.last_error = errors.empty() ? "refused" : errors.front().message();
      if (errors.size() > 1) status_.last_error += " (and " + std::to_string(errors.size() - 1) + " more)";
    }
    in_force = current_;
    listeners = listeners_;
  }
  for (const Listener& listener : listeners) listener(in_force, errors);
  return errors;
}

Store::Snapshot Store::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

StoreStatus Store::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Store::on_reload(Listener listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

}  // namespace portcullis::config
