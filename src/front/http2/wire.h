// Texts of the gRPC wire format that HTTP/2 carries in headers.
// Source: the gRPC documentation, "gRPC over HTTP2".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

/// `grpc-timeout`: at most eight digits and a unit (H, M, S, m, u, n). A year at most; nullopt: it is none.
std::optional<std::chrono::nanoseconds> ParseGrpcTimeout(std::string_view text);

/// `grpc-message`: everything but printable ASCII, and the percent sign, as %XX.
std::string PercentEncoded(std::string_view text);

/// Value of a header whose name ends in -bin, without padding.
std::string Base64(std::string_view bytes);

}  // namespace sidecar
