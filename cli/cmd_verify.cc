#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "finedelta/unpack.h"
#include "json.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr Option kBase{"--base", "BASE",
                       "rebuild every file in memory with this base and check it (once for each "
                       "base)",
                       &Arguments::bases, true};
constexpr std::array kOptions{kBase, kThreadsOption, kMemoryOption, kJsonOption, kQuietOption};

std::string closing_line(const VerifyReport& report, std::string_view archive) {
  if (report.rebuilt) {
    return fmt::format(
        "verified{} {}; {}, {} rebuilt in memory: XXH3-128 of every chunk and SHA-256 of every "
        "file "
        "checked",
        lossy_text(report.lossy), in_quotes(archive), count_text(report.files, "file"),
        size_text(report.bytes));
  }
  return fmt::format(
      "verified{} {}; only the archive itself was checked, all {} with {}: add --base BASE to "
      "check "
      "the rebuild too",
      lossy_text(report.lossy), in_quotes(archive), size_text(report.archive_bytes),
      count_text(report.chunks, "chunk"));
}

std::string json(const VerifyReport& report, std::string_view archive, const Session& session) {
  return dump(Json{{"archive", archive},
                   {"archive_bytes", report.archive_bytes},
                   {"chunks", report.chunks},
                   {"lossy", report.lossy},
                   {"rebuilt", report.rebuilt},
                   {"files", report.files},
                   {"bytes", report.bytes},
                   {"bases", report.bases}},
              session);
}

Result<Report> run(const Arguments& arguments, Session& session) {
  const std::vector<std::string>& given = arguments.positionals;
  if (given.empty()) return usage_error(kVerify, "name an archive");
  if (given.size() > 1) {
    return usage_error(kVerify, "one archive at a time; a base is given with --base");
  }
  Options options;
  session.begin("verifying", in_quotes(given[0]), options);
  const Result<VerifyReport> report = verify(given[0], arguments.bases, options);
  if (!report.has_value()) return std::unexpected(report.error());
  return Report{json(*report, given[0], session), "", closing_line(*report, given[0])};
}

}  // namespace

constinit const Verb kVerify{
    .name = "verify",
    .usage = "ARCHIVE [--base BASE]...",
    .summary = "check an archive, and with a base the rebuild",
    .description =
        "Checks that every byte of ARCHIVE is as it was written. With its bases (or for\n"
        "an archive that needs none) every file is rebuilt in memory, piece by piece,\n"
        "and its hashes are checked. Writes nothing.\n",
    .examples =
        "  finedelta verify my-tune.fd\n"
        "  finedelta verify my-tune.fd --base ./my-base\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
