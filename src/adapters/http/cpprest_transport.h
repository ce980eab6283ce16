#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "adapters/http/proxy.h"
#include "ports/clock.h"
#include "ports/http_transport.h"
#include "ports/timers.h"

namespace web::http::client {
class http_client;
}

namespace sidecar {

/// HttpTransport over cpprestsdk, the only file that knows it (its upstream is archived;
/// docs/adr/0004). Keeps connections alive per origin.
///
/// What cpprestsdk does not promise is done here: one overall deadline per exchange, a cap
/// on bodies while they arrive, and mutations that are never replayed on a pooled
/// connection (a body that cannot be rewound).
class CpprestTransport : public HttpTransport {
 public:
  struct Settings {
    ProxySettings proxy;
    std::string extra_ca_file;  ///< PEM, trusted beside the system's; empty = none
    size_t body_bytes_max = 16 << 20;
  };

  /// Call once, before anything else in the process uses cpprestsdk: it would start forty
  /// threads.
  static void SizeThreadPool(size_t threads);

  CpprestTransport(Timers& timers, Settings settings);
  ~CpprestTransport() override;

  void Send(HttpRequest request, MonoTime deadline, Done done) override;

 private:
  using Client = web::http::client::http_client;

  std::shared_ptr<Client> ClientFor(const std::string& origin, const std::string& scheme, const std::string& host);
  /// After a connection failed: others of its pool are likely dead too, and the library does
  /// not look before it uses one. The next exchange connects anew.
  void DropPool(const std::string& origin, const std::shared_ptr<Client>& client);

  Timers& timers_;
  const Settings settings_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, std::shared_ptr<Client>> clients_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
