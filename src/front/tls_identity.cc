#include "front/tls_identity.h"

#include <grpc/grpc.h>

#include <utility>

namespace sidecar {
namespace {

/// grpc++ has no way to change a certificate but to watch files, which it takes over unchecked; the
/// library below has one.
class ReloadingCredentials : public grpc::ServerCredentials {
 public:
  explicit ReloadingCredentials(grpc_server_credentials* credentials) : credentials_(credentials) {}
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }
  ReloadingCredentials(const ReloadingCredentials&) = delete;
  ReloadingCredentials& operator=(const ReloadingCredentials&) = delete;

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
};

}  // namespace

void TlsIdentity::Replace(Pems pems) {
  absl::MutexLock lock(&mu_);
  pems_ = std::move(pems);
  fetched_ = false;
}

std::shared_ptr<grpc::ServerCredentials> TlsIdentity::Credentials() {
  bool clients = false;
  {
    absl::MutexLock lock(&mu_);
    clients = !pems_.client_ca.empty();
  }
  return std::make_shared<ReloadingCredentials>(
      grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
          clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                  : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
          &TlsIdentity::Fetch, this)));
}

grpc_ssl_certificate_config_reload_status TlsIdentity::Fetch(void* self, grpc_ssl_server_certificate_config** config) {
  return static_cast<TlsIdentity*>(self)->FetchInto(config);
}

grpc_ssl_certificate_config_reload_status TlsIdentity::FetchInto(grpc_ssl_server_certificate_config** config) {
  absl::MutexLock lock(&mu_);
  if (std::exchange(fetched_, true)) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{pems_.private_key.c_str(), pems_.certificate_chain.c_str()};
  // The library asks for authorities (and ends the process without) even where no client is asked for a
  // certificate; then they are not used.
  const std::string& roots = pems_.client_ca.empty() ? pems_.certificate_chain : pems_.client_ca;
  *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, /*num_key_cert_pairs=*/1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

}  // namespace sidecar
