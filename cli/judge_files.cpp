#include "cli/judge_files.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <tuple>
#include <utility>

#include "cli/file_facts.hpp"
#include "cli/locate.hpp"
#include "policy/binding.hpp"
#include "policy/document/budget.hpp"
#include "policy/namespaces.hpp"
#include "policy/object/value.hpp"

namespace portcullis::cli {
namespace {

using policy::Decision;
using policy::PolicySnapshot;

constexpr std::string_view hex = "0123456789abcdef";
constexpr std::size_t fingerprint_bytes = 16;  // of SHA-256: 32 hexadecimal digits

std::string fingerprint_of(std::string_view rule, const Manifest& object, std::string_view name_space, std::string_view where) {
  std::string text(rule);
  text += '\n' + object.api_version + '/' + object.kind + '/';
  text += name_space;
  text += '/' + object.name + '\n';
  text += where;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string out;
  for (std::size_t at = 0; at < fingerprint_bytes; ++at) {
    out += hex[digest[at] >> 4U];
    out += hex[digest[at] & 15U];
  }
  return out;
}

// Versions of one object go together by these.
using Identity = std::tuple<std::string_view, std::string_view, std::string, std::string_view>;  // group, kind, namespace, name

std::string name_space_of(const Manifest& object, const Situation& situation) {
  if (is_cluster_scoped(object.kind, object.group())) return {};
  return object.name_space.empty() ? situation.name_space : object.name_space;
}

Identity identity_of(const Manifest& object, const Situation& situation) {
  return {object.group(), object.kind, name_space_of(object, situation), object.name};
}

// "HorizontalPodAutoscaler/web spec.minReplicas": a kind and a name before the path.
bool is_elsewhere(std::string_view where) {
  const std::string_view first = where.substr(0, where.find_first_of(" .["));
  return first.size() < where.size() && where[first.size()] == ' ' && first.find('/') != std::string_view::npos;
}

class Judge {
 public:
  Judge(const PolicySnapshot& snapshot, const Situation& situation, const Manifests& before, FileFacts& facts)
      : snapshot_(snapshot), situation_(situation), namespaces_(snapshot.documents()), policies_(snapshot.documents()), facts_(facts) {
    for (const Manifest& object : before.objects) before_.emplace(identity_of(object, situation), &object);
    if (!situation.user)
      for (const policy::Policy* by_group : snapshot.policies_by_group())
        for (const policy::PolicyRule& rule : by_group->rules)
          unjudged_.push_back({rule.id, by_group->name, "needs the requesting user's groups: give --user and --group", 0});
    by_group_ = unjudged_.size();
  }

  void judge(const Manifest& object) {
    FileDecision result;
    result.manifest = &object;
    result.name_space = name_space_of(object, situation_);
    const Manifest* old = old_of(object);
    if (situation_.operation == policy::Operation::update && !old) {
      refuse(object, "UPDATE: no former version of " + object.kind + " " + object.name + " among the objects of --old");
      return;
    }
    const bool removes = situation_.operation == policy::Operation::remove;
    const Manifest* now = removes ? nullptr : &object;
    if (removes && !old) old = &object;

    auto tree = tree_of(now), old_tree = tree_of(old);
    for (const auto* each : {&tree, &old_tree}) {
      if (*each) continue;
      if (each->error().kind != ErrorKind::limit_exceeded) {
        refuse(object, each->error().message());
        return;
      }
      result.verdict = policy::Verdict::deny;  // as the webhook does: an error would let it in
      result.limit = each->error().message();
      decisions_.push_back(std::move(result));
      return;
    }
    policy::Subject subject;
    subject.operation = situation_.operation;
    subject.group = subject.resource_group = object.group();
    subject.version = object.version();
    subject.kind = object.kind;
    const std::string resource = resource_of(object.kind);
    subject.resource = resource;
    subject.name_space = result.name_space;
    subject.name = object.name;
    subject.generate_name = object.name.empty() ? std::string_view(object.generate_name) : std::string_view{};
    subject.user.known = situation_.user.has_value();
    if (situation_.user) subject.user.name = *situation_.user;
    subject.user.groups.assign(situation_.groups.begin(), situation_.groups.end());

    subject.object.root = tree->root();
    subject.old_object.root = old_tree->root();
    policy::read_object(subject, snapshot_.documents().platform.workload_kinds);

    Decision decision;
    judge(subject, decision);
    result.tenant = decision.tenant;
    result.verdict = decision.found();  // what could not be judged is counted, not decided
    result.skipped = decision.skipped;
    result.notes = std::move(decision.notes);
    result.limit = std::move(decision.limit);
    const Manifest& judged = removes ? *old : object;
    for (policy::PolicyFinding& finding : decision.findings)
      result.findings.push_back(place(judged, result.name_space, std::move(finding)));
    number_fingerprints(result.findings);
    if (result.skipped.empty()) count_unjudged(subject);
    decisions_.push_back(std::move(result));
  }

