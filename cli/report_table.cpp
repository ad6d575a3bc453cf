// check -o table: for people. Message first, the source line with the fault underlined, what is wanted and how to mend it.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "cli/instant.hpp"
#include "cli/report.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t width_min = 40;             // a narrower terminal shows nothing of a line
constexpr std::size_t message_bytes_max = 2'000;  // of one field of a finding
constexpr std::string_view secret_rule = "no-inline-secret";

enum class Style { deny, warn, strong, faint, plain };

class Painter {
 public:
  Painter(const Terminal& terminal, std::ostream& out) : terminal_(terminal), out_(out) {}
  [[nodiscard]] std::string paint(Style style, std::string_view text) const {
    if (!terminal_.colours || style == Style::plain) return std::string(text);
    const char* code = "1";
    switch (style) {
      case Style::deny:
        code = "1;31";
        break;
      case Style::warn:
        code = "1;33";
        break;
      case Style::faint:
        code = "34";
        break;
      case Style::strong:
      case Style::plain:
        break;
    }
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
  }
  std::ostream& out() { return out_; }
  [[nodiscard]] std::size_t width() const { return terminal_.width; }

 private:
  const Terminal& terminal_;
  std::ostream& out_;
};

std::string shown(std::string_view text) { return printable(text, message_bytes_max); }

std::string object_text(const FileDecision& decision) {
  const Manifest& object = *decision.manifest;
  std::string text = shown(object.kind) + " ";
  if (!decision.name_space.empty()) text += shown(decision.name_space) + "/";
  text += object.name.empty() ? shown(object.generate_name) + "*" : shown(object.name);
  return text;
}

// One finding that several policies share is shown once, with the strictest verdict.
struct Line {
  const FileFinding* finding = nullptr;
  policy::Verdict verdict = policy::Verdict::allow;
  std::vector<std::string_view> policies;
};

bool same_fault(const FileFinding& a, const FileFinding& b) {
  return a.finding.rule == b.finding.rule && a.finding.finding.where == b.finding.finding.where &&
         a.finding.finding.what == b.finding.finding.what && a.finding.finding.found == b.finding.finding.found &&
         a.finding.finding.wanted == b.finding.finding.wanted;
}

std::vector<Line> lines_of(const FileDecision& decision) {
  std::vector<Line> lines;
  for (const FileFinding& finding : decision.findings) {
    const policy::Verdict verdict = finding.finding.weight();
    if (verdict == policy::Verdict::allow) continue;  // audited or excepted: counted in the summary
    const auto same = std::find_if(lines.begin(), lines.end(), [&](const Line& line) { return same_fault(*line.finding, finding); });
    if (same == lines.end()) {
      lines.push_back({&finding, verdict, {finding.finding.policy}});
      continue;
    }
    same->policies.push_back(finding.finding.policy);
    if (verdict > same->verdict) {
      same->verdict = verdict;
      same->finding = &finding;
    }
  }
  return lines;
}

std::string policies_text(const std::vector<std::string_view>& policies) {
  std::string text = policies.size() == 1 ? "policy " : "policies ";
  for (std::size_t at = 0; at < policies.size(); ++at) text += (at > 0 ? ", " : "") + shown(policies[at]);
  return text;
}

// "in 6 days", "ends today".
std::string days_text(std::int64_t days) {
  return days <= 0 ? "ends today" : std::to_string(days) + (days == 1 ? " day" : " days") + " left";
}

void write_detail(Painter& painter, const std::string& gutter, std::string_view word, std::string_view text) {
  if (text.empty()) return;
  std::string label(word);
  label.resize(5, ' ');
  painter.out() << gutter << painter.paint(Style::faint, "=") << ' ' << painter.paint(Style::strong, label) << ' ' << shown(text) << '\n';
}

using Masks = std::map<const Source*, std::vector<policy::Span>>;

void write_finding(Painter& painter, const FileDecision& decision, const Line& line, const Masks& masks) {
  const FileFinding& each = *line.finding;
  const policy::Finding& finding = each.finding.finding;
  const Source& source = *decision.manifest->source;
  const Style style = line.verdict == policy::Verdict::deny ? Style::deny : Style::warn;
  painter.out() << painter.paint(Style::strong,
                                 shown(source.name()) + ":" + std::to_string(each.span.line) + ":" + std::to_string(each.span.column))
                << "  " << painter.paint(style, policy::verdict_name(line.verdict)) << "  " << each.finding.rule << "  "
                << object_text(decision) << "  (" << policies_text(line.policies) << ")\n";
  if (!decision.manifest->origin.empty()) painter.out() << "  from " << shown(decision.manifest->origin) << '\n';

  const std::string number = std::to_string(each.span.line);
  const std::string gutter(number.size() + 1, ' ');
  static const std::vector<policy::Span> nothing;
  const auto mask = masks.find(&source);
  const Excerpt shown_line =
      excerpt(source, each.span, mask == masks.end() ? nothing : mask->second, std::max(width_min, painter.width() - gutter.size() - 2));
  std::string message = finding.what + ": ";
  message += each.missing ? "missing " + finding.where : "found " + finding.found + (each.elsewhere ? " at " + finding.where : "");
  const std::string bar = painter.paint(Style::faint, "|");
  painter.out() << gutter << bar << '\n'
                << painter.paint(Style::faint, number) << ' ' << bar << ' ' << shown_line.text << '\n'
                << gutter << bar << ' ' << painter.paint(style, shown_line.carets) << ' ' << shown(message) << '\n';
  write_detail(painter, gutter, "want", finding.wanted);
  write_detail(painter, gutter, "fix", finding.fix);
  if (each.finding.kept) write_detail(painter, gutter, "note", "it was there before and did not get worse: warned, not denied");
  if (!each.finding.exception.empty() && each.days_left)
    write_detail(painter, gutter, "note", "excepted by " + std::string(each.finding.exception) + ", " + days_text(*each.days_left));
  painter.out() << '\n';
}

