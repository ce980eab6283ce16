#include "app/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "adapters/tls/certificates.h"
#include "support/status_matchers.h"
#include "text/text.h"

namespace sidecar {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::MatchesRegex;

using testing::kInvalid;

// A self-signed certificate without a purpose; its key was thrown away.
constexpr std::string_view kCertificate =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBiTCCAS+gAwIBAgIURGB3hULQSDB5T0UmQAgPH4/mMoQwCgYIKoZIzj0EAwIw\n"
    "GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMTEwOTQ5WhgPMjEy\n"
    "NjEwMjgxMTA5NDlaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI\n"
    "zj0CAQYIKoZIzj0DAQcDQgAEoY0pG+KNSLxK8VMHT6Mh+0D0cNmbEo3stmVwgIKi\n"
    "T3usW54Md6mqPnyPMxp4dwfo0a/yzI1/C4cc3G+KSn33oKNTMFEwHQYDVR0OBBYE\n"
    "FFpMiVA5P2DAdNB153N7A4FlIeptMB8GA1UdIwQYMBaAFFpMiVA5P2DAdNB153N7\n"
    "A4FlIeptMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAJhi2LSE\n"
    "uti60cVNGgXuElsz0BPab1HOmvTHbvn8FVBsAiBGU1N61Nujw+RWO84zFCxDpRgf\n"
    "euC5C2+UVteshYQ0oA==\n"
    "-----END CERTIFICATE-----\n";

constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";

/// The certificate with another letter in the middle of its base64 text.
std::string Flipped() {
  std::string text(kCertificate);
  char& letter = text[text.size() / 2] == '\n' ? text[text.size() / 2 + 1] : text[text.size() / 2];
  letter = '!';
  return text;
}

TEST(CheckCertificatesTest, AcceptsWhatOpenSslReads) {
  EXPECT_THAT(CheckCertificates(kCertificate), IsOk());
  EXPECT_THAT(CheckCertificates(StrCat("# a comment\n", kCertificate, "\n", kCertificate)), IsOk());
}

TEST(CheckCertificatesTest, SaysWhichOneIsCorrupt) {
  EXPECT_THAT(CheckCertificates(Flipped()), FailsWith(kInvalid, "certificate 1 cannot be read (bad base64 decode)"));
  EXPECT_THAT(CheckCertificates(StrCat(kCertificate, Flipped())), FailsWith(kInvalid, "certificate 2 cannot be read"));
  EXPECT_THAT(CheckCertificates(kCertificate.substr(0, kCertificate.size() - kEnd.size())),
              FailsWith(kInvalid, "certificate 1 cannot be read"));
  EXPECT_THAT(CheckCertificates(StrCat("-----BEGIN CERTIFICATE-----\nMIIB\n", kEnd)),
              FailsWith(kInvalid, "certificate 1 cannot be read"));
}

TEST(CheckCertificatesTest, NothingIsNoCertificate) {
  EXPECT_THAT(CheckCertificates(""), FailsWith(kInvalid, "has no certificate"));
  EXPECT_THAT(CheckCertificates("hello"), FailsWith(kInvalid, "has no certificate"));
}

class LoadWithFilesTest : public ::testing::Test {
 protected:
  std::vector<std::string> Violations(const Environment& environment, Purpose purpose = Purpose::kServe) const {
    return LoadWithFiles(environment, purpose,
                         [this](const std::string& path) -> absl::StatusOr<std::string> {
                           const auto found = files_.find(path);
                           if (found == files_.end()) return absl::NotFoundError("no such file");
                           return found->second;
                         })
        .violations;
  }

  std::map<std::string, std::string> files_{{"/ca.pem", std::string(kCertificate)},
                                            {"/bad.pem", Flipped()},
                                            {"/key.pem", "no certificate"},
                                            {"/good.json", R"({"customers":{"c":{}}})"},
                                            {"/bad.json", "{\"features\":{\n\"f\":{\"type\":\"x\"},\n\"g\":1}}"}};
};

TEST_F(LoadWithFilesTest, CertificatesOfExtraCaFileAreRead) {
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"EXTRA_CA_FILE", "/ca.pem"}}), IsEmpty());
  EXPECT_THAT(
      Violations({{"OFFLINE", "1"}, {"EXTRA_CA_FILE", "/nowhere.pem"}}),
      ElementsAre("EXTRA_CA_FILE='/nowhere.pem': no such file; expected a readable PEM file with certificates"));
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"EXTRA_CA_FILE", "/key.pem"}}),
              ElementsAre(HasSubstr("EXTRA_CA_FILE='/key.pem': has no certificate")));
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"EXTRA_CA_FILE", "/bad.pem"}}),
              ElementsAre(HasSubstr("EXTRA_CA_FILE='/bad.pem': certificate 1 cannot be read")));
  EXPECT_THAT(Violations({{"EXTRA_CA_FILE", "/bad.pem"}}, Purpose::kClient), IsEmpty()) << "does not concern a client";
}

TEST_F(LoadWithFilesTest, TheDataFileIsRead) {
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"OFFLINE_DATA_FILE", "/good.json"}}), IsEmpty());
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"OFFLINE_DATA_FILE", "/nowhere"}}),
              ElementsAre("OFFLINE_DATA_FILE='/nowhere': no such file; expected a readable data file"));
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"OFFLINE_DATA_FILE", "/bad.json"}}),
              ElementsAre(HasSubstr("OFFLINE_DATA_FILE: /bad.json:2: features.f"),
                          HasSubstr("OFFLINE_DATA_FILE: /bad.json:3: features.g")));
}

TEST_F(LoadWithFilesTest, FieldsThatTheShadowLeavesOutExist) {
  const auto violations = [this](const char* fields) {
    return Violations({{"OFFLINE", "1"}, {"SHADOW_TARGET", "other:1"}, {"SHADOW_IGNORE_FIELDS", fields}});
  };
  EXPECT_THAT(violations("has_access, GetMeteredEntitlement.entitlement.current_usage"), IsEmpty());
  EXPECT_THAT(violations("entitlement.curent_usage"),
              ElementsAre(HasSubstr("'entitlement.curent_usage' is no field of an answer; expected one such as "
                                    "'entitlement.current_usage'")));
}

TEST_F(LoadWithFilesTest, ALongPathIsToldWhole) {
  const std::string path = "/" + std::string(200, 'x') + "/absent.json";
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"OFFLINE_DATA_FILE", path}}), ElementsAre(HasSubstr("'" + path + "'")));
}

TEST_F(LoadWithFilesTest, MistakesInFilesAndInValuesAreToldTogether) {
  EXPECT_THAT(Violations({{"OFFLINE", "1"}, {"EXTRA_CA_FILE", "/bad.pem"}, {"PORT", "x"}}),
              ElementsAre(HasSubstr("PORT"), HasSubstr("EXTRA_CA_FILE")));
}

TEST(EffectiveConfigurationTest, ShowsTheCacheSizeThatWasChosenAndWhy) {
  const auto none = [](const std::string&) { return absl::NotFoundError("no such file"); };
  EXPECT_THAT(EffectiveConfiguration(LoadConfig({}, Purpose::kDev, none)),
              Contains(MatchesRegex("CACHE_MAX_SIZE_BYTES=[1-9][0-9]+ \\(default: half of .+\\)")));
  EXPECT_THAT(EffectiveConfiguration(LoadConfig({{"CACHE_MAX_SIZE_BYTES", "1048576"}}, Purpose::kDev, none)),
              Contains("CACHE_MAX_SIZE_BYTES=1048576 (set)"));
}

}  // namespace
}  // namespace sidecar
