// The RPCs of the contract as the client sees them: a question and an answer in plain values, what they are on the
// wire, and what is answered when the sidecar cannot be reached.
//
// Each is a struct of:
//   Question, Answer     values of include/stigg/sidecar/types.h
//   Request, Response    messages
//   kSync, kAsync        the stub's methods
//   void Write(const Question&, Request&)
//   Answer Read(Response&&)
//   std::optional<Answer> Fallback(const Question&, const FallbackMap&)    checks only
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stigg/sidecar/types.h"
#include "stigg/sidecar/v1/sidecar.grpc.pb.h"

namespace stigg::sidecar::sdk {

using Stub = v1::SidecarService::Stub;
using FallbackMap = std::map<std::string, Fallback>;

template <typename RequestType, typename ResponseType>
struct Messages {
  using Request = RequestType;
  using Response = ResponseType;
  using Sync = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);
  using Async = void (Stub::async::*)(grpc::ClientContext*, const Request*, Response*,
                                      std::function<void(grpc::Status)>);
};

struct BooleanRpc : Messages<v1::GetBooleanEntitlementRequest, v1::GetBooleanEntitlementResponse> {
  using Question = BooleanCheck;
  using Answer = BooleanAnswer;
  static constexpr Sync kSync = &Stub::GetBooleanEntitlement;
  static constexpr Async kAsync = &Stub::async::GetBooleanEntitlement;
  static void Write(const Question& check, Request& request);
  static Answer Read(Response&& response);
  static std::optional<Answer> Fallback(const Question& check, const FallbackMap& configured);
};

struct NumericRpc : Messages<v1::GetNumericEntitlementRequest, v1::GetNumericEntitlementResponse> {
  using Question = NumericCheck;
  using Answer = NumericAnswer;
  static constexpr Sync kSync = &Stub::GetNumericEntitlement;
  static constexpr Async kAsync = &Stub::async::GetNumericEntitlement;
  static void Write(const Question& check, Request& request);
  static Answer Read(Response&& response);
  static std::optional<Answer> Fallback(const Question& check, const FallbackMap& configured);
};

struct MeteredRpc : Messages<v1::GetMeteredEntitlementRequest, v1::GetMeteredEntitlementResponse> {
  using Question = MeteredCheck;
  using Answer = MeteredAnswer;
  static constexpr Sync kSync = &Stub::GetMeteredEntitlement;
  static constexpr Async kAsync = &Stub::async::GetMeteredEntitlement;
  static void Write(const Question& check, Request& request);
  static Answer Read(Response&& response);
  static std::optional<Answer> Fallback(const Question& check, const FallbackMap& configured);
};

struct EnumRpc : Messages<v1::GetEnumEntitlementRequest, v1::GetEnumEntitlementResponse> {
  using Question = EnumCheck;
  using Answer = EnumAnswer;
  static constexpr Sync kSync = &Stub::GetEnumEntitlement;
  static constexpr Async kAsync = &Stub::async::GetEnumEntitlement;
  static void Write(const Question& check, Request& request);
  static Answer Read(Response&& response);
  static std::optional<Answer> Fallback(const Question& check, const FallbackMap& configured);
};

struct EntitlementRpc : Messages<v1::GetEntitlementRequest, v1::GetEntitlementResponse> {
  using Question = EntitlementCheck;
  using Answer = EntitlementAnswer;
  static constexpr Sync kSync = &Stub::GetEntitlement;
  static constexpr Async kAsync = &Stub::async::GetEntitlement;
  static void Write(const Question& check, Request& request);
  static Answer Read(Response&& response);
  static std::optional<Answer> Fallback(const Question& check, const FallbackMap& configured);
};

struct EntitlementV2Rpc : Messages<v1::GetEntitlementV2Request, v1::GetEntitlementV2Response> {
  using Question = EntitlementCheckV2;
  using Answer = EntitlementAnswer;
  static constexpr Sync kSync = &Stub::GetEntitlementV2;
  static constexpr Async kAsync = &Stub::async::GetEntitlementV2;
  static void Write(const Question& check, Request& request);
  static Answer Read(Response&& response);
  static std::optional<Answer> Fallback(const Question& check, const FallbackMap& configured);
};

struct ListRpc : Messages<v1::GetEntitlementsRequest, v1::GetEntitlementsResponse> {
  using Question = Subject;
  using Answer = EntitlementList;
  static constexpr Sync kSync = &Stub::GetEntitlements;
  static constexpr Async kAsync = &Stub::async::GetEntitlements;
  static void Write(const Question& subject, Request& request);
  static Answer Read(Response&& response);
};

struct StateRpc : Messages<v1::GetEntitlementsStateV2Request, v1::GetEntitlementsStateV2Response> {
  using Question = Subject;
  using Answer = EntitlementState;
  static constexpr Sync kSync = &Stub::GetEntitlementsStateV2;
  static constexpr Async kAsync = &Stub::async::GetEntitlementsStateV2;
  static void Write(const Question& subject, Request& request);
  static Answer Read(Response&& response);
};

struct UsageRpc : Messages<v1::ReportUsageRequest, v1::ReportUsageResponse> {
  using Question = UsageReport;
  using Answer = UsageReceipt;
  static constexpr Sync kSync = &Stub::ReportUsage;
  static constexpr Async kAsync = &Stub::async::ReportUsage;
  static void Write(const Question& report, Request& request);
  static Answer Read(Response&& response);
};

struct UsageBulkRpc : Messages<v1::ReportUsageBulkRequest, v1::ReportUsageBulkResponse> {
  using Question = std::vector<UsageReport>;
  using Answer = std::vector<UsageReceipt>;
  static constexpr Sync kSync = &Stub::ReportUsageBulk;
  static constexpr Async kAsync = &Stub::async::ReportUsageBulk;
  static void Write(const Question& reports, Request& request);
  static Answer Read(Response&& response);
};

struct EventsRpc : Messages<v1::ReportEventsRequest, google::protobuf::Empty> {
  using Question = std::vector<Event>;
  using Answer = std::monostate;
  static constexpr Sync kSync = &Stub::ReportEvents;
  static constexpr Async kAsync = &Stub::async::ReportEvents;
  static void Write(const Question& events, Request& request);
  static Answer Read(Response&&) { return {}; }
};

struct ReloadRpc : Messages<v1::ReloadEntitlementsRequest, v1::ReloadEntitlementsResponse> {
  using Question = Subject;
  using Answer = bool;
  static constexpr Sync kSync = &Stub::ReloadEntitlements;
  static constexpr Async kAsync = &Stub::async::ReloadEntitlements;
  static void Write(const Question& subject, Request& request);
  static Answer Read(Response&& response) { return response.entitled_entity_exists(); }
};

}  // namespace stigg::sidecar::sdk
