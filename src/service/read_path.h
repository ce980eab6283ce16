// What all reads share: look in memory, decide whether that is good enough, else wait for a
// fetch. Source: docs/architecture.md, "the life of a request".
#pragma once

#include <algorithm>
#include <optional>

#include "service/encode.h"
#include "service/reverse_writer.h"
#include "service/services.h"
#include "text/text.h"

namespace sidecar {

/// When a call must be answered: its own deadline less max(5 ms, 10 %), so that the answer
/// still reaches the caller, and `longest` from now at most.
inline MonoTime AnswerBy(Call& call, MonoTime now, Millis longest) {
  const std::optional<MonoTime> deadline = call.deadline();
  if (!deadline.has_value() || *deadline - now >= 2 * longest) return now + longest;
  const Millis left = *deadline - now;
  return std::min(now + longest, *deadline - std::max(Millis(5), left / 10));
}

/// What memory can say at once.
struct MemoryLook {
  const Record* record = nullptr;
  bool suspect = false;  ///< what the record says is answered all the same, and said so
  enum class Next : uint8_t {
    kAnswer,   ///< answer now, from `record`
    kRefresh,  ///< usable, but ask for a refresh and wait a little
    kFetch,    ///< nothing usable: wait for a fetch
  } next = Next::kFetch;
};

/// What a caller may ask beside its message (docs/api.md).
struct ReadTerms {
  /// Metadata x-max-staleness-ms: data that is older is no answer.
  std::optional<Millis> staleness_max;

  static absl::StatusOr<ReadTerms> Of(Call& call) {
    const std::string_view text = call.Metadata("x-max-staleness-ms");
    if (text.empty()) return ReadTerms{};
    const std::optional<int64_t> ms = ParseNumber<int64_t>(text);
    if (!ms.has_value() || *ms < 0) {
      return InvalidArgument("metadata x-max-staleness-ms: expected whole milliseconds, 0 or more");
    }
    return ReadTerms{.staleness_max = Millis(*ms)};
  }

  bool TooOld(const Record& record, MonoTime now, const LiveCover& cover) const {
    return staleness_max.has_value() && cover.AgeOf(record, now) > *staleness_max;
  }
};

/// Looks a record up. `expired(record)`: the data itself says that the part asked for is
/// over. `feature_id`: the one feature asked for, or empty. The caller holds an epoch guard.
template <typename Expired>
MemoryLook LookInMemory(const ServiceContext& context, EntityKeyView key, std::string_view feature_id, MonoTime now,
                        const ReadTerms& terms, Expired expired) {
  const Record* const record = context.cache.Find(key, feature_id);
  if (record == nullptr) {
    context.metrics.cache_misses.Add();
    return {};
  }
  context.metrics.cache_hits.Add();
  if (terms.TooOld(*record, now, context.cover)) {
    if (MayFetch(*record, now)) return {.record = record, .next = MemoryLook::Next::kFetch};
    return {.next = MemoryLook::Next::kAnswer};
  }
  const bool over = expired(*record);
  MemoryLook look{.record = record, .suspect = IsSuspect(*record, now, context.cover)};
  look.next = MemoryLook::Next::kAnswer;
  // A record that keeps failing to refresh is not waited for again; what the data says is
  // over is then answered as unknown.
  if (over) {
    if (MayFetch(*record, now)) look.next = MemoryLook::Next::kFetch;
  } else if (look.suspect && MayRefresh(*record, now) && context.resolver.available()) {
    look.next = MemoryLook::Next::kRefresh;
  }
  return look;
}

/// What an answer is made of.
struct Basis {
  const Record* record = nullptr;  ///< nullptr: nothing is known
  bool fetched = false;            ///< for this call
  bool shared = false;             ///< and from the shared store
  bool suspect = false;
};

/// Source and age of an answer, and counts it.
inline AnswerOrigin OriginOf(const ServiceContext& context, const Basis& basis, MonoTime now) {
  if (basis.record == nullptr) {
    context.metrics.fallback_answers.Add();
    return {.source = AnswerOrigin::Source::kFallback};
  }
  if (basis.fetched && !basis.shared) {
    context.metrics.decision_age.Observe(Millis(0));
    return {.source = AnswerOrigin::Source::kUpstream};
  }
  if (basis.suspect) context.metrics.stale_answers.Add();
  const Millis age = context.cover.AgeOf(*basis.record, now);
  context.metrics.decision_age.Observe(age);
  if (basis.shared) return {.source = AnswerOrigin::Source::kRedis, .age = age};
  const bool restored = basis.record->origin() == RecordOrigin::kSnapshot;
  return {.source = restored ? AnswerOrigin::Source::kSnapshot : AnswerOrigin::Source::kMemory,
          .age = age,
          .routine = !basis.suspect};
}

/// What a response says.
struct Written {
  bool known = false;  ///< false: it was a fallback
  /// Of a single check: what was asked for, as metrics call it, and the verdict.
  struct Decision {
    size_t type = 0;  ///< of kDecisionTypes
    bool granted = false;
  };
  std::optional<Decision> decision;
};

/// Runs a read. `Reader` is a class of static functions:
///   absl::Status Parse(bytes, state)           reads and checks the request
///   EntityKeyView Key(state)
///   std::string_view FeatureId(state)          the one feature asked for, or empty
///   bool Expired(state, record, now)
///   Written Write(context, encoder, state, record or nullptr, overlay or nullptr, now, out)
///                                              writes the response
/// The request is parsed again after a wait: its bytes live as long as the call, and
/// nothing else has to be kept.
template <typename Reader>
class ReadHandler {
 public:
  explicit ReadHandler(const ServiceContext& context) : context_(context), encoder_(context.metrics) {}

