#include "adapters/tls/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "text/text.h"

namespace sidecar {

absl::Status CheckCertificates(std::string_view pem) {
  const std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  ERR_clear_error();
  for (size_t read = 0;; ++read) {
    // Skips what is no certificate, such as keys and comments.
    X509* const certificate = PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr);
    if (certificate != nullptr) {
      X509_free(certificate);
      continue;
    }
    const unsigned long error = ERR_peek_last_error();
    ERR_clear_error();
    const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (at_end && read > 0) return absl::OkStatus();
    if (at_end) return InvalidArgument("has no certificate");
    const char* const reason = ERR_reason_error_string(error);
    return InvalidArgument("certificate ", read + 1, " cannot be read (",
                           reason == nullptr ? "no reason given" : reason, ")");
  }
}

}  // namespace sidecar
