#include "dev/faults.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "text/text.h"

namespace sidecar::dev {
namespace {

struct KnownKind {
  std::string_view name;
  Fault::Kind kind;
  bool http;
  bool web_socket;
  std::array<std::string_view, 2> http_members = {};        // besides fault, channel and times
  std::array<std::string_view, 2> web_socket_members = {};  // the same
};

constexpr std::array kKinds{
    KnownKind{"delay", Fault::Kind::kDelay, true, false, {"delayMs"}},
    KnownKind{"status", Fault::Kind::kStatus, true, false, {"status", "retryAfterSecs"}},
    KnownKind{"close", Fault::Kind::kClose, true, true, {}, {"code", "reason"}},
    KnownKind{"close-after", Fault::Kind::kCloseAfter, true, false},
    KnownKind{"reset", Fault::Kind::kReset, true, false},
    KnownKind{"half-body", Fault::Kind::kHalfBody, true, false},
    KnownKind{"bad-json", Fault::Kind::kBadJson, true, true},
    KnownKind{"silent", Fault::Kind::kSilent, true, true},
    KnownKind{"refuse", Fault::Kind::kRefuse, false, true, {}, {"status", "retryAfterSecs"}},
    KnownKind{"error", Fault::Kind::kError, false, true, {}, {"reason"}},
};

constexpr std::array<std::pair<std::string_view, Channel>, 3> kChannels{{
    {"edge", Channel::kEdge},
    {"graphql", Channel::kGraphql},
    {"websocket", Channel::kWebSocket},
}};

const KnownKind& Known(Fault::Kind kind) {
  return *std::find_if(kKinds.begin(), kKinds.end(), [&](const KnownKind& known) { return known.kind == kind; });
}

/// What a fault may say, in the order in which it is listed.
std::vector<std::string_view> MembersOf(const Fault& fault) {
  const KnownKind& known = Known(fault.kind);
  std::vector<std::string_view> members{"fault", "channel", "times"};
  for (const std::string_view member :
       fault.channel == Channel::kWebSocket ? known.web_socket_members : known.http_members) {
    if (!member.empty()) members.push_back(member);
  }
  return members;
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

std::string Seen(const Json& value) {
  constexpr size_t kShown = 60;
  const std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return text.size() > kShown ? StrCat(text.substr(0, kShown), "…") : text;
}

class FaultReader {
 public:
  FaultReader(const Json& json, absl::Status& error) : json_(json), reader_(json, "", error) {}

  Fault Read() {
    constexpr int64_t kTimesMax = 1'000'000'000;
    fault_.channel = ReadChannel(reader_);
    fault_.kind = ReadKind(reader_, fault_.channel == Channel::kWebSocket);
    CheckMembers();
    fault_.times = Whole("times", 1, kTimesMax).value_or(-1);
    fault_.delay = Millis(Whole("delayMs", 0, 600'000).value_or(0));
    fault_.status = static_cast<int>(Whole("status", 100, 599).value_or(fault_.status));
    fault_.retry_after_secs = static_cast<int>(Whole("retryAfterSecs", 0, 86'400).value_or(0));
    ReadClose();
    return fault_;
  }

 private:
  void CheckMembers() {
    if (!json_.is_object()) return;
    const std::vector<std::string_view> members = MembersOf(fault_);
    for (const auto& [name, value] : json_.items()) {
      if (std::find(members.begin(), members.end(), std::string_view(name)) != members.end()) continue;
      reader_.Fail(name, StrCat("is not known of this fault (got ", Seen(value), "); expected ", Join(members, ", ")));
    }
    if (fault_.kind == Fault::Kind::kDelay && !reader_.Has("delayMs")) {
      reader_.Fail("delayMs", "expected a whole number, 0 to 600000, got nothing");
    }
  }

  /// nullopt when it is absent, or is not accepted.
  std::optional<int64_t> Whole(std::string_view name, int64_t min, int64_t max) {
    if (!reader_.Has(name)) return std::nullopt;
    const Json& value = *json_.find(name);
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    if (std::trunc(number) == number && number >= static_cast<double>(min) && number <= static_cast<double>(max)) {
      return static_cast<int64_t>(number);
    }
    reader_.Fail(name, StrCat("expected a whole number, ", min, " to ", max, ", got ", Seen(value)));
    return std::nullopt;
  }

  void ReadClose() {
    constexpr size_t kReasonMax = 123;  // of a close frame
    const double code = reader_.Number("code").value_or(fault_.code);
    if (MayBeSent(code)) {
      fault_.code = static_cast<uint16_t>(code);
    } else {
      reader_.Fail(
          "code",
          StrCat("expected a close code that may be sent, 1000 to 4999, not 1004 to 1006 nor 1015, got ", code));
    }
    fault_.reason = reader_.TextOrEmpty("reason");
    if (fault_.reason.size() > kReasonMax) {
      reader_.Fail("reason", StrCat("expected at most ", kReasonMax, " bytes, got ", fault_.reason.size()));
    }
  }

  const Json& json_;
  JsonObject reader_;
  Fault fault_;
};

Json MemberOf(const Fault& fault, std::string_view name) {
  if (name == "fault") return Known(fault.kind).name;
  if (name == "channel") return fault.channel.has_value() ? Json(NameOf(*fault.channel)) : Json();
  if (name == "times") return fault.times > 0 ? Json(fault.times) : Json();
  if (name == "delayMs") return fault.delay.count();
  if (name == "status") return fault.status;
  if (name == "retryAfterSecs") return fault.retry_after_secs;
  if (name == "code") return fault.code;
  return fault.reason;
}

}  // namespace

absl::StatusOr<Fault> Faults::Parse(const Json& json) {
  absl::Status error;
  Fault fault = FaultReader(json, error).Read();
  if (!error.ok()) return error;
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
    for (const std::string_view name : MembersOf(fault)) entry[std::string(name)] = MemberOf(fault, name);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace sidecar::dev