void write_plain(Painter& painter, const FileDecision& decision, std::string_view text) {
  const Style style = decision.verdict == policy::Verdict::deny ? Style::deny : Style::warn;
  painter.out() << painter.paint(Style::strong, shown(decision.manifest->source->name()) + ":" + std::to_string(decision.manifest->line()))
                << "  " << painter.paint(style, policy::verdict_name(decision.verdict)) << "  " << object_text(decision) << "  "
                << shown(text) << "\n\n";
}

std::string count_text(std::size_t number, std::string_view noun) {
  return std::to_string(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

void write_summary(Painter& painter, const Report& report) {
  const Counts counts = count(report);
  std::ostream& out = painter.out();
  out << count_text(report.manifests->files, "file") << ", " << count_text(counts.objects, "object") << ": " << counts.allowed
      << " allowed, " << counts.warned << " warned, " << counts.denied << " denied";
  if (counts.excepted > 0) {
    std::map<std::string_view, std::int64_t> exceptions;
    for (const FileDecision& decision : report.judged.decisions)
      for (const FileFinding& finding : decision.findings)
        if (!finding.finding.exception.empty()) exceptions.emplace(finding.finding.exception, finding.days_left.value_or(0));
    out << "; " << count_text(counts.excepted, "finding") << " excepted (";
    bool first = true;
    for (const auto& [name, days] : exceptions) {
      out << (first ? "" : "; ") << name << ", " << days_text(days);
      first = false;
    }
    out << ")";
  }
  if (counts.audited > 0) out << "; " << count_text(counts.audited, "finding") << " in audit mode";
  if (!report.errors.empty()) out << "; " << report.errors.size() << " could not be judged";
  out << "; " << report.took.count() << " ms\n";
  if (report.manifests->own_documents > 0)
    out << "left out: " << count_text(report.manifests->own_documents, "document") << " of Portcullis\n";
  if (report.manifests->kustomizations > 0) out << "left out: " << count_text(report.manifests->kustomizations, "kustomization") << "\n";
  for (const NotJudged& each : report.judged.not_judged)
    out << "not judged: " << each.rule << " of policy " << each.policy << " in " << count_text(each.objects, "object") << ": " << each.why
        << "\n";
  for (const ExpiredException& each : report.expired)
    out << "expired: exception " << each.name << " since " << instant_text(each.expired_at) << " (" << shown(each.place) << ")\n";
}

}  // namespace

Counts count(const Report& report) {
  Counts counts;
  for (const FileDecision& decision : report.judged.decisions) {
    ++counts.objects;
    switch (decision.verdict) {
      case policy::Verdict::allow:
        ++counts.allowed;
        break;
      case policy::Verdict::warn:
        ++counts.warned;
        break;
      case policy::Verdict::deny:
        ++counts.denied;
        break;
    }
    for (const FileFinding& finding : decision.findings) {
      if (finding.finding.mode == policy::Mode::audit) {
        ++counts.audited;
      } else if (!finding.finding.exception.empty()) {
        ++counts.excepted;
      }
    }
  }
  return counts;
}

Terminal terminal_of(const std::ostream& out) {
  Terminal terminal;
  if (&out != &std::cout || isatty(STDOUT_FILENO) == 0) return terminal;
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org: present and not empty
  const char* term = std::getenv("TERM");
  terminal.colours = (!no_colour || *no_colour == '\0') && term && std::string_view(term) != "dumb";
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.width = size.ws_col;
  return terminal;
}

void write_table(const Report& report, const Terminal& terminal, std::ostream& out) {
  Painter painter(terminal, out);
  // What the secret rule points at is masked wherever its line is shown.
  Masks masks;
  for (const FileDecision& decision : report.judged.decisions)
    for (const FileFinding& finding : decision.findings)
      if (finding.finding.rule == secret_rule) masks[decision.manifest->source].push_back(finding.span);
  for (const FileDecision& decision : report.judged.decisions) {
    const std::vector<Line> lines = lines_of(decision);
    for (const Line& line : lines) write_finding(painter, decision, line, masks);
    for (const std::string& note : decision.notes) write_plain(painter, decision, note);
    if (!decision.limit.empty())
      write_plain(painter, decision, decision.limit);
    else if (lines.empty() && decision.notes.empty() && decision.verdict != policy::Verdict::allow)
      write_plain(painter, decision, decision.skipped);
  }
  write_summary(painter, report);
}

}  // namespace portcullis::cli
