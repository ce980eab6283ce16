// Replay: a build of the core is told what a recording holds, in its order and at its
// instants, and its answers are compared with those that were given then.
// Source: docs/adr/0026.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "recording/recording_file.h"
#include "service/methods.h"

namespace sidecar::recording {

/// One answer that differs.
struct AnswerDiffers {
  uint64_t request = 0;  ///< its number in the recording, from 1
  WallTime at;           ///< when it was asked
  Method method{};
  std::string subject;  ///< pseudonym of the customer, then feature or currency
  struct Field {
    std::string path;  ///< "(status)", "(answer)" or of the response's message
    std::string recorded;
    std::string replayed;
  };
  std::vector<Field> fields;
};

struct ReplayReport {
  uint64_t requests = 0;
  uint64_t compared = 0;      ///< answers
  uint64_t unanswered = 0;    ///< by the recording: it ended before
  uint64_t differing = 0;     ///< answers
  uint64_t not_fetched = 0;   ///< recorded answers of upstream that this build did not ask for
  uint64_t not_recorded = 0;  ///< fetches of this build that the recording has no answer to
};

struct ReplayHooks {
  std::function<void(const AnswerDiffers&)> differs;
  /// Now and then, and at the end.
  std::function<void(size_t steps_done, size_t steps)> progress;
};

/// Deterministic: the same recording and build give the same report. Nothing but the
/// recording is read, and no network is used.
ReplayReport Replay(const Recording& recording, const ReplayHooks& hooks);

}  // namespace sidecar::recording
