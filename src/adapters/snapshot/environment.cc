#include "adapters/snapshot/environment.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "text/text.h"

namespace sidecar::snapshot {
namespace {

constexpr size_t kSaltBytes = 16;

/// Empty when OpenSSL has no SHA-256 (never seen): nothing matches then.
std::string Sha256(std::string_view data) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
                 nullptr) != 1) {
    return "";
  }
  digest.resize(size);
  return digest;
}

std::string HashOfUrls(const Environment& environment) { return Sha256(Join(environment.urls, "\n")); }

std::string HashOfKey(const Environment& environment, std::string_view salt) {
  return Sha256(StrCat(salt, environment.api_key()));
}

}  // namespace

void Describe(const Environment& environment, stigg::sidecar::snapshot::Header& header) {
  std::string salt(kSaltBytes, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), kSaltBytes);
  header.set_urls_hash(HashOfUrls(environment));
  header.set_key_hash(HashOfKey(environment, salt));
  header.set_key_salt(std::move(salt));
}

std::string_view Difference(const Environment& environment, const stigg::sidecar::snapshot::Header& header) {
  if (header.urls_hash().empty() || header.urls_hash() != HashOfUrls(environment)) return "other API URLs";
  if (header.key_hash().empty() || header.key_hash() != HashOfKey(environment, header.key_salt())) {
    return "another API key";
  }
  return "";
}

}  // namespace sidecar::snapshot
