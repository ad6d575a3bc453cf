// What each object of one counted resource uses, as it was seen last: an entry of some 250 bytes an object, equal usages shared
// between the objects that have them (the pods of a workload). Tells its changes, of deletions too, in order.
//
// A pod that terminates stops counting when its grace has passed, which no event says: its usage after that is kept beside it and
// put in force by expire().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.hpp"
#include "kube/digest.hpp"
#include "kube/usage_observer.hpp"
#include "policy/object/usage.hpp"

namespace portcullis::kube {

// Equal usages held once.
class UsageShapes {
 public:
  using Shared = std::shared_ptr<const policy::Usage>;
  Shared share(policy::Usage usage);
  [[nodiscard]] std::size_t size() const { return shapes_.size(); }

 private:
  struct Less {
    using is_transparent = void;
    bool operator()(const Shared& a, const Shared& b) const { return *a < *b; }
    bool operator()(const Shared& a, const policy::Usage& b) const { return *a < b; }
    bool operator()(const policy::Usage& a, const Shared& b) const { return a < *b; }
  };
  std::set<Shared, Less> shapes_;
  std::size_t swept_at_ = 1'024;  // unused shapes are dropped when there are so many
};

class UsageTable {
 public:
  using Tell = std::function<void(const UsageChange& change)>;

  struct Seen {
    std::string_view uid, version;
    policy::Usage usage;
    // Of a pod that terminates: what it uses from `expires` on.
    std::optional<Instant> expires;
    policy::Usage after;
  };

  UsageTable(std::string resource, std::shared_ptr<UsageShapes> shapes) : resource_(std::move(resource)), shapes_(std::move(shapes)) {}

  void put(const ObjectKey& key, Seen seen, const Tell& tell);
  void remove(const ObjectKey& key, std::string_view version, const Tell& tell);
  // A whole new state: put() until end(), which removes what was not put since begin().
  void begin();
  void end(std::string_view version, const Tell& tell);
  // Everything goes.
  void clear(std::string_view version, const Tell& tell);
  void expire(Instant now, const Tell& tell);

  void each(const std::function<void(const ObjectKey&, std::string_view uid, std::string_view version, const policy::Usage&)>& tell) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Digest& digest() const { return digest_; }  // of all objects, kept up with the changes
  [[nodiscard]] Digest count_digest() const;                      // of all objects, one by one

 private:
  struct Entry {
    std::string uid, version;
    UsageShapes::Shared usage, after;  // after: null unless it terminates
    std::int64_t expires = 0;          // Unix seconds
    std::uint32_t round = 0;           // of the state it was put in
  };
  using Entries = std::unordered_map<std::string, Entry>;
  static Mark mark(const Entries::value_type& entry);
  void gone(Entries::iterator at, std::string_view version, const Tell& tell);

  std::string resource_;
  std::shared_ptr<UsageShapes> shapes_;
  Entries entries_;  // by "namespace/name", "/name" without a namespace
  std::set<std::pair<std::int64_t, std::string>> leaving_;
  std::uint32_t round_ = 0;
  Digest digest_;
};

}  // namespace portcullis::kube
