#include "app/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidecar {
namespace {

using ::testing::ElementsAre;

TEST(HostsToDialTest, AreWhereTheDaemonListens) {
  EXPECT_THAT(HostsToDial("10.1.2.3"), ElementsAre("10.1.2.3"));
  EXPECT_THAT(HostsToDial("fd00::1"), ElementsAre("fd00::1"));
  EXPECT_THAT(HostsToDial("::1"), ElementsAre("::1"));
  EXPECT_THAT(HostsToDial("0.0.0.0"), ElementsAre("127.0.0.1"));
  EXPECT_THAT(HostsToDial("::"), ElementsAre("127.0.0.1", "::1"));
  EXPECT_THAT(HostsToDial("0:0:0:0:0:0:0:0"), ElementsAre("127.0.0.1", "::1"));
}

GrpcTarget TargetOf(const std::string& listen_address, const std::string& socket = "") {
  Config config;
  config.listen_address = listen_address;
  config.grpc_socket = socket;
  config.port = 9000;
  return GrpcTargetOf(config);
}

TEST(GrpcTargetTest, NamesEveryAddress) {
  EXPECT_EQ(TargetOf("10.1.2.3").address, "ipv4:10.1.2.3:9000");
  EXPECT_EQ(TargetOf("0.0.0.0").address, "ipv4:127.0.0.1:9000");
  EXPECT_EQ(TargetOf("fd00::1").address, "ipv6:[fd00::1]:9000");
  EXPECT_EQ(TargetOf("::").address, "ipv6:[::ffff:127.0.0.1]:9000,[::1]:9000");
}

TEST(GrpcTargetTest, IsShownAsPeopleWriteIt) {
  EXPECT_EQ(TargetOf("0.0.0.0").shown, "127.0.0.1:9000");
  EXPECT_EQ(TargetOf("fd00::1").shown, "[fd00::1]:9000");
  EXPECT_EQ(TargetOf("::").shown, "127.0.0.1:9000 and [::1]:9000");
}

TEST(GrpcTargetTest, ASocketComesFirst) {
  EXPECT_EQ(TargetOf("::", "/run/sidecar.sock").address, "unix:/run/sidecar.sock");
  EXPECT_EQ(TargetOf("::", "/run/sidecar.sock").shown, "unix:/run/sidecar.sock");
}

}  // namespace
}  // namespace sidecar
