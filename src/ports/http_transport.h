#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "domain/time.h"

namespace sidecar {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< absolute, already percent-encoded
  HttpHeaders headers;
  std::string body;
  /// A mutation: the transport must never send it twice by itself.
  bool send_once = false;
};

struct HttpResponse {
  int status = 0;  ///< any status is a successful exchange
  HttpHeaders headers;
  std::string body;

  /// First value of the header (case-insensitive), or empty.
  const std::string* Header(std::string_view name) const;
};

/// Outcome of one exchange. When `status` is not OK there was no complete response:
/// DEADLINE_EXCEEDED, UNAVAILABLE (connect, TLS, reset), RESOURCE_EXHAUSTED (body over the cap).
struct HttpResult {
  absl::Status status;
  HttpResponse response;
  /// The body did not leave this process as a whole: the peer cannot have acted on it. Never
  /// set for a request without a body once it was tried.
  bool surely_not_sent = false;
};

/// Outbound HTTP/1.1. Thread-safe.
class HttpTransport {
 public:
  using Done = absl::AnyInvocable<void(HttpResult) &&>;

  virtual ~HttpTransport() = default;

  /// Sends the request and calls `done` exactly once, at `deadline` at the latest whatever
  /// the peer does, from a transport or timer thread. Response bodies are capped at 16 MiB.
  virtual void Send(HttpRequest request, MonoTime deadline, Done done) = 0;
};

}  // namespace sidecar
