#include "stigg/sidecar/client.h"

#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/mutex.h"
#include "sdk/call.h"
#include "sdk/channel.h"
#include "sdk/local_process.h"
#include "text/text.h"

namespace stigg::sidecar {

class Client::Impl {
 public:
  Impl(ClientOptions options, std::shared_ptr<grpc::Channel> channel, std::unique_ptr<sdk::LocalProcess> local)
      : options_(std::move(options)),
        local_(std::move(local)),
        stub_(v1::SidecarService::NewStub(std::move(channel))),
        api_(options_.api) {}

  ~Impl() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(
        +[](size_t* under_way) { return *under_way == 0; }, &under_way_));
  }

  template <typename Rpc>
  absl::StatusOr<typename Rpc::Answer> Ask(const typename Rpc::Question& question, const CallOptions& call) {
    if (absl::Status status = CheckCall(call); !status.ok()) return status;
    sdk::RpcCall<Rpc> one(question, call, options_.timeout);
    const grpc::Status status = (*stub_.*Rpc::kSync)(&one.context, one.request, &one.response);
    return one.Conclude(status, question, options_.fallbacks);
  }

  template <typename Rpc>
  void Start(const typename Rpc::Question& question, const CallOptions& call, Done<typename Rpc::Answer> done) {
    if (absl::Status status = CheckCall(call); !status.ok()) return std::move(done)(status);
    struct Waiting {
      Waiting(const typename Rpc::Question& asked, const CallOptions& call, Millis timeout,
              Done<typename Rpc::Answer> whom)
          : question(asked), one(asked, call, timeout), done(std::move(whom)) {}
      const typename Rpc::Question question;  // for its fallback
      sdk::RpcCall<Rpc> one;
      Done<typename Rpc::Answer> done;
    };
    auto* const waiting = new Waiting(question, call, options_.timeout, std::move(done));
    {
      absl::MutexLock lock(&mu_);
      ++under_way_;
    }
    (*stub_->async().*Rpc::kAsync)(&waiting->one.context, &waiting->one.request, &waiting->one.response,
                                   [this, waiting](const grpc::Status& status) {
                                     // Last, since what a call holds (the channel, whose end waits for this thread)
                                     // must be gone before the client may be; and also when `done` throws, which gRPC
                                     // swallows.
                                     const absl::Cleanup ended = [this] {
                                       absl::MutexLock lock(&mu_);
                                       --under_way_;
                                     };
                                     const std::unique_ptr<Waiting> own(waiting);
                                     std::move(own->done)(own->one.Conclude(status, own->question, options_.fallbacks));
                                   });
  }

  CloudApi& api() { return api_; }
  const sdk::LocalProcess* local() const { return local_.get(); }

 private:
  static absl::Status CheckCall(const CallOptions& call) {
    if (call.timeout.has_value()) {
      if (absl::Status status = sdk::CheckTimeout(*call.timeout); !status.ok()) return status;
    }
    if (call.max_staleness.has_value() && *call.max_staleness < Millis(0)) {
      return ::sidecar::InvalidArgument("max_staleness: ", call.max_staleness->count(), " ms; expected 0 or more");
    }
    return absl::OkStatus();
  }

  const ClientOptions options_;
  const std::unique_ptr<sdk::LocalProcess> local_;  // ends after the connection to it
  const std::unique_ptr<sdk::Stub> stub_;
  CloudApi api_;
  absl::Mutex mu_;
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;  // of those that nobody waits for
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  auto channel = sdk::MakeChannel(options);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Client>(
      new Client(std::make_unique<Impl>(std::move(options), *std::move(channel), /*local=*/nullptr)));
}

absl::StatusOr<std::unique_ptr<Client>> Client::CreateLocal(const LocalSidecar& local, ClientOptions options) {
  if (options.api.key.empty()) {
    options.api.key = local.api_key;
    if (!local.api_url.empty()) options.api.url = local.api_url;
  }
  // The same answers when the process is gone.
  for (const auto& [feature, fallback] : local.entitlements_fallback) options.fallbacks.emplace(feature, fallback);
  options.host = "127.0.0.1";
  options.port = 1;  // any: not known before it runs
  options.socket_path.clear();
  options.tls.reset();
  if (absl::Status status = sdk::CheckOptions(options); !status.ok()) return status;  // before anything runs
  auto process = sdk::LocalProcess::Start(local);
  if (!process.ok()) return process.status();
  options.port = (*process)->port();
  auto channel = sdk::MakeChannel(options);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Client>(
      new Client(std::make_unique<Impl>(std::move(options), *std::move(channel), *std::move(process))));
}

CloudApi& Client::api() { return impl_->api(); }
int Client::local_process_id() const { return impl_->local() == nullptr ? -1 : impl_->local()->pid(); }
int Client::local_port() const { return impl_->local() == nullptr ? 0 : impl_->local()->port(); }

