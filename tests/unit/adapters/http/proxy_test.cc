#include "adapters/http/proxy.h"

#include <gtest/gtest.h>

namespace sidecar {
namespace {

const ProxySettings kSettings{.https_proxy = "http://secure:3128",
                              .http_proxy = "http://plain:3128",
                              .no_proxy = "internal.example, .corp , 10.0.0.1"};

TEST(ProxyForTest, ChoosesByScheme) {
  EXPECT_EQ(ProxyFor(kSettings, "https", "api.stigg.io"), "http://secure:3128");
  EXPECT_EQ(ProxyFor(kSettings, "wss", "api.stigg.io"), "http://secure:3128");
  EXPECT_EQ(ProxyFor(kSettings, "http", "api.stigg.io"), "http://plain:3128");
  EXPECT_EQ(ProxyFor(kSettings, "ws", "api.stigg.io"), "http://plain:3128");
}

TEST(ProxyForTest, LeavesOutWhatNoProxyNames) {
  EXPECT_EQ(ProxyFor(kSettings, "https", "internal.example"), "");
  EXPECT_EQ(ProxyFor(kSettings, "https", "a.internal.example"), "");
  EXPECT_EQ(ProxyFor(kSettings, "https", "INTERNAL.example"), "");
  EXPECT_EQ(ProxyFor(kSettings, "https", "x.corp"), "");
  EXPECT_EQ(ProxyFor(kSettings, "https", "corp"), "");
  EXPECT_EQ(ProxyFor(kSettings, "https", "10.0.0.1"), "");
  EXPECT_NE(ProxyFor(kSettings, "https", "notinternal.example"), "");
  EXPECT_EQ(ProxyFor({.https_proxy = "http://p:1", .no_proxy = "*"}, "https", "api.stigg.io"), "");
}

TEST(ProxyForTest, NeverForLoopback) {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"}) {
    EXPECT_EQ(ProxyFor(kSettings, "http", host), "") << host;
  }
}

}  // namespace
}  // namespace sidecar
