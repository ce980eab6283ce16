#include "adapters/websocket/endpoint.h"

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace sidecar {
namespace {

using testing::FailsWith;
using testing::IsOk;

using testing::kInvalid;

TEST(WebSocketUrlTest, TakesHostPortAndPath) {
  const auto endpoint = ParseWebSocketUrl("ws://push.example.com:3060/graphql");
  ASSERT_THAT(endpoint, IsOk());
  EXPECT_FALSE(endpoint->tls);
  EXPECT_EQ(endpoint->host, "push.example.com");
  EXPECT_EQ(endpoint->port, "3060");
  EXPECT_EQ(endpoint->target, "/graphql");
  EXPECT_EQ(endpoint->Authority(), "push.example.com:3060");
}

TEST(WebSocketUrlTest, TheSchemesPortIsTheDefaultAndNotNamedInTheHostHeader) {
  const auto tls = ParseWebSocketUrl("wss://push.example.com");
  ASSERT_THAT(tls, IsOk());
  EXPECT_TRUE(tls->tls);
  EXPECT_EQ(tls->port, "443");
  EXPECT_EQ(tls->target, "/");
  EXPECT_EQ(tls->Authority(), "push.example.com");
  EXPECT_EQ(tls->HostAndPort(), "push.example.com:443");
  EXPECT_EQ(ParseWebSocketUrl("ws://h/x")->port, "80");
}

TEST(WebSocketUrlTest, AnIpv6AddressHasBracketsOnlyWhereItIsWritten) {
  const auto endpoint = ParseWebSocketUrl("ws://[::1]:81/");
  ASSERT_THAT(endpoint, IsOk());
  EXPECT_EQ(endpoint->host, "::1");
  EXPECT_EQ(endpoint->Authority(), "[::1]:81");
}

TEST(WebSocketUrlTest, AQueryWithoutAPathGetsOne) { EXPECT_EQ(ParseWebSocketUrl("ws://h?a=b")->target, "/?a=b"); }

TEST(WebSocketUrlTest, RefusesWhatIsNoWebSocketUrl) {
  for (const char* url : {"", "http://h/", "ws://", "ws:///x", "ws://h:0/", "ws://h:70000/", "ws://h:x/", "ws://[::1/",
                          "ws://u@h/", "ws://h\r\nX: y/", "ws://h/a b", "ws://h/#f", "ws://[::1]81/"}) {
    EXPECT_THAT(ParseWebSocketUrl(url), FailsWith(kInvalid, "WebSocket URL")) << url;
  }
}

TEST(ProxyUrlTest, TakesHostAndPort) {
  for (const char* url : {"http://proxy:3128", "http://proxy:3128/", "proxy:3128"}) {
    const auto proxy = ParseProxyUrl(url);
    ASSERT_THAT(proxy, IsOk()) << url;
    EXPECT_EQ(proxy->host, "proxy");
    EXPECT_EQ(proxy->port, "3128");
    EXPECT_EQ(proxy->authorization, "");
  }
  EXPECT_EQ(ParseProxyUrl("http://proxy")->port, "80");
}

TEST(ProxyUrlTest, UserAndPasswordBecomeBasicCredentials) {
  EXPECT_EQ(ParseProxyUrl("http://user:secret@proxy:3128")->authorization, "Basic dXNlcjpzZWNyZXQ=");
  EXPECT_EQ(ParseProxyUrl("http://u%40x:a%3Ab@proxy:3128")->authorization, "Basic dUB4OmE6Yg==") << "u@x:a:b";
}

TEST(ProxyUrlTest, RefusalsDoNotQuoteThePassword) {
  for (const char* url : {"https://user:secret@proxy:3128", "http://user:secret@", "http://user:secret@proxy:0"}) {
    const auto proxy = ParseProxyUrl(url);
    EXPECT_THAT(proxy, FailsWith(kInvalid, "proxy's URL")) << url;
    EXPECT_EQ(std::string(proxy.status().message()).find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace sidecar
