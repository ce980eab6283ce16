// cpprestsdk's clients; only for adapters/http.
#pragma once

#include <cpprest/http_client.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "adapters/http/cpprest_transport.h"

namespace sidecar {

/// The library's clients, each with its pool of connections, by origin. Thread-safe.
class UpstreamClients : public std::enable_shared_from_this<UpstreamClients> {
 public:
  struct Route {
    std::shared_ptr<web::http::client::http_client> client;
    /// The value of the header Host, when the client connects to an address of the origin instead of to its name (it
    /// is also what the peer's certificate must show); empty otherwise.
    std::string host;
  };
  using Use = absl::AnyInvocable<void(absl::StatusOr<Route>) &&>;

  explicit UpstreamClients(const CpprestTransport::Settings& settings) : settings_(settings) {}

  /// Gives `use` the client for the target, at once or, when its address must be found first (address_choice.h), on a
  /// thread of the library. UNAVAILABLE, DEADLINE_EXCEEDED: there is no address. May throw what the library throws.
  void Get(const web::uri& target, Use use);

  /// After a connection failed: others of its pool are likely dead too, and the library does
  /// not look before it uses one. The next exchange finds the address anew, and connects.
  void Drop(const std::shared_ptr<web::http::client::http_client>& client);

 private:
  void OnAddress(const web::uri& target, absl::StatusOr<std::string> address);
  Route Make(const web::uri& target, const std::string& address) const;

  const CpprestTransport::Settings settings_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, Route> routes_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::vector<Use>> looking_ ABSL_GUARDED_BY(mu_);
  uint64_t failures_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sidecar
