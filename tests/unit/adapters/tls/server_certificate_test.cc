#include "adapters/tls/server_certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/certificate.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::Certificate;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::kInvalid;

std::string Text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class ServerCertificateTest : public ::testing::Test {
 protected:
  const Certificate one_{"DNS:localhost"};
  const Certificate other_{"DNS:localhost"};
  const std::string key_ = Text(one_.key_file());
  const std::string chain_ = Text(one_.certificate_file());
};

TEST_F(ServerCertificateTest, APairIsTaken) {
  const absl::StatusOr<ServerCertificate> checked = CheckServerCertificate(key_, chain_, "");
  ASSERT_THAT(checked, IsOk());
  EXPECT_EQ(checked->chain, chain_);
  const int64_t left = ToEpochMs(checked->not_after) - int64_t{time(nullptr)} * 1000;
  EXPECT_GT(left, 3'000'000);
  EXPECT_LE(left, 3'601'000);
}

TEST_F(ServerCertificateTest, AChainMayFollow) {
  EXPECT_THAT(CheckServerCertificate(key_, chain_ + Text(other_.certificate_file()), chain_), IsOk());
}

TEST_F(ServerCertificateTest, WhatDoesNotFitIsNamed) {
  EXPECT_THAT(CheckServerCertificate(Text(other_.key_file()), chain_, "").status(),
              FailsWith(kInvalid, "TLS_CERT_FILE and TLS_KEY_FILE: the key is not that of the certificate"));
  EXPECT_THAT(CheckServerCertificate("", chain_, "").status(), FailsWith(kInvalid, "TLS_KEY_FILE"));
  EXPECT_THAT(CheckServerCertificate(chain_, chain_, "").status(), FailsWith(kInvalid, "TLS_KEY_FILE"));
  EXPECT_THAT(CheckServerCertificate(key_, key_, "").status(), FailsWith(kInvalid, "TLS_CERT_FILE"));
  EXPECT_THAT(CheckServerCertificate(key_, chain_, "x").status(), FailsWith(kInvalid, "TLS_CLIENT_CA_FILE"));
}

TEST_F(ServerCertificateTest, NothingIsQuoted) {
  EXPECT_THAT(std::string(CheckServerCertificate("secret", chain_, "").status().message()),
              ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace sidecar
