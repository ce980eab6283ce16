// The connection to a sidecar.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/statusor.h"
#include "stigg/sidecar/client.h"

namespace stigg::sidecar::sdk {

/// Checks the options, reads PEM files. INVALID_ARGUMENT or NOT_FOUND, naming the option.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const ClientOptions& options);

/// INVALID_ARGUMENT, naming the option. Reads no files.
absl::Status CheckOptions(const ClientOptions& options);

/// INVALID_ARGUMENT unless it is 1 ms to a day: of a client and of a call.
absl::Status CheckTimeout(Millis timeout);

}  // namespace stigg::sidecar::sdk
