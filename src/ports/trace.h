// Distributed traces: the context that a call brings along, and where finished spans go.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sidecar {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

/// W3C trace context, version 00: which trace, which span of it is the parent, whether it is recorded.
/// Source: w3.org/TR/trace-context, section 3.2.
struct TraceContext {
  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;

  /// From the header's value; nullopt for what is none. Later versions are read as far as this one goes.
  static std::optional<TraceContext> Parse(std::string_view traceparent);
  /// As the header's value.
  std::string Header() const;

  bool operator==(const TraceContext&) const = default;
};

std::string TraceIdText(const TraceId& id);

/// A piece of work that has ended.
struct Span {
  enum class Kind : uint8_t { kServer = 2, kClient = 3 };  // as OTLP numbers them

  TraceContext context;  ///< its own
  SpanId parent{};
  Kind kind = Kind::kServer;
  std::string name;
  std::chrono::nanoseconds took{0};
  bool failed = false;
  std::vector<std::pair<std::string, std::string>> attributes;
};

/// Thread-safe; never blocks.
class Tracer {
 public:
  virtual ~Tracer() = default;
  /// The context of a new span below `parent`.
  virtual TraceContext Child(const TraceContext& parent) = 0;
  /// The span ended just now.
  virtual void Record(Span span) = 0;
};

/// The trace that the thread is working for, as long as this lives. What goes on later, from a timer or
/// another thread, takes Current() along.
class TraceScope {
 public:
  explicit TraceScope(std::optional<TraceContext> trace);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

  static const std::optional<TraceContext>& Current();

 private:
  std::optional<TraceContext> before_;
};

}  // namespace sidecar
