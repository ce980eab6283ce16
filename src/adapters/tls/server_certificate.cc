#include "adapters/tls/server_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <climits>
#include <ctime>
#include <memory>
#include <utility>

#include "adapters/tls/certificates.h"
#include "text/text.h"

namespace sidecar {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

BioPtr Open(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(std::min<size_t>(text.size(), INT_MAX))));
}

/// Nobody is there to be asked for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

WallTime EndOf(const X509& certificate) {
  tm utc{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &utc) != 1) return {};
  return WallTimeFromEpochMs(int64_t{timegm(&utc)} * 1000);
}

absl::Status Check(ServerCertificate& out) {
  if (absl::Status status = CheckCertificates(out.chain); !status.ok()) {
    return InvalidArgument("TLS_CERT_FILE: ", Message(status));
  }
  if (!out.client_ca.empty()) {
    if (absl::Status status = CheckCertificates(out.client_ca); !status.ok()) {
      return InvalidArgument("TLS_CLIENT_CA_FILE: ", Message(status));
    }
  }
  const BioPtr chain = Open(out.chain);
  const X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, NoPassphrase, nullptr));
  const BioPtr key_text = Open(out.private_key);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError("TLS_KEY_FILE: expected a private key in PEM, without a passphrase");
  }
  if (leaf == nullptr || X509_check_private_key(leaf.get(), key.get()) != 1) {
    return absl::InvalidArgumentError("TLS_CERT_FILE and TLS_KEY_FILE: the key is not that of the certificate");
  }
  out.not_after = EndOf(*leaf);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServerCertificate> CheckServerCertificate(std::string private_key, std::string chain,
                                                         std::string client_ca) {
  ServerCertificate out{.private_key = std::move(private_key),
                        .chain = std::move(chain),
                        .client_ca = std::move(client_ca),
                        .not_after = {}};
  ERR_clear_error();
  const absl::Status status = Check(out);
  ERR_clear_error();  // what is left there would be taken for the error of the next call
  if (!status.ok()) return status;
  return out;
}

}  // namespace sidecar
