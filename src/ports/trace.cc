#include "ports/trace.h"

#include <algorithm>

#include "text/text.h"

namespace sidecar {
namespace {

std::optional<TraceContext>& ThreadTrace() {
  static thread_local std::optional<TraceContext> trace;
  return trace;
}

/// Lower case only, as the standard has it.
int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <size_t kBytes>
bool ReadHex(std::string_view text, std::array<uint8_t, kBytes>& out) {
  if (text.size() != 2 * kBytes) return false;
  for (size_t i = 0; i < kBytes; ++i) {
    const int high = Digit(text[2 * i]);
    const int low = Digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

template <size_t kBytes>
std::string HexOf(const std::array<uint8_t, kBytes>& bytes) {
  return Hex({reinterpret_cast<const char*>(bytes.data()), kBytes});
}

template <size_t kBytes>
bool IsZero(const std::array<uint8_t, kBytes>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceContext> TraceContext::Parse(std::string_view traceparent) {
  // 00-<32 digits>-<16 digits>-<2 digits>
  constexpr size_t kLength = 55;
  if (traceparent.size() < kLength || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') {
    return std::nullopt;
  }
  std::array<uint8_t, 1> version{};
  std::array<uint8_t, 1> flags{};
  TraceContext out;
  if (!ReadHex(traceparent.substr(0, 2), version) || !ReadHex(traceparent.substr(3, 32), out.trace_id) ||
      !ReadHex(traceparent.substr(36, 16), out.span_id) || !ReadHex(traceparent.substr(53, 2), flags)) {
    return std::nullopt;
  }
  const bool longer = traceparent.size() > kLength;
  if (version[0] == 0xFF || (version[0] == 0 && longer) || (longer && traceparent[kLength] != '-')) return std::nullopt;
  if (IsZero(out.trace_id) || IsZero(out.span_id)) return std::nullopt;
  out.sampled = (flags[0] & 1) != 0;
  return out;
}

std::string TraceContext::Header() const {
  return StrCat("00-", HexOf(trace_id), "-", HexOf(span_id), "-", sampled ? "01" : "00");
}

std::string TraceIdText(const TraceId& id) { return HexOf(id); }

TraceScope::TraceScope(std::optional<TraceContext> trace) : before_(ThreadTrace()) { ThreadTrace() = trace; }

TraceScope::~TraceScope() { ThreadTrace() = before_; }

const std::optional<TraceContext>& TraceScope::Current() { return ThreadTrace(); }

}  // namespace sidecar
