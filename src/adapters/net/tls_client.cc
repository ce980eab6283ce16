#include "adapters/net/tls_client.h"

#include <openssl/x509_vfy.h>

#include <boost/asio/ip/address.hpp>

#include "text/text.h"

namespace sidecar {

absl::Status TrustAuthorities(boost::asio::ssl::context& context, const std::string& extra_ca_file,
                              std::string_view setting) {
  boost::system::error_code error;
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  context.set_default_verify_paths(error);
  if (error) return Unavailable("cannot use the system's certificate authorities: ", error.message());
  if (!extra_ca_file.empty()) context.load_verify_file(extra_ca_file, error);
  if (error) return Unavailable("cannot use ", setting, " ", extra_ca_file, ": ", error.message());
  return absl::OkStatus();
}

absl::Status ExpectHost(SSL* ssl, const std::string& host) {
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  boost::system::error_code error;
  boost::asio::ip::make_address(host, error);
  if (!error) {  // an address: compared with the certificate's addresses, and no SNI (RFC 6066, 3)
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1) return absl::OkStatus();
  } else {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1) {
      return absl::OkStatus();
    }
  }
  return Unavailable("the host name ", host, " cannot be checked");
}

absl::Status TlsFailure(SSL* ssl, const std::string& host, const boost::system::error_code& error) {
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK) {
    return Unavailable("the certificate of ", host, " is refused: ", X509_verify_cert_error_string(verdict));
  }
  return Unavailable("TLS with ", host, " failed: ", error.message());
}

}  // namespace sidecar
