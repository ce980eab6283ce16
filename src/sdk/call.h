// One call of an RPC of rpcs.h: request, deadline and metadata, and what its end means.
#pragma once

#include <grpcpp/client_context.h>

#include <charconv>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sdk/rpcs.h"
#include "stigg/sidecar/client.h"

namespace stigg::sidecar::sdk {

/// Whether the sidecar was not asked, or did not answer: not that it refused the question.
inline bool Unreachable(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNIMPLEMENTED:
      return false;
    default:
      return true;
  }
}

class Trailers {
 public:
  explicit Trailers(const grpc::ClientContext& context) : all_(context.GetServerTrailingMetadata()) {}

  std::string_view Get(const char* name) const {
    if (all_.empty()) return {};
    const auto found = all_.find(name);
    return found == all_.end() ? std::string_view() : std::string_view(found->second.data(), found->second.size());
  }

 private:
  const std::multimap<grpc::string_ref, grpc::string_ref>& all_;
};

/// Answers with `source` and `age`.
template <typename Answer>
void ReadOrigin(const Trailers& trailers, Answer& answer) {
  const std::string_view source = trailers.Get("x-entitlement-source");
  constexpr std::pair<std::string_view, Source> kNames[] = {{"memory", Source::kMemory},
                                                            {"redis", Source::kRedis},
                                                            {"upstream", Source::kUpstream},
                                                            {"snapshot", Source::kSnapshot},
                                                            {"fallback", Source::kFallback}};
  for (const auto& [name, value] : kNames) {
    if (source == name) answer.source = value;
  }
  const std::string_view age = trailers.Get("x-entitlement-age-ms");
  int64_t ms = 0;
  if (!age.empty() && std::from_chars(age.data(), age.data() + age.size(), ms).ec == std::errc())
    answer.age = Millis(ms);
}

template <typename Rpc>
void ReadTrailers(const grpc::ClientContext& context, typename Rpc::Answer& answer) {
  const Trailers trailers(context);
  if constexpr (requires { answer.source; }) {
    ReadOrigin(trailers, answer);
  } else if constexpr (requires { answer.is_durable; }) {
    answer.is_durable = trailers.Get("x-report-status") == "durable";
  }
}

template <typename Rpc>
class RpcCall {
 public:
  using Answer = typename Rpc::Answer;
  using Question = typename Rpc::Question;

  RpcCall(const Question& question, const CallOptions& call, Millis timeout) {
    context.set_deadline(std::chrono::system_clock::now() + call.timeout.value_or(timeout));
    if (call.max_staleness.has_value()) {
      context.AddMetadata("x-max-staleness-ms", std::to_string(call.max_staleness->count()));
    }
    if (call.accept_durable) context.AddMetadata("x-accept-durable", "1");
    if (call.trace) context.AddMetadata("x-entitlement-trace", "1");
    Rpc::Write(question, request);
  }

  absl::StatusOr<Answer> Conclude(const grpc::Status& status, const Question& question, const FallbackMap& fallbacks) {
    if (status.ok()) {
      Answer answer = Rpc::Read(std::move(response));
      ReadTrailers<Rpc>(context, answer);
      return answer;
    }
    if constexpr (requires { Rpc::Fallback(question, fallbacks); }) {
      if (Unreachable(status.error_code())) {
        if (std::optional<Answer> answer = Rpc::Fallback(question, fallbacks)) return *std::move(answer);
      }
    }
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }

  grpc::ClientContext context;
  typename Rpc::Request request;
  typename Rpc::Response response;
};

}  // namespace stigg::sidecar::sdk
