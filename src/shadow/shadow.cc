#include "shadow/shadow.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>

#include "service/contract.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr Method kReads[] = {Method::kGetEntitlements,       Method::kGetEntitlement,
                             Method::kGetBooleanEntitlement, Method::kGetNumericEntitlement,
                             Method::kGetMeteredEntitlement, Method::kGetEnumEntitlement,
                             Method::kGetEntitlementV2,      Method::kGetEntitlementsStateV2};

constexpr size_t kSampleTextMax = 200;

/// xorshift64* (Vigna 2016): a few instructions, no lock.
uint32_t CheapRandom() {
  thread_local uint64_t state = (uint64_t{std::random_device()()} << 32) | 1;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return static_cast<uint32_t>((state * 0x2545F4914F6CDD1D) >> 32);
}

void Shorten(std::string& text) {
  if (text.size() <= kSampleTextMax) return;
  text.resize(kSampleTextMax);
  text += "...";
}

/// As CompareAnswers names them.
void AddNames(const google::protobuf::Descriptor& type, const std::string& prefix, std::set<std::string>& names) {
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* const field = type.field(i);
    const std::string name = StrCat(prefix, prefix.empty() ? "" : ".", field->name());
    names.insert(name);
    const auto* const inner = field->message_type();
    // Timestamps and JSON are values.
    if (inner != nullptr && !inner->full_name().starts_with("google.protobuf.")) AddNames(*inner, name, names);
  }
  names.insert(StrCat(prefix, prefix.empty() ? "" : ".", "(unknown)"));
}

}  // namespace

Shadow::Shadow(std::unique_ptr<ShadowTarget> target, Clock& clock, ShadowSettings settings)
    : target_(std::move(target)),
      clock_(clock),
      settings_(std::move(settings)),
      threshold_(static_cast<uint64_t>(settings_.sample_percent / 100 * 4'294'967'296.0)),
      ignored_(settings_.ignored.begin(), settings_.ignored.end()),
      thread_([this] { Run(); }) {}

Shadow::~Shadow() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  target_->Cancel();
  thread_.join();
}

Handlers Shadow::Wrap(Handlers handlers) {
  for (const Method method : kReads) {
    Handler& handler = handlers[static_cast<size_t>(method)];
    handler = [this, method, inner = std::move(handler)](Call& call) {
      if (!Sampled() || !call.Metadata(kCopyMark).empty()) return inner(call);
      inner(*new ObservedCall(call, [this, method](ObservedAnswer&& answer) {
        Offer({.method = method, .at = clock_.Now(), .ours = std::move(answer)});
      }));
    };
  }
  return handlers;
}

bool Shadow::Sampled() const { return sampling_.load(std::memory_order_relaxed) && CheapRandom() < threshold_; }

void Shadow::Offer(Job job) {
  absl::MutexLock lock(&mu_);
  if (queue_.size() >= settings_.queued_max || queued_bytes_ + job.bytes() > settings_.queued_bytes_max) {
    ++report_.skipped;
    return;
  }
  queued_bytes_ += job.bytes();
  queue_.push_back(std::move(job));
}

void Shadow::Run() {
  pthread_setname_np(pthread_self(), "sidecar-shadow");
  for (;;) {
    Job job;
    {
      absl::MutexLock lock(&mu_);
      const auto ending = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return ending_; };
      if (report_.paused) {
        mu_.AwaitWithTimeout(absl::Condition(&ending), absl::Milliseconds(report_.pause.count()));
        // The next one that is sampled shows whether the target is back.
        report_.paused = false;
        sampling_ = true;
      }
      const auto work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return ending_ || !queue_.empty(); };
      mu_.Await(absl::Condition(&work));
      if (ending_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= job.bytes();
      if (clock_.Now() - job.at > settings_.timeout) {
        // What it says may have changed since.
        ++report_.skipped;
        continue;
      }
    }
    Judge(job, target_->Ask(job.method, job.ours.request, settings_.timeout));
  }
}