  FileDecisions take() && {
    FileDecisions all;
    all.decisions = std::move(decisions_);
    all.errors = std::move(errors_);
    for (NotJudged& each : unjudged_)
      if (each.objects > 0) all.not_judged.push_back(std::move(each));
    return all;
  }

 private:
  // A budget is asked as a dry run would ask it, and what may pass counts for the objects after it.
  void judge(const policy::Subject& subject, Decision& decision) {
    snapshot_.judge(subject, situation_.now, scratch_, decision, &facts_);
    if (decision.charge) {
      const policy::Charge charge = *std::move(decision.charge);
      const auto owner = snapshot_.owner_of(decision.name_space);
      const policy::ChargeOutcome outcome = policy::would_grant(charge.added, charge.tenant, policy::entry_name(*owner.name_space), facts_);
      snapshot_.judge(subject, situation_.now, scratch_, decision, &facts_, &outcome);
      if (decision.found() != policy::Verdict::deny) facts_.add(charge);
    }
    for (const policy::Unjudged& each : decision.unjudged) {
      const std::string why = each.why + ": give what the cluster holds with --facts";
      const auto known = std::find_if(unjudged_.begin(), unjudged_.end(), [&](const NotJudged& one) {
        return one.rule == each.rule && one.policy == each.policy && one.why == why;
      });
      if (known == unjudged_.end())
        unjudged_.push_back({std::string(each.rule), std::string(each.policy), why, 1});
      else
        ++known->objects;
    }
  }

  const Manifest* old_of(const Manifest& object) const {
    if (situation_.operation == policy::Operation::create) return nullptr;
    const auto found = before_.find(identity_of(object, situation_));
    return found == before_.end() ? nullptr : found->second;
  }

  static Result<policy::Tree> tree_of(const Manifest* object) {
    if (!object) return policy::Tree();
    return policy::Tree::parse_copy(policy::yaml::to_json(*object->node));
  }

  FileFinding place(const Manifest& object, std::string_view name_space, policy::PolicyFinding finding) const {
    FileFinding placed;
    // `where` may go on where the object ends, or speak of another object; `at` always is a node of this one.
    Location location = locate(*object.node, finding.finding.where);
    if (finding.finding.at) {
      const Location fallback = locate(*object.node, finding.finding.at.path());
      if (fallback.steps > location.steps) location = fallback;
    }
    placed.span = location.span;
    placed.elsewhere = is_elsewhere(finding.finding.where);
    placed.missing = location.missing && !placed.elsewhere;
    placed.fingerprint = fingerprint_of(finding.rule, object, name_space, finding.finding.where);
    if (!finding.exception.empty()) {
      for (const policy::PolicyException& exception : snapshot_.documents().exceptions)
        if (exception.name == finding.exception)
          placed.days_left = std::chrono::floor<std::chrono::days>(exception.expires_at - situation_.now).count();
    }
    finding.finding.at = finding.finding.scope = {};  // the tree they stand in goes away
    placed.finding = std::move(finding);
    return placed;
  }

  static void number_fingerprints(std::vector<FileFinding>& findings) {
    std::map<std::string, int> seen;
    for (FileFinding& finding : findings) finding.fingerprint += ":" + std::to_string(++seen[finding.fingerprint]);
  }

  void count_unjudged(const policy::Subject& subject) {
    if (by_group_ == 0) return;
    std::set<std::string_view> binding;
    const bool is_namespace = subject.is("Namespace", "");
    policies_.for_each_at(namespaces_.find(is_namespace ? subject.name : subject.name_space), [&](std::uint32_t index) {
      const policy::Policy& candidate = snapshot_.documents().policies[index];
      if (candidate.match.groups.empty()) return;
      policy::PolicyMatch match = candidate.match;
      match.groups.clear();
      if (policy::PolicyIndex::binds(match, subject, {subject.kind, subject.group})) binding.insert(candidate.name);
    });
    for (std::size_t at = 0; at < by_group_; ++at) unjudged_[at].objects += binding.count(unjudged_[at].policy);
  }

  void refuse(const Manifest& object, std::string message) {
    errors_.push_back({object.source->name(), object.node->span.line, object.node->span.column, std::move(message)});
  }

  const PolicySnapshot& snapshot_;
  const Situation& situation_;
  policy::NamespaceIndex namespaces_;
  policy::PolicyIndex policies_;
  PolicySnapshot::Scratch scratch_;
  std::map<Identity, const Manifest*> before_;
  FileFacts& facts_;
  std::vector<FileDecision> decisions_;
  std::vector<ManifestError> errors_;
  std::vector<NotJudged> unjudged_;
  std::size_t by_group_ = 0;  // how many of them, at the front, want a user
};

}  // namespace

FileDecisions judge_files(const policy::PolicySnapshot& snapshot, const Situation& situation, const Manifests& objects,
                          const Manifests& before, const Manifests& facts) {
  FileFacts known(snapshot, situation.name_space, situation.now);
  known.learn(facts);
  known.learn_judged(objects);
  Judge judge(snapshot, situation, before, known);
  for (const Manifest& object : objects.objects) judge.judge(object);
  return std::move(judge).take();
}

}  // namespace portcullis::cli
