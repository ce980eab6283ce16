#include "dev/faults.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/text.h"

namespace sidecar::dev {
namespace {

struct KnownKind {
  std::string_view name;
  Fault::Kind kind;
  bool http;
  bool web_socket;
};

constexpr std::array kKinds{
    KnownKind{"delay", Fault::Kind::kDelay, true, false},
    KnownKind{"status", Fault::Kind::kStatus, true, false},
    KnownKind{"close", Fault::Kind::kClose, true, true},
    KnownKind{"close-after", Fault::Kind::kCloseAfter, true, false},
    KnownKind{"reset", Fault::Kind::kReset, true, false},
    KnownKind{"half-body", Fault::Kind::kHalfBody, true, false},
    KnownKind{"bad-json", Fault::Kind::kBadJson, true, true},
    KnownKind{"silent", Fault::Kind::kSilent, true, true},
    KnownKind{"refuse", Fault::Kind::kRefuse, false, true},
    KnownKind{"error", Fault::Kind::kError, false, true},
};

constexpr std::array<std::pair<std::string_view, Channel>, 3> kChannels{{
    {"edge", Channel::kEdge},
    {"graphql", Channel::kGraphql},
    {"websocket", Channel::kWebSocket},
}};

std::string_view NameOf(Fault::Kind kind) {
  return std::find_if(kKinds.begin(), kKinds.end(), [&](const KnownKind& known) { return known.kind == kind; })->name;
}

std::string_view NameOf(Channel channel) {
  return std::find_if(kChannels.begin(), kChannels.end(), [&](const auto& known) { return known.second == channel; })
      ->first;
}

std::string KindsOf(bool web_socket) {
  std::vector<std::string_view> names;
  for (const KnownKind& known : kKinds) {
    if (web_socket ? known.web_socket : known.http) names.push_back(known.name);
  }
  return Join(names, ", ");
}

std::optional<Channel> ReadChannel(JsonObject& reader) {
  const std::string name = reader.TextOrEmpty("channel");
  for (const auto& [known, channel] : kChannels) {
    if (known == name) return channel;
  }
  if (!name.empty()) {
    reader.Fail("channel", StrCat("'", name, "' is not known; expected edge, graphql or websocket"));
  }
  return std::nullopt;
}

Fault::Kind ReadKind(JsonObject& reader, bool web_socket) {
  const std::string name = reader.TextOrEmpty("fault");
  for (const KnownKind& known : kKinds) {
    if (known.name == name && (web_socket ? known.web_socket : known.http)) return known.kind;
  }
  reader.Fail("fault",
              StrCat("'", name, "' is not known", web_socket ? " on a websocket" : "", "; expected one of ",
                     KindsOf(web_socket), web_socket ? "" : StrCat("; with channel websocket ", KindsOf(true))));
  return {};
}

/// A code that a server may send in a close frame (RFC 6455 section 7.4).
bool MayBeSent(double code) {
  return code >= 1000 && code < 5000 && code != 1004 && code != 1005 && code != 1006 && code != 1015;
}

}  // namespace

absl::StatusOr<Fault> Faults::Parse(const Json& json) {
  constexpr size_t kReasonMax = 123;  // of a close frame
  absl::Status error;
  JsonObject reader(json, "", error);
  Fault fault;
  fault.channel = ReadChannel(reader);
  fault.kind = ReadKind(reader, fault.channel == Channel::kWebSocket);
  fault.times = static_cast<int64_t>(reader.Number("times").value_or(-1));
  fault.delay = Millis(static_cast<int64_t>(std::clamp(reader.Number("delayMs").value_or(0), 0.0, 3.6e6)));
  fault.status = static_cast<int>(std::clamp(reader.Number("status").value_or(503), 200.0, 599.0));
  fault.retry_after_secs = static_cast<int>(std::clamp(reader.Number("retryAfterSecs").value_or(0), 0.0, 86400.0));
  const double code = reader.Number("code").value_or(fault.code);
  if (!MayBeSent(code)) reader.Fail("code", "expected a close code that may be sent: 1000 to 4999, not 1004 to 1006");
  fault.reason = reader.TextOrEmpty("reason");
  if (fault.reason.size() > kReasonMax) reader.Fail("reason", StrCat("expected at most ", kReasonMax, " bytes"));
  if (!error.ok()) return error;
  fault.code = static_cast<uint16_t>(code);
  return fault;
}

void Faults::Add(const Fault& fault) {
  absl::MutexLock lock(&mu_);
  faults_.push_back(fault);
}

void Faults::Clear() {
  absl::MutexLock lock(&mu_);
  faults_.clear();
}

template <typename Matches>
std::optional<Fault> Faults::TakeFirst(Matches matches) {
  absl::MutexLock lock(&mu_);
  const auto fault = std::find_if(faults_.begin(), faults_.end(), matches);
  if (fault == faults_.end()) return std::nullopt;
  const Fault taken = *fault;
  if (fault->times > 0 && --fault->times == 0) faults_.erase(fault);
  return taken;
}

std::optional<Fault> Faults::Take(Channel channel) {
  return TakeFirst([&](const Fault& fault) { return fault.channel.value_or(channel) == channel; });
}

std::optional<Fault> Faults::TakeOnWebSocket(Fault::Kind kind) {
  return TakeFirst([&](const Fault& fault) { return fault.channel == Channel::kWebSocket && fault.kind == kind; });
}

Json Faults::List() const {
  absl::MutexLock lock(&mu_);
  Json list = Json::array();
  for (const Fault& fault : faults_) {
    Json entry = Json::object();
    entry["fault"] = NameOf(fault.kind);
    if (fault.channel.has_value()) entry["channel"] = NameOf(*fault.channel);
    entry["times"] = fault.times;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace sidecar::dev