void Shadow::Judge(const Job& job, const absl::StatusOr<std::string>& theirs) {
  const absl::StatusCode code = theirs.status().code();
  const bool silent = code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded ||
                      code == absl::StatusCode::kCancelled;
  if (silent) return NoteFailure(theirs.status());
  std::vector<FieldDifference> differences;
  if (job.ours.status.code() != code) {
    differences.push_back(
        {"(status)", absl::StatusCodeToString(job.ours.status.code()), absl::StatusCodeToString(code)});
  } else if (theirs.ok() && *theirs != job.ours.response) {
    differences = CompareAnswers(job.method, job.ours.response, *theirs);
  }
  std::erase_if(differences, [&](const FieldDifference& each) { return Ignored(job.method, FieldName(each.path)); });
  std::set<std::string> fields;
  for (const FieldDifference& each : differences) fields.insert(FieldName(each.path));
  // What takes its time is done without the lock, which those who answer take too.
  std::optional<ShadowSample> sample;
  if (!fields.empty()) sample = Sample(job, std::move(differences));
  std::vector<std::string> seen_first;
  {
    absl::MutexLock lock(&mu_);
    failures_ = 0;
    ++(sample.has_value() ? report_.different : report_.same);
    for (const std::string& field : fields) {
      if (report_.fields[{job.method, field}]++ == 0) seen_first.push_back(field);
    }
    if (sample.has_value()) samples_.push_back(*std::move(sample));
    if (samples_.size() > settings_.samples_max) samples_.pop_front();
  }
  for (const std::string& field : seen_first) {
    spdlog::warn("shadow: {} differs in {} (the first time; GET /admin/shadow has the latest)", Name(job.method),
                 field);
  }
}

ShadowSample Shadow::Sample(const Job& job, std::vector<FieldDifference> differences) const {
  ShadowSample sample{
      .at = clock_.WallNow(), .method = job.method, .subject = SubjectOfRequest(job.method, job.ours.request)};
  if (differences.size() > settings_.sample_fields_max) {
    sample.left_out = differences.size() - settings_.sample_fields_max;
    differences.resize(settings_.sample_fields_max);
  }
  for (FieldDifference& each : differences) {
    Shorten(each.path);
    Shorten(each.ours);
    Shorten(each.theirs);
  }
  sample.differences = std::move(differences);
  Shorten(sample.subject);
  return sample;
}

void Shadow::NoteFailure(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  ++report_.failed;
  report_.last_failure = StrCat(absl::StatusCodeToString(status.code()), ": ", OneLine(Message(status)));
  if (++failures_ < settings_.failures_to_pause) return;
  sampling_ = false;
  report_.paused = true;
  const int doublings = std::min(failures_ - settings_.failures_to_pause, 10);
  report_.pause = std::min(settings_.pause_max, settings_.pause_min * (int64_t{1} << doublings));
  report_.skipped += queue_.size();
  queue_.clear();
  queued_bytes_ = 0;
}

bool Shadow::Ignored(Method method, const std::string& field) const {
  if (ignored_.empty()) return false;
  // The field itself, or one that it is inside of.
  for (size_t end = field.size(); end != std::string::npos && end > 0; end = field.rfind('.', end - 1)) {
    const std::string name = field.substr(0, end);
    if (ignored_.contains(name)) return true;
    if (ignored_.contains(ShadowLabel(method, name))) return true;
  }
  return false;
}

ShadowReport Shadow::report() const {
  absl::MutexLock lock(&mu_);
  return report_;
}

std::vector<ShadowSample> Shadow::samples() const {
  absl::MutexLock lock(&mu_);
  return {samples_.begin(), samples_.end()};
}

std::string ShadowLabel(Method method, std::string_view field) { return StrCat(Name(method), ".", field); }

std::vector<std::string> ShadowFieldNames() {
  std::set<std::string> names;
  for (const Method method : kReads) {
    std::set<std::string> of_method{"(status)", "(message)"};
    AddNames(*DescriptorOf(method).output_type(), "", of_method);
    for (const std::string& name : of_method) {
      names.insert(name);
      names.insert(ShadowLabel(method, name));
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace sidecar
