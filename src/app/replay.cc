// replay: what this build answers to what another has recorded.
#include "recording/replay.h"

#include <unistd.h>

#include <cstdio>

#include "adapters/json/json.h"
#include "app/exit_codes.h"
#include "app/verbs.h"
#include "app/version.h"
#include "text/text.h"

namespace sidecar {
namespace {

using recording::AnswerDiffers;
using recording::ReplayReport;

/// On standard error: one line that is overwritten at a terminal, else a line each tenth.
class ProgressLine {
 public:
  void Show(size_t done, size_t all) {
    const size_t percent = all == 0 ? 100 : done * 100 / all;
    if (percent < next_) return;
    next_ = terminal_ ? percent + 1 : percent / 10 * 10 + 10;
    std::fprintf(stderr, "%sreplayed %zu of %zu steps (%zu %%)%s", terminal_ ? "\r" : "", done, all, percent,
                 terminal_ && percent < 100 ? "" : "\n");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  size_t next_ = 0;
};

void PrintText(const AnswerDiffers& differs) {
  std::printf("request %llu at %s: %s %s\n", static_cast<unsigned long long>(differs.request),
              FormatDate(differs.at).c_str(), std::string(Name(differs.method)).c_str(), differs.subject.c_str());
  for (const AnswerDiffers::Field& field : differs.fields) {
    std::printf("  %s: recorded %s, now %s\n", field.path.c_str(), field.recorded.c_str(), field.replayed.c_str());
  }
}

void PrintJson(const AnswerDiffers& differs) {
  Json fields = Json::array();
  for (const AnswerDiffers::Field& field : differs.fields) {
    fields.push_back({{"field", field.path}, {"recorded", field.recorded}, {"now", field.replayed}});
  }
  const Json line{{"request", differs.request},
                  {"at", FormatDate(differs.at)},
                  {"method", std::string(Name(differs.method))},
                  {"subject", differs.subject},
                  {"fields", std::move(fields)}};
  std::printf("%s\n", Dump(line).c_str());
}

void PrintSummary(const ReplayReport& report, std::string_view tail) {
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::fprintf(stderr, "%llu requests, %llu answers compared, %llu differ\n", number(report.requests),
               number(report.compared), number(report.differing));
  if (report.unanswered > 0) {
    std::fprintf(stderr, "%llu answers came after the end of the recording\n", number(report.unanswered));
  }
  if (report.not_fetched > 0) {
    std::fprintf(stderr, "%llu answers of upstream were not asked for: records evicted then, or another read path\n",
                 number(report.not_fetched));
  }
  if (report.not_recorded > 0) {
    std::fprintf(stderr, "%llu fetches have no recorded answer: under way at the end, or another read path\n",
                 number(report.not_recorded));
  }
  if (!tail.empty()) std::fprintf(stderr, "the recording ends early: %s\n", std::string(tail).c_str());
}

}  // namespace

int ReplayVerb(const Arguments& arguments) {
  Arguments rest = arguments;
  const bool json = std::erase(rest, "--json") > 0;
  if (rest.size() != 1 || rest.front().starts_with("-")) {
    std::fputs("stigg-sidecar: replay takes FILE and --json only\n", stderr);
    return kExitUsage;
  }
  const absl::StatusOr<recording::Recording> recording = recording::ReadRecording(rest.front());
  if (!recording.ok()) {
    std::fprintf(stderr, "stigg-sidecar: %s\n", std::string(Message(recording.status())).c_str());
    return kExitFailure;
  }
  std::fprintf(stderr, "recorded by stigg-sidecar %s, replayed by %s\n", recording->header.written_by().c_str(),
               std::string(kVersion).c_str());
  ProgressLine line;
  const ReplayReport report =
      recording::Replay(*recording, {.differs = json ? PrintJson : PrintText,
                                     .progress = [&line](size_t done, size_t all) { line.Show(done, all); }});
  PrintSummary(report, recording->tail);
  return report.differing == 0 ? kExitOk : kExitFailure;
}

}  // namespace sidecar
