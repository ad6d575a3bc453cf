#include "kube/usage_table.hpp"

#include <algorithm>

namespace portcullis::kube {
namespace {

std::string text_of(const ObjectKey& key) {
  std::string text;
  text.reserve(key.name_space.size() + 1 + key.name.size());
  text += key.name_space;
  text += '/';
  text += key.name;
  return text;
}

ObjectKey key_in(std::string_view text) {
  const std::size_t slash = text.find('/');
  return {text.substr(0, slash), text.substr(slash + 1)};
}

}  // namespace

UsageShapes::Shared UsageShapes::share(policy::Usage usage) {
  if (const auto found = shapes_.find(usage); found != shapes_.end()) return *found;
  if (shapes_.size() >= swept_at_) {
    std::erase_if(shapes_, [](const Shared& each) { return each.use_count() == 1; });
    swept_at_ = std::max<std::size_t>(1'024, shapes_.size() * 2);
  }
  return *shapes_.insert(std::make_shared<const policy::Usage>(std::move(usage))).first;
}

void UsageTable::put(const ObjectKey& key, Seen seen, const Tell& tell) {
  std::string text = text_of(key);
  auto at = entries_.find(text);
  if (at != entries_.end() && at->second.uid != seen.uid) {
    // Deleted and created anew, of which the deletion was not seen.
    gone(at, seen.version, tell);
    at = entries_.end();
  }
  if (at == entries_.end()) at = entries_.emplace(std::move(text), Entry{}).first;
  Entry& entry = at->second;
  entry.round = round_;
  if (entry.usage && entry.version == seen.version && !seen.version.empty()) return;  // said before
  if (entry.after) leaving_.erase({entry.expires, at->first});
  if (entry.usage) digest_.drop(mark(*at));
  const UsageShapes::Shared before = std::move(entry.usage);
  entry.uid = seen.uid;
  entry.version = seen.version;
  entry.usage = shapes_->share(std::move(seen.usage));
  entry.after = nullptr;
  if (seen.expires) {
    entry.expires = seen.expires->time_since_epoch().count();
    entry.after = shapes_->share(std::move(seen.after));
    leaving_.emplace(entry.expires, at->first);
  }
  digest_.add(mark(*at));
  const ObjectKey known = key_in(at->first);
  tell({resource_, known, entry.uid, entry.version, entry.usage.get(), before.get()});
}

Mark UsageTable::mark(const Entries::value_type& entry) {
  const ObjectKey key = key_in(entry.first);
  return mark_of(key.name_space, key.name, entry.second.uid, entry.second.version);
}

Digest UsageTable::count_digest() const {
  Digest digest;
  for (const auto& each : entries_) digest.add(mark(each));
  return digest;
}

void UsageTable::gone(Entries::iterator at, std::string_view version, const Tell& tell) {
  digest_.drop(mark(*at));
  const auto node = entries_.extract(at);
  const Entry& entry = node.mapped();
  if (entry.after) leaving_.erase({entry.expires, node.key()});
  tell({resource_, key_in(node.key()), entry.uid, version, nullptr, entry.usage.get()});
}

void UsageTable::remove(const ObjectKey& key, std::string_view version, const Tell& tell) {
  if (const auto at = entries_.find(text_of(key)); at != entries_.end()) gone(at, version, tell);
}

void UsageTable::begin() { ++round_; }

void UsageTable::end(std::string_view version, const Tell& tell) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto each = at++;
    if (each->second.round != round_) gone(each, version, tell);
  }
}

void UsageTable::clear(std::string_view version, const Tell& tell) {
  while (!entries_.empty()) gone(entries_.begin(), version, tell);
}

void UsageTable::expire(Instant now, const Tell& tell) {
  const std::int64_t seconds = now.time_since_epoch().count();
  while (!leaving_.empty() && leaving_.begin()->first < seconds) {
    const auto at = entries_.find(leaving_.begin()->second);
    leaving_.erase(leaving_.begin());
    if (at == entries_.end()) continue;
    Entry& entry = at->second;
    const UsageShapes::Shared before = std::exchange(entry.usage, std::exchange(entry.after, nullptr));
    tell({resource_, key_in(at->first), entry.uid, entry.version, entry.usage.get(), before.get()});
  }
}

void UsageTable::each(const std::function<void(const ObjectKey&, std::string_view, std::string_view, const policy::Usage&)>& tell) const {
  for (const auto& [key, entry] : entries_) tell(key_in(key), entry.uid, entry.version, *entry.usage);
}

}  // namespace portcullis::kube
