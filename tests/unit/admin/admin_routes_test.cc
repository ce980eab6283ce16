#include "admin/admin_routes.h"

#include <gtest/gtest.h>

#include "admin/readiness.h"

namespace sidecar {
namespace {

class AdminTest : public ::testing::Test {
 protected:
  ServerResponse Get(const std::string& path, bool probes_only = false, const std::string& method = "GET") {
    return AnswerAdmin(routes_, {.method = method, .path = path}, probes_only);
  }

  Readiness readiness_;
  const AdminRoutes routes_{
      .health_path = "/alive", .ready = [this] { return readiness_.ready(); }, .metrics_text = [] { return "m 1\n"; }};
};

TEST_F(AdminTest, LivenessIsAlwaysUpWithTheseBytes) {
  EXPECT_EQ(Get("/alive").status, 200);
  EXPECT_EQ(Get("/alive").body, "{\"status\":\"UP\"}");
}

TEST_F(AdminTest, ReadinessFollowsListenersFirstAttemptAndDrain) {
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz").body, "{\"status\":\"DOWN\"}");
  readiness_.SetListening();
  EXPECT_EQ(Get("/readyz").status, 503);
  readiness_.SetFirstAttemptEnded();
  EXPECT_EQ(Get("/readyz").status, 200);
  readiness_.SetDraining();
  EXPECT_EQ(Get("/readyz").status, 503);
}

TEST_F(AdminTest, MetricsAreNotServedOnTheGrpcPort) {
  EXPECT_EQ(Get("/metrics").body, "m 1\n");
  EXPECT_EQ(Get("/metrics").content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(Get("/metrics", /*probes_only=*/true).status, 404);
  EXPECT_EQ(Get("/alive", /*probes_only=*/true).status, 200);
}

TEST_F(AdminTest, OtherPathsAndMethodsSayWhatIsServed) {
  EXPECT_EQ(Get("/nothing").status, 404);
  EXPECT_NE(Get("/nothing").body.find("/alive, /readyz and /metrics"), std::string::npos);
  EXPECT_EQ(Get("/alive", false, "POST").status, 405);
  EXPECT_EQ(Get("/alive", false, "HEAD").status, 200);
}

}  // namespace
}  // namespace sidecar
