// A sharded copy-on-write table: readers hold an immutable Table, one writer collects changes and publishes the next, which
// shares every shard that did not change. A change costs a copy of one shard (a 256th of the entries' pointers), a publication
// 256 pointers.
//
// Key: a struct of views with `shard_by()` and an order; `Key::of(fact)` gives a fact's own. Fact: has a `mark` (kube/digest.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/digest.hpp"

namespace portcullis::kube {

inline constexpr std::size_t table_shards = 256;

template <class Fact, class Key>
class Table {
 public:
  using Shard = std::vector<std::shared_ptr<const Fact>>;  // sorted by key

  static std::size_t shard_of(const Key& key) { return std::hash<std::string_view>{}(key.shard_by()) % table_shards; }
  static typename Shard::const_iterator place(const Shard& shard, const Key& key) {
    return std::lower_bound(shard.begin(), shard.end(), key, [](const auto& fact, const Key& wanted) { return Key::of(*fact) < wanted; });
  }

  // Good as long as this table is held.
  [[nodiscard]] const Fact* find(const Key& key) const {
    const auto& shard = shards_[shard_of(key)];
    if (!shard) return nullptr;
    const auto at = place(*shard, key);
    return at != shard->end() && Key::of(**at) == key ? at->get() : nullptr;
  }
  // The first fact at or behind `key` in its shard for which `holds(fact)` is true, as long as `among(fact)` is.
  template <class Among, class Holds>
  [[nodiscard]] const Fact* find_from(const Key& key, const Among& among, const Holds& holds) const {
    const auto& shard = shards_[shard_of(key)];
    if (!shard) return nullptr;
    for (auto at = place(*shard, key); at != shard->end() && among(**at); ++at)
      if (holds(**at)) return at->get();
    return nullptr;
  }
  template <class Tell>
  void each(const Tell& tell) const {
    for (const auto& shard : shards_)
      if (shard)
        for (const auto& fact : *shard) tell(*fact);
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  template <class, class>
  friend class TableWriter;
  std::array<std::shared_ptr<const Shard>, table_shards> shards_;
  std::size_t size_ = 0;
};

// Owned by one thread.
template <class Fact, class Key>
class TableWriter {
 public:
  using Published = Table<Fact, Key>;
  using Shard = typename Published::Shard;

  void put(std::shared_ptr<const Fact> fact) {
    Shard& shard = writable(Published::shard_of(Key::of(*fact)));
    const auto at = Published::place(shard, Key::of(*fact));
    digest_.add(fact->mark);
    if (at != shard.end() && Key::of(**at) == Key::of(*fact)) {
      digest_.drop((*at)->mark);
      shard[static_cast<std::size_t>(at - shard.begin())] = std::move(fact);
      return;
    }
    shard.insert(at, std::move(fact));
    ++size_;
  }
  void remove(const Key& key) {
    const std::size_t index = Published::shard_of(key);
    const auto changing = changing_.find(index);
    const Shard* const there = changing != changing_.end() ? changing->second.get() : current_->shards_[index].get();
    if (!there) return;
    const auto at = Published::place(*there, key);
    if (at == there->end() || !(Key::of(**at) == key)) return;
    digest_.drop((*at)->mark);
    const auto offset = at - there->begin();
    Shard& shard = writable(index);
    shard.erase(shard.begin() + offset);
    --size_;
  }
  void clear() {
    changing_.clear();
    current_ = std::make_shared<const Published>();
    size_ = 0;
    digest_ = {};
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const Digest& digest() const { return digest_; }  // of all facts, kept up with the changes
  // What has been put so far, for readers.
  std::shared_ptr<const Published> publish() {
    if (changing_.empty()) return current_;
    auto next = std::make_shared<Published>(*current_);
    for (auto& [index, shard] : changing_) {
      shard->shrink_to_fit();
      next->shards_[index] = std::move(shard);
    }
    next->size_ = size_;
    changing_.clear();
    current_ = std::move(next);
    return current_;
  }

 private:
  Shard& writable(std::size_t index) {
    std::shared_ptr<Shard>& shard = changing_[index];
    if (!shard) shard = current_->shards_[index] ? std::make_shared<Shard>(*current_->shards_[index]) : std::make_shared<Shard>();
    return *shard;
  }

  std::shared_ptr<const Published> current_ = std::make_shared<const Published>();
  std::map<std::size_t, std::shared_ptr<Shard>> changing_;
  std::size_t size_ = 0;
  Digest digest_;
};

}  // namespace portcullis::kube
