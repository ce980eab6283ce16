// Shadow mode: a sample of the reads is asked of another sidecar too, after the caller has its
// answer, and the two answers are compared. Source: docs/adr/0024, docs/migrating.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "ports/clock.h"
#include "service/answer_difference.h"
#include "service/observed_call.h"
#include "service/services.h"
#include "shadow/shadow_target.h"

namespace sidecar {

struct ShadowSettings {
  double sample_percent = 1;          ///< of the reads; above 0, to 100
  Millis timeout{1'000};              ///< for the other's answer
  std::vector<std::string> ignored;   ///< names of fields, also as "Method.field"
  size_t queued_max = 64;             ///< answers waiting to be compared
  size_t queued_bytes_max = 1 << 20;  ///< of them
  int failures_to_pause = 5;          ///< of the target, in a row
  Millis pause_min{1'000};            ///< doubles from there
  Millis pause_max{30'000};
  size_t samples_max = 32;        ///< differing answers that are kept
  size_t sample_fields_max = 20;  ///< differences of each that are kept
};

/// An answer that differed.
struct ShadowSample {
  WallTime at;
  Method method{};
  std::string subject;                       ///< customer, resource, feature or currency
  std::vector<FieldDifference> differences;  ///< texts of 200 bytes at most
  size_t left_out = 0;                       ///< differences that are not kept
};

struct ShadowReport {
  uint64_t same = 0;
  uint64_t different = 0;
  uint64_t failed = 0;   ///< the target did not answer
  uint64_t skipped = 0;  ///< sampled, and not asked: too many were waiting, or too long
  bool paused = false;   ///< nothing is sampled for a while, since the target fails
  Millis pause{0};       ///< how long, the last time
  std::string last_failure;
  /// How many answers differed, by method and name of the field.
  std::map<std::pair<Method, std::string>, uint64_t> fields;
};

/// Thread-safe. Nothing on the path of an answer waits for the target: what cannot be queued
/// is skipped, and while the target fails nothing is even copied.
class Shadow {
 public:
  Shadow(std::unique_ptr<ShadowTarget> target, Clock& clock, ShadowSettings settings);
  /// Waits for the comparison that is under way, whose call it cancels.
  ~Shadow();

  /// The same handlers, those of the reads watched.
  Handlers Wrap(Handlers handlers);

  ShadowReport report() const;
  /// The latest ones, oldest first.
  std::vector<ShadowSample> samples() const;

 private:
  struct Job {
    Method method{};
    MonoTime at;
    ObservedAnswer ours;
    size_t bytes() const { return ours.request.size() + ours.response.size(); }
  };

  bool Sampled() const;
  void Offer(Job job);
  void Run();
  void Judge(const Job& job, const absl::StatusOr<std::string>& theirs);
  ShadowSample Sample(const Job& job, std::vector<FieldDifference> differences) const;
  void NoteFailure(const absl::Status& status);
  bool Ignored(Method method, const std::string& field) const;

  const std::unique_ptr<ShadowTarget> target_;
  Clock& clock_;
  const ShadowSettings settings_;
  const uint64_t threshold_;  // of 2^32
  const absl::flat_hash_set<std::string> ignored_;
  std::atomic<bool> sampling_{true};

  mutable absl::Mutex mu_;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mu_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  ShadowReport report_ ABSL_GUARDED_BY(mu_);
  std::deque<ShadowSample> samples_ ABSL_GUARDED_BY(mu_);
  int failures_ ABSL_GUARDED_BY(mu_) = 0;  // in a row
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last
};

/// What a metric, and SHADOW_IGNORE_FIELDS, call that field of that method's answer.
std::string ShadowLabel(Method method, std::string_view field);

/// Names of all fields that a read's answer may differ in: what SHADOW_IGNORE_FIELDS may say.
std::vector<std::string> ShadowFieldNames();

}  // namespace sidecar
