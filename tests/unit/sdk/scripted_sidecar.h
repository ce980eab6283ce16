// A server of the contract on grpc++ that answers what a test says.
#pragma once

#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "stigg/sidecar/v1/sidecar.grpc.pb.h"

namespace stigg::sidecar::testing {

class ScriptedSidecar final : public v1::SidecarService::Service {
 public:
  /// Listens on `address`, where port 0 is any free one.
  explicit ScriptedSidecar(const std::string& address = "127.0.0.1:0",
                           std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, credentials, &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ScriptedSidecar() override { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }

  /// What the calls from now on are answered, in text format; and with these trailers.
  void Answer(std::string text, std::map<std::string, std::string> trailers = {}) {
    const std::lock_guard lock(mu_);
    answer_ = std::move(text);
    trailers_ = std::move(trailers);
  }
  /// The next calls end so, each with one; those after that are answered.
  void Fail(std::deque<grpc::Status> failures) {
    const std::lock_guard lock(mu_);
    failures_ = std::move(failures);
  }

  /// Of the last call: its request in text format, and what it brought.
  std::string asked() const { return Locked(asked_); }
  std::string metadata(const std::string& name) const {
    const std::lock_guard lock(mu_);
    const auto found = metadata_.find(name);
    return found == metadata_.end() ? "" : found->second;
  }
  int calls() const { return calls_; }

#define SCRIPTED(METHOD, REQUEST, RESPONSE)                                                                \
  grpc::Status METHOD(grpc::ServerContext* context, const REQUEST* request, RESPONSE* response) override { \
    return Serve(context, *request, response);                                                             \
  }
  SCRIPTED(GetBooleanEntitlement, v1::GetBooleanEntitlementRequest, v1::GetBooleanEntitlementResponse)
  SCRIPTED(GetNumericEntitlement, v1::GetNumericEntitlementRequest, v1::GetNumericEntitlementResponse)
  SCRIPTED(GetMeteredEntitlement, v1::GetMeteredEntitlementRequest, v1::GetMeteredEntitlementResponse)
  SCRIPTED(GetEnumEntitlement, v1::GetEnumEntitlementRequest, v1::GetEnumEntitlementResponse)
  SCRIPTED(GetEntitlement, v1::GetEntitlementRequest, v1::GetEntitlementResponse)
  SCRIPTED(GetEntitlementV2, v1::GetEntitlementV2Request, v1::GetEntitlementV2Response)
  SCRIPTED(GetEntitlements, v1::GetEntitlementsRequest, v1::GetEntitlementsResponse)
  SCRIPTED(GetEntitlementsStateV2, v1::GetEntitlementsStateV2Request, v1::GetEntitlementsStateV2Response)
  SCRIPTED(ReportUsage, v1::ReportUsageRequest, v1::ReportUsageResponse)
  SCRIPTED(ReportUsageBulk, v1::ReportUsageBulkRequest, v1::ReportUsageBulkResponse)
  SCRIPTED(ReportEvents, v1::ReportEventsRequest, google::protobuf::Empty)
  SCRIPTED(ReloadEntitlements, v1::ReloadEntitlementsRequest, v1::ReloadEntitlementsResponse)
#undef SCRIPTED

 private:
  std::string Locked(const std::string& text) const {
    const std::lock_guard lock(mu_);
    return text;
  }

  grpc::Status Serve(grpc::ServerContext* context, const google::protobuf::Message& request,
                     google::protobuf::Message* response) {
    ++calls_;
    const std::lock_guard lock(mu_);
    google::protobuf::TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    printer.PrintToString(request, &asked_);
    if (!asked_.empty()) asked_.pop_back();  // it ends with a space
    metadata_.clear();
    for (const auto& [name, value] : context->client_metadata()) {
      metadata_.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    }
    if (!failures_.empty()) {
      const grpc::Status failure = failures_.front();
      failures_.pop_front();
      return failure;
    }
    for (const auto& [name, value] : trailers_) context->AddTrailingMetadata(name, value);
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(answer_, response)) << answer_;
    return grpc::Status::OK;
  }

  mutable std::mutex mu_;
  std::string answer_;
  std::map<std::string, std::string> trailers_;
  std::deque<grpc::Status> failures_;
  std::string asked_;
  std::map<std::string, std::string> metadata_;
  std::atomic<int> calls_{0};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace stigg::sidecar::testing
