// One RPC as handlers see it: bytes in, bytes out. Nothing of gRPC's library: another front
// can stand in the place of grpc++ (docs/adr/0001).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "domain/time.h"
#include "ports/trace.h"

namespace sidecar {

/// Where an answer came from, for the trailers x-entitlement-source and x-entitlement-age-ms.
struct AnswerOrigin {
  enum class Source : uint8_t { kNone, kMemory, kRedis, kUpstream, kSnapshot, kFallback };
  Source source = Source::kNone;
  Millis age{0};
  /// A fresh hit in memory: told only to callers that ask (metadata x-entitlement-trace).
  bool routine = false;
  /// A report that upstream does not have yet: trailer x-report-status.
  bool durable = false;
};

std::string_view Name(AnswerOrigin::Source source);

/// One unary call in progress. The front owns it; it lives until Finish or Fail returns.
class Call {
 public:
  virtual ~Call() = default;

  /// The request message's bytes, valid until the call ends.
  virtual std::string_view request() = 0;

  /// When the caller stops waiting; nullopt when it set no deadline, or one a day away.
  virtual std::optional<MonoTime> deadline() = 0;

  /// First value of a metadata entry (name in lower case); empty when absent.
  virtual std::string_view Metadata(std::string_view name) = 0;

  /// The span of this call, or what the caller's traceparent says where spans are not recorded;
  /// nullopt: the caller sent none.
  virtual std::optional<TraceContext> Trace() { return TraceContext::Parse(Metadata("traceparent")); }

  /// Ends the call with a response message. Exactly one of Finish and Fail is called, once,
  /// from any thread; the call must not be touched afterwards.
  virtual void Finish(std::string_view response, const AnswerOrigin& origin) = 0;

  /// Ends the call with a status. `details` is a serialised google.rpc.Status, or empty.
  virtual void Fail(const absl::Status& status, std::string_view details) = 0;
};

/// Answers one method. Called on a front's thread; must not block. Thread-safe.
using Handler = std::function<void(Call&)>;

}  // namespace sidecar
