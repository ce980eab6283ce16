#pragma once

#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sidecar {

/// What TLS connections to the front begin with. May be replaced while it serves: connections that
/// are there stay as they are, the next one shows the new certificate. Thread-safe.
class TlsIdentity {
 public:
  struct Pems {
    std::string private_key;
    std::string certificate_chain;
    std::string client_ca;  ///< empty: clients show no certificate; else they must, and one that it signed
  };

  explicit TlsIdentity(Pems pems) : pems_(std::move(pems)) {}

  /// Whether clients must show a certificate stays as it was at the start.
  void Replace(Pems pems);

  /// For one server, once. The identity must outlive the server.
  std::shared_ptr<grpc::ServerCredentials> Credentials();

 private:
  /// Called by the library for each new connection.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self, grpc_ssl_server_certificate_config** config);
  grpc_ssl_certificate_config_reload_status FetchInto(grpc_ssl_server_certificate_config** config);

  absl::Mutex mu_;
  Pems pems_ ABSL_GUARDED_BY(mu_);
  bool fetched_ ABSL_GUARDED_BY(mu_) = false;  ///< the server has it
};

}  // namespace sidecar