absl::StatusOr<BooleanAnswer> Client::GetBooleanEntitlement(const BooleanCheck& check, const CallOptions& call) {
  return impl_->Ask<sdk::BooleanRpc>(check, call);
}
absl::StatusOr<NumericAnswer> Client::GetNumericEntitlement(const NumericCheck& check, const CallOptions& call) {
  return impl_->Ask<sdk::NumericRpc>(check, call);
}
absl::StatusOr<MeteredAnswer> Client::GetMeteredEntitlement(const MeteredCheck& check, const CallOptions& call) {
  return impl_->Ask<sdk::MeteredRpc>(check, call);
}
absl::StatusOr<EnumAnswer> Client::GetEnumEntitlement(const EnumCheck& check, const CallOptions& call) {
  return impl_->Ask<sdk::EnumRpc>(check, call);
}
absl::StatusOr<EntitlementAnswer> Client::GetEntitlement(const EntitlementCheck& check, const CallOptions& call) {
  return impl_->Ask<sdk::EntitlementRpc>(check, call);
}
absl::StatusOr<EntitlementAnswer> Client::GetEntitlementV2(const EntitlementCheckV2& check, const CallOptions& call) {
  return impl_->Ask<sdk::EntitlementV2Rpc>(check, call);
}
absl::StatusOr<EntitlementList> Client::GetEntitlements(const Subject& subject, const CallOptions& call) {
  return impl_->Ask<sdk::ListRpc>(subject, call);
}
absl::StatusOr<EntitlementState> Client::GetEntitlementsStateV2(const Subject& subject, const CallOptions& call) {
  return impl_->Ask<sdk::StateRpc>(subject, call);
}
absl::StatusOr<UsageReceipt> Client::ReportUsage(const UsageReport& report, const CallOptions& call) {
  return impl_->Ask<sdk::UsageRpc>(report, call);
}
absl::StatusOr<std::vector<UsageReceipt>> Client::ReportUsageBulk(const std::vector<UsageReport>& reports,
                                                                  const CallOptions& call) {
  return impl_->Ask<sdk::UsageBulkRpc>(reports, call);
}
absl::Status Client::ReportEvents(const std::vector<Event>& events, const CallOptions& call) {
  return impl_->Ask<sdk::EventsRpc>(events, call).status();
}
absl::StatusOr<bool> Client::ReloadEntitlements(const Subject& subject, const CallOptions& call) {
  return impl_->Ask<sdk::ReloadRpc>(subject, call);
}

void Client::GetBooleanEntitlementAsync(const BooleanCheck& check, const CallOptions& call, Done<BooleanAnswer> done) {
  impl_->Start<sdk::BooleanRpc>(check, call, std::move(done));
}
void Client::GetNumericEntitlementAsync(const NumericCheck& check, const CallOptions& call, Done<NumericAnswer> done) {
  impl_->Start<sdk::NumericRpc>(check, call, std::move(done));
}
void Client::GetMeteredEntitlementAsync(const MeteredCheck& check, const CallOptions& call, Done<MeteredAnswer> done) {
  impl_->Start<sdk::MeteredRpc>(check, call, std::move(done));
}
void Client::GetEnumEntitlementAsync(const EnumCheck& check, const CallOptions& call, Done<EnumAnswer> done) {
  impl_->Start<sdk::EnumRpc>(check, call, std::move(done));
}
void Client::GetEntitlementAsync(const EntitlementCheck& check, const CallOptions& call, Done<EntitlementAnswer> done) {
  impl_->Start<sdk::EntitlementRpc>(check, call, std::move(done));
}
void Client::GetEntitlementV2Async(const EntitlementCheckV2& check, const CallOptions& call,
                                   Done<EntitlementAnswer> done) {
  impl_->Start<sdk::EntitlementV2Rpc>(check, call, std::move(done));
}
void Client::GetEntitlementsAsync(const Subject& subject, const CallOptions& call, Done<EntitlementList> done) {
  impl_->Start<sdk::ListRpc>(subject, call, std::move(done));
}
void Client::GetEntitlementsStateV2Async(const Subject& subject, const CallOptions& call, Done<EntitlementState> done) {
  impl_->Start<sdk::StateRpc>(subject, call, std::move(done));
}
void Client::ReportUsageAsync(const UsageReport& report, const CallOptions& call, Done<UsageReceipt> done) {
  impl_->Start<sdk::UsageRpc>(report, call, std::move(done));
}
void Client::ReportUsageBulkAsync(const std::vector<UsageReport>& reports, const CallOptions& call,
                                  Done<std::vector<UsageReceipt>> done) {
  impl_->Start<sdk::UsageBulkRpc>(reports, call, std::move(done));
}
void Client::ReportEventsAsync(const std::vector<Event>& events, const CallOptions& call,
                               absl::AnyInvocable<void(absl::Status) &&> done) {
  impl_->Start<sdk::EventsRpc>(events, call,
                               [done = std::move(done)](const absl::StatusOr<std::monostate>& ended) mutable {
                                 std::move(done)(ended.status());
                               });
}
void Client::ReloadEntitlementsAsync(const Subject& subject, const CallOptions& call, Done<bool> done) {
  impl_->Start<sdk::ReloadRpc>(subject, call, std::move(done));
}

}  // namespace stigg::sidecar
