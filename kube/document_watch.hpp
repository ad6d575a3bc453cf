// Documents as custom resources: the five kinds of portcullis.dev/v1, watched, handed on as one set whenever one of them changed,
// and told in their status what became of them.
//
// A set is whole or it is not handed on: all five kinds must be served and listed, so that a CRD that is missing or not readable
// yet never looks like an operator who wrote no policies. When a kind vanishes later, the last set stays.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "kube/api.hpp"
#include "kube/cluster_status.hpp"
#include "net/background.hpp"
#include "observe/metrics.hpp"

namespace portcullis::kube {

// A document as an object: its name in messages, and the JSON of apiVersion, kind, metadata.name and spec alone.
struct CustomDocument {
  std::string name;  // "Tenant/meridian-advisory"
  std::string json;
};

class DocumentWatch {
 public:
  // Told of the whole set, sorted by name, on the kube thread; returns the errors that refused it. Their places begin with the names.
  using Changed = std::function<std::vector<Error>(const std::vector<CustomDocument>& set)>;
  struct Options {
    std::chrono::milliseconds settle{200};          // changes that come together are one set
    std::chrono::milliseconds start_spread{2'000};  // replicas that start together do not list together
    std::chrono::milliseconds write_spread{1'000};  // nor write the same statuses at once: who comes later finds them written
    std::chrono::seconds retry{30};                 // of a status that could not be written
  };

  // `background` and `api` outlive it; the Background is stopped before what `changed` refers to ends.
  DocumentWatch(net::Background& background, Api& api, Options options, Changed changed);
  ~DocumentWatch();
  DocumentWatch(const DocumentWatch&) = delete;
  DocumentWatch& operator=(const DocumentWatch&) = delete;

  void start();
  void stop();
  // From any thread. A kind whose CRD is missing is not synced.
  [[nodiscard]] ClusterStatus status() const;
  // The same for a scrape, in the names that a Cluster's resources have; may outlive this.
  void add_metrics(observe::Metrics& metrics) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace portcullis::kube
