// Requests of all RPCs, from bytes to bytes: each is answered exactly once, with a message of its type or a status.
// What is read without protobuf (service/fast_request.h) is what protobuf reads.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <memory>

#include "bench/check_world.h"
#include "fuzz/fuzz.h"
#include "service/fast_request.h"
#include "service/methods.h"

namespace {

using namespace sidecar;
namespace v1 = stigg::sidecar::v1;

class Recorder final : public Call {
 public:
  Recorder(std::string_view bytes, std::string_view metadata) : bytes_(bytes), metadata_(metadata) {}

  std::string_view request() override { return bytes_; }
  std::optional<MonoTime> deadline() override { return MonoTime(Millis(1'000'000) + Millis(50)); }
  std::string_view Metadata(std::string_view) override { return metadata_; }
  void Finish(std::string_view response, const AnswerOrigin&) override {
    ++ended_;
    response_ = response;
  }
  void Fail(const absl::Status& status, std::string_view) override {
    ++ended_;
    failed_ = true;
    fuzz::Require(!status.ok(), "a failure has a code");
    fuzz::Require(status.code() != absl::StatusCode::kInternal, "no input is an internal error");
  }

  const std::string bytes_;
  const std::string_view metadata_;
  std::string response_;
  int ended_ = 0;
  bool failed_ = false;
};

/// Says no at once.
class Refusing : public UsageSink {
  void ReportUsage(std::vector<UsageReport>, MonoTime, UsageDone done) override {
    std::move(done)(UpstreamFailure{.status = absl::UnavailableError("down")});
  }
  void ReportEvents(std::vector<UsageEvent>, MonoTime, EventsDone done) override {
    std::move(done)(UpstreamFailure{.status = absl::UnavailableError("down")});
  }
};

struct Sidecar {
  Sidecar() {
    const CustomerEntitlements entitlements = bench::TwentyMetered();
    door.Admit(door.StartFetch({"c", ""}), entitlements, RecordDoor::Mode::kReplace);
    source.fail_at_once = true;
    handlers = MakeHandlers({.cache = cache,
                             .resolver = resolver,
                             .cover = cover,
                             .reporter = reporter,
                             .fallbacks = fallbacks,
                             .clock = time,
                             .metrics = metrics,
                             .settings = {}});
  }

  testing::SimTime time;
  testing::FixedRandom random;
  Metrics metrics;
  Definitions definitions{[](const FeatureDefinition& f) { return EncodeDefinition(f); },
                          [](const CurrencyDefinition& c) { return EncodeDefinition(c); }};
  EpochDomain epochs;
  EntitlementCache cache{{.limit_bytes = 16 << 20, .shards = 1}, epochs, definitions};
  LiveCover cover;
  RecordDoor door{cache, time, random, cover, {.ttl = Millis(1'800'000)}};
  testing::FakeSource source;
  GuardedSource guarded{source, time, time, Millis(1'000), {}};
  EntitlementResolver resolver{cache, door, cover, guarded, source, time, time, metrics, {}};
  Refusing sink;
  UsageReporter reporter{sink, door};
  FallbackTable fallbacks;
  Handlers handlers;
};

template <typename Request>
void RequireAgreement(std::string_view bytes, const CheckRequestShape& shape) {
  FastRequest fast;
  if (!ReadFastRequest(bytes, shape, fast)) return;
  Request request;
  fuzz::Require(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())),
                "protobuf reads what is read fast");
  fuzz::Require(request.customer_id() == fast.customer_id, "the same customer");
  fuzz::Require(request.feature_id() == fast.feature_id, "the same feature");
  fuzz::Require(request.resource_id() == fast.resource_id, "the same resource");
  fuzz::Require(!request.options().has_fallback(), "no fallback is passed over");
}

std::unique_ptr<google::protobuf::Message> ResponseOf(size_t method) {
  const auto* const service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(std::string(kServiceName));
  const auto* const type = service->FindMethodByName(std::string(kMethodNames[method]))->output_type();
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

}  // namespace

/// The first byte chooses the method, the second whether metadata is there.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static const bool linked = v1::GetEntitlementRequest::descriptor() != nullptr;
  fuzz::Require(linked, "the descriptors are there");
  const size_t method = data[0] % kMethodCount;
  const std::string_view bytes = fuzz::Text(data + 2, size - 2);
  RequireAgreement<v1::GetMeteredEntitlementRequest>(bytes, {.requested_usage = 1});
  RequireAgreement<v1::GetEntitlementRequest>(bytes, {.requested_usage = 2, .requested_values = 3});

  Sidecar sidecar;
  const std::string_view metadata = (data[1] & 1) != 0 ? bytes.substr(0, std::min<size_t>(bytes.size(), 64)) : "";
  Recorder call(bytes, metadata);
  sidecar.handlers[method](call);
  sidecar.time.Advance(Millis(120'000));
  fuzz::Require(call.ended_ == 1, "a call ends exactly once");
  if (call.failed_) return 0;
  fuzz::Require(ResponseOf(method)->ParseFromString(call.response_), "an answer is a message of its type");
  return 0;
}
