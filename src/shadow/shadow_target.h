// The other sidecar, that copies of reads are sent to.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "domain/time.h"
#include "service/methods.h"

namespace sidecar {

/// Metadata of each copy: a sidecar that has a shadow too does not copy it on.
inline constexpr std::string_view kCopyMark = "x-shadow-copy";

/// Asked by one thread.
class ShadowTarget {
 public:
  virtual ~ShadowTarget() = default;

  /// Its answer to the request, or its status; blocks for `timeout` at most.
  virtual absl::StatusOr<std::string> Ask(Method method, std::string_view request, Millis timeout) = 0;
  /// Ends an Ask that is under way, and all later ones, at once. From any thread.
  virtual void Cancel() = 0;
};

/// "host:port" or "unix:/path", gRPC without TLS. Connects when it is asked, again and again.
std::unique_ptr<ShadowTarget> ConnectShadow(const std::string& target);

}  // namespace sidecar
