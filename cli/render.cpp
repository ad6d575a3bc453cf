// portcullis render: what the documents mean as Kubernetes objects, on standard output for kubectl or a repository. It reads
// files only and asks no cluster; the same documents give the same bytes.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/render_crds.hpp"

namespace portcullis::cli {
namespace {

std::function<ExitCode(Streams&)> declare_crds(CLI::App& app) {
  auto directory = std::make_shared<std::string>();  // taken as by the others; the schemas do not depend on documents
  with_environment(app.add_option("--config", *directory, "directory of documents; not needed here"))->type_name("DIR");
  return [](Streams& streams) {
    bool first = true;
    for (const CrdFile& file : crd_files()) {
      streams.out << (first ? "" : "---\n") << file.text;
      first = false;
    }
    return ExitCode::fine;
  };
}

}  // namespace

const Command render_crds_command{
    .words = "render crds",
    .summary = "print the CustomResourceDefinitions of the documents and of TenantQuota",
    .examples =
        "  portcullis render crds\n"
        "  portcullis render crds | kubectl apply --server-side -f -\n"
        "  portcullis render crds | kubectl diff -f -\n",
    .declare = declare_crds,
};

}  // namespace portcullis::cli