  void Handle(Call& call) const {
    typename Reader::State state(context_);
    if (absl::Status status = Reader::Parse(call.request(), state); !status.ok()) {
      context_.metrics.rejected_requests.Add();
      return call.Fail(status, {});
    }
    const absl::StatusOr<ReadTerms> terms = ReadTerms::Of(call);
    if (!terms.ok()) {
      context_.metrics.rejected_requests.Add();
      return call.Fail(terms.status(), {});
    }
    const EntityKeyView key = Reader::Key(state);
    const MonoTime now = context_.clock.Now();
    // Asked before the record is looked up.
    const UsageOverlay* const overlay =
        context_.overlay != nullptr && context_.overlay->pending() ? context_.overlay : nullptr;
    MemoryLook look;
    {
      const EpochDomain::Guard guard(context_.cache.epochs());
      const WallTime wall_now = context_.clock.WallNow();
      look = LookInMemory(context_, key, Reader::FeatureId(state), now, *terms,
                          [&](const Record& record) { return Reader::Expired(state, record, wall_now); });
      if (look.next == MemoryLook::Next::kAnswer)
        return Answer(call, state, {.record = look.record, .suspect = look.suspect}, overlay, now);
    }
    const TraceScope trace(call.Trace());
    const auto patience = look.next == MemoryLook::Next::kRefresh ? EntitlementResolver::Patience::kReadBudget
                                                                  : EntitlementResolver::Patience::kDeadline;
    context_.resolver.Resolve(
        key, patience, AnswerBy(call, now, context_.settings.read_timeout),
        [this, &call](const Resolution& resolution) { Resume(call, resolution); },
        terms->staleness_max.value_or(Millis::max()));
  }

 private:
  void Resume(Call& call, const Resolution& resolution) const {
    typename Reader::State state(context_);
    if (absl::Status status = Reader::Parse(call.request(), state); !status.ok()) return call.Fail(status, {});
    const MonoTime now = context_.clock.Now();
    const Record* record = resolution.record;
    if (record != nullptr && !resolution.fetched && ReadTerms::Of(call)->TooOld(*record, now, context_.cover)) {
      record = nullptr;
    }
    const bool suspect = record != nullptr && !resolution.fetched && IsSuspect(*record, now, context_.cover);
    Answer(call, state,
           {.record = record, .fetched = resolution.fetched, .shared = resolution.shared, .suspect = suspect},
           context_.overlay, now);
  }

  void Answer(Call& call, const typename Reader::State& state, Basis basis, const UsageOverlay* overlay,
              MonoTime now) const {
    thread_local ReverseWriter out;
    out.Clear();
    const Written written =
        Reader::Write(context_, encoder_, state, basis.record, overlay, context_.clock.WallNow(), out);
    if (!written.known) basis.record = nullptr;
    const AnswerOrigin origin = OriginOf(context_, basis, now);
    if (const auto& decision = written.decision; decision.has_value()) {
      context_.metrics.decisions.Add(decision->type, decision->granted, static_cast<size_t>(origin.source));
    }
    call.Finish(out.view(), origin);
  }

  const ServiceContext context_;
  const AnswerEncoder encoder_;
};

}  // namespace sidecar
