// A client of the sidecar: typed checks and reports over gRPC.
//
//   auto client = stigg::sidecar::Client::Create({.host = "localhost", .port = 8443});
//   auto answer = (*client)->GetMeteredEntitlement({.customer_id = "acme", .feature_id = "seats", .requested_usage = 1,
//                                                   .fallback = MeteredFallback{.has_access = true}});
//   if (answer.ok() && answer->has_access) …
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stigg/sidecar/cloud_api.h"
#include "stigg/sidecar/local_sidecar.h"
#include "stigg/sidecar/types.h"

namespace stigg::sidecar {

/// PEM files, read when the client is made.
struct TlsOptions {
  std::string ca_file;      ///< empty: the system's authorities
  std::string cert_file;    ///< what this client shows; empty: nothing
  std::string key_file;     ///< needed with cert_file
  std::string server_name;  ///< the name that the server's certificate must have; empty: `host`
};

struct ClientOptions {
  std::string host = "localhost";
  int port = 8443;
  /// Path of the sidecar's GRPC_SOCKET; not empty: instead of host and port.
  std::string socket_path;
  std::optional<TlsOptions> tls;  ///< not there: plaintext
  /// Deadline of a call that names none: 1 ms to a day.
  Millis timeout{1'000};
  /// A connection without traffic is asked this often whether it is alive; 10 s, which the sidecar accepts, to a day.
  Millis keepalive{30'000};
  /// Times that a call which may be repeated is sent, at most, 1 to 5: reads, events (they have keys) and reloads, when
  /// they end UNAVAILABLE or CANCELLED, as they do while a sidecar drains. Usage is sent once, but for a
  /// call that surely did not reach the sidecar.
  int attempts = 4;
  /// By feature: what to answer when the sidecar cannot be reached and the call brings no fallback of its own.
  std::map<std::string, Fallback> fallbacks;
  /// For api(): needs a key. A local sidecar's own is taken when this one is empty.
  ApiOptions api;
};

struct CallOptions {
  std::optional<Millis> timeout;  ///< 1 ms to a day
  std::optional<Millis>
      max_staleness;            ///< of a check: older data is refreshed within the deadline, or counts as unknown
  bool accept_durable = false;  ///< of a usage report: it may be spooled when the cloud cannot take it
  bool trace = false;           ///< asks where the answer comes from, also when it is a routine hit
};

/// One connection to one sidecar, made when it is first used and again whenever it is lost. Thread-safe.
///
/// A check fails with INVALID_ARGUMENT when the question is wrong (the message names the field), and with
/// UNAUTHENTICATED, PERMISSION_DENIED or UNIMPLEMENTED when the server is not one that answers us. Otherwise the
/// sidecar answers, and when it cannot be reached in time, the fallback of the call does, or ClientOptions::fallbacks:
/// `source` is then kUnreachable. Without either it is the status of the call: UNAVAILABLE, DEADLINE_EXCEEDED or what
/// else ended it.
class Client {
 public:
  /// INVALID_ARGUMENT: an option is out of range; NOT_FOUND: a PEM file cannot be read. Does not wait for a connection.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  /// Starts a sidecar of this client's own, waits until it is ready, and ends it with the client. Of `options`, host,
  /// port, socket_path and tls are not used. Errors also as LocalSidecar's own (local_sidecar.h).
  static absl::StatusOr<std::unique_ptr<Client>> CreateLocal(const LocalSidecar& local, ClientOptions options = {});

  /// Waits for asynchronous calls that are under way; ends a local sidecar. No other call may be under way.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  absl::StatusOr<BooleanAnswer> GetBooleanEntitlement(const BooleanCheck& check, const CallOptions& call = {});
  absl::StatusOr<NumericAnswer> GetNumericEntitlement(const NumericCheck& check, const CallOptions& call = {});
  absl::StatusOr<MeteredAnswer> GetMeteredEntitlement(const MeteredCheck& check, const CallOptions& call = {});
  absl::StatusOr<EnumAnswer> GetEnumEntitlement(const EnumCheck& check, const CallOptions& call = {});
  absl::StatusOr<EntitlementAnswer> GetEntitlement(const EntitlementCheck& check, const CallOptions& call = {});
  absl::StatusOr<EntitlementAnswer> GetEntitlementV2(const EntitlementCheckV2& check, const CallOptions& call = {});
  absl::StatusOr<EntitlementList> GetEntitlements(const Subject& subject, const CallOptions& call = {});
  absl::StatusOr<EntitlementState> GetEntitlementsStateV2(const Subject& subject, const CallOptions& call = {});

  /// Status as the sidecar maps it (docs/api.md): UNAVAILABLE and DEADLINE_EXCEEDED of a report mean that it may have
  /// been counted; RESOURCE_EXHAUSTED that it was not.
  absl::StatusOr<UsageReceipt> ReportUsage(const UsageReport& report, const CallOptions& call = {});
  /// At most 5,000; receipts in the order of the reports.
  absl::StatusOr<std::vector<UsageReceipt>> ReportUsageBulk(const std::vector<UsageReport>& reports,
                                                            const CallOptions& call = {});
  /// At most 5,000.
  absl::Status ReportEvents(const std::vector<Event>& events, const CallOptions& call = {});
  /// Fetches the customer anew; whether the cloud knows him.
  absl::StatusOr<bool> ReloadEntitlements(const Subject& subject, const CallOptions& call = {});

  /// The same without waiting: `done` is called once, on a thread of gRPC's (in the
  /// caller when `call` is out of range), and must not block nor end the client.
  template <typename Answer>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Answer>) &&>;

  void GetBooleanEntitlementAsync(const BooleanCheck& check, const CallOptions& call, Done<BooleanAnswer> done);
  void GetNumericEntitlementAsync(const NumericCheck& check, const CallOptions& call, Done<NumericAnswer> done);
  void GetMeteredEntitlementAsync(const MeteredCheck& check, const CallOptions& call, Done<MeteredAnswer> done);
  void GetEnumEntitlementAsync(const EnumCheck& check, const CallOptions& call, Done<EnumAnswer> done);
  void GetEntitlementAsync(const EntitlementCheck& check, const CallOptions& call, Done<EntitlementAnswer> done);
  void GetEntitlementV2Async(const EntitlementCheckV2& check, const CallOptions& call, Done<EntitlementAnswer> done);
  void GetEntitlementsAsync(const Subject& subject, const CallOptions& call, Done<EntitlementList> done);
  void GetEntitlementsStateV2Async(const Subject& subject, const CallOptions& call, Done<EntitlementState> done);
  void ReportUsageAsync(const UsageReport& report, const CallOptions& call, Done<UsageReceipt> done);
  void ReportUsageBulkAsync(const std::vector<UsageReport>& reports, const CallOptions& call,
                            Done<std::vector<UsageReceipt>> done);
  void ReportEventsAsync(const std::vector<Event>& events, const CallOptions& call,
                         absl::AnyInvocable<void(absl::Status) &&> done);
  void ReloadEntitlementsAsync(const Subject& subject, const CallOptions& call, Done<bool> done);

  /// The whole cloud API (cloud_api.h), not by way of the sidecar.
  CloudApi& api();

  /// Of a client made by CreateLocal; else -1 and 0.
  int local_process_id() const;
  int local_port() const;

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stigg::sidecar
