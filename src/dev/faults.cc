#include "dev/faults.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/text.h"

namespace sidecar::dev {
namespace {

constexpr std::array<std::pair<std::string_view, Fault::Kind>, 8> kKinds{{
    {"delay", Fault::Kind::kDelay},
    {"status", Fault::Kind::kStatus},
    {"close", Fault::Kind::kClose},
    {"close-after", Fault::Kind::kCloseAfter},
    {"reset", Fault::Kind::kReset},
    {"half-body", Fault::Kind::kHalfBody},
    {"bad-json", Fault::Kind::kBadJson},
    {"silent", Fault::Kind::kSilent},
}};

std::string_view KindName(Fault::Kind kind) {
  return std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& entry) { return entry.second == kind; })->first;
}

}  // namespace

absl::StatusOr<Fault> Faults::Parse(const Json& json) {
  absl::Status error;
  JsonObject reader(json, "", error);
  Fault fault;
  const std::string kind = reader.TextOrEmpty("fault");
  const auto known = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& entry) { return entry.first == kind; });
  if (known == kKinds.end()) {
    reader.Fail("fault", StrCat("'", kind,
                                "' is not known; expected delay, status, close, close-after, reset, "
                                "half-body, bad-json or silent"));
  } else {
    fault.kind = known->second;
  }
  const std::string channel = reader.TextOrEmpty("channel");
  if (channel == "edge") {
    fault.channel = Channel::kEdge;
  } else if (channel == "graphql") {
    fault.channel = Channel::kGraphql;
  } else if (!channel.empty()) {
    reader.Fail("channel", StrCat("'", channel, "' is not known; expected edge or graphql"));
  }
  fault.times = static_cast<int64_t>(reader.Number("times").value_or(-1));
  fault.delay = Millis(static_cast<int64_t>(std::clamp(reader.Number("delayMs").value_or(0), 0.0, 3.6e6)));
  fault.status = static_cast<int>(std::clamp(reader.Number("status").value_or(503), 200.0, 599.0));
  fault.retry_after_secs = static_cast<int>(std::clamp(reader.Number("retryAfterSecs").value_or(0), 0.0, 86400.0));
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

std::optional<Fault> Faults::Take(Channel channel) {
  absl::MutexLock lock(&mu_);
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->channel.value_or(channel) != channel) continue;
    const Fault taken = *fault;
    if (fault->times > 0 && --fault->times == 0) faults_.erase(fault);
    return taken;
  }
  return std::nullopt;
}

Json Faults::List() const {
  absl::MutexLock lock(&mu_);
  Json list = Json::array();
  for (const Fault& fault : faults_) {
    Json entry = Json::object();
    entry["fault"] = KindName(fault.kind);
    if (fault.channel.has_value()) entry["channel"] = *fault.channel == Channel::kEdge ? "edge" : "graphql";
    entry["times"] = fault.times;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace sidecar::dev
