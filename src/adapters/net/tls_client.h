// TLS as a client: whom to trust, and whom to expect.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sidecar {

/// Trusts the system's certificate authorities and those of `extra_ca_file` (PEM; empty: none
/// more), for TLS 1.2 or newer. `setting` names the variable of that file in errors. UNAVAILABLE:
/// they cannot be read.
absl::Status TrustAuthorities(boost::asio::ssl::context& context, const std::string& extra_ca_file,
                              std::string_view setting);

/// The peer must show a certificate for `host`, a name (which is also sent as SNI) or an
/// address. UNAVAILABLE: that cannot be checked.
absl::Status ExpectHost(SSL* ssl, const std::string& host);

/// What a failed handshake means to a person.
absl::Status TlsFailure(SSL* ssl, const std::string& host, const boost::system::error_code& error);

}  // namespace sidecar
