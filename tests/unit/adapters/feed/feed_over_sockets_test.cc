// The feed with everything that is real: connector, timers, clock, one I/O thread.
#include <gmock/gmock.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <future>
#include <map>

#include "adapters/clock/system_clock.h"
#include "adapters/feed/graphql_feed.h"
#include "adapters/net/asio_timers.h"
#include "adapters/net/io_thread.h"
#include "adapters/websocket/beast_connector.h"
#include "support/fixtures.h"
#include "support/sim_clock.h"
#include "support/tcp_server.h"

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using testing::FixedRandom;
using testing::Fixture;
using testing::TcpServer;

using Server = websocket::stream<tcp::socket>;

constexpr std::chrono::seconds kAmple{20};

Json ReadJson(Server& server) {
  beast::flat_buffer buffer;
  server.read(buffer);
  return *ParseJson(beast::buffers_to_string(buffer.data()));
}

/// Handshake, connection_init, ack; then the ids of the three subscriptions by operation.
std::map<std::string, std::string> Begin(Server& server) {
  server.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
    response.set(beast::http::field::sec_websocket_protocol, "graphql-transport-ws");
  }));
  server.accept();
  EXPECT_EQ(ReadJson(server)["type"], "connection_init");
  server.write(asio::buffer(std::string(R"({"type":"connection_ack"})")));
  std::map<std::string, std::string> ids;
  for (int i = 0; i < 3; ++i) {
    const Json message = ReadJson(server);
    ids[message["payload"]["operationName"].get<std::string>()] = message["id"].get<std::string>();
  }
  return ids;
}

class PromisingSink : public ChangeSink {
 public:
  void OnLive() override {
    if (++lives == 2) live_again.set_value();
  }
  void OnLost() override { ++losses; }
  void OnPush(Push push) override { pushed.set_value(std::move(push)); }

  std::atomic<int> lives{0};
  std::atomic<int> losses{0};
  std::promise<void> live_again;
  std::promise<Push> pushed;
};

TEST(FeedOverSocketsTest, PushesReconnectsAndStopsInOrder) {
  std::promise<int> completes;
  std::promise<uint16_t> close_code;
  std::atomic<int> connections{0};
  TcpServer peer([&](tcp::socket socket) {
    Server server(std::move(socket));
    std::map<std::string, std::string> ids = Begin(server);
    if (++connections == 1) {
      Json message = *ParseJson(Fixture("ws-usage-updated-v2.json"));
      message["id"] = ids["OnUsageUpdatedV2"];
      server.write(asio::buffer(message.dump()));
      server.close({static_cast<websocket::close_code>(4500), "restart"});
      return;
    }
    int completed = 0;
    try {
      for (;;) completed += ReadJson(server)["type"] == "complete";
    } catch (const std::exception&) {
      completes.set_value(completed);
      close_code.set_value(server.reason().code);
    }
  });

  IoThread io("test-io");
  AsioTimers timers(io.context());
  SystemClock clock;
  FixedRandom random(0);  // the shortest delays
  Metrics metrics;
  BeastConnector connector(io.context(), {});
  PromisingSink sink;
  GraphqlFeed feed(connector, "ws://127.0.0.1:" + peer.port(), ProcessIdentity{}, [] { return std::string("key"); },
                   GenerationSetting::kAuto, {clock, timers, random, metrics});
  feed.Start(sink);
  auto pushed = sink.pushed.get_future();
  ASSERT_EQ(pushed.wait_for(kAmple), std::future_status::ready);
  EXPECT_EQ(std::get<UsagePush>(pushed.get()).current_usage, 431);
  ASSERT_EQ(sink.live_again.get_future().wait_for(kAmple), std::future_status::ready);
  EXPECT_EQ(sink.losses, 1);
  EXPECT_TRUE(feed.status().connected());
  std::promise<void> stopped;
  feed.Stop([&] { stopped.set_value(); });
  ASSERT_EQ(stopped.get_future().wait_for(kAmple), std::future_status::ready);
  EXPECT_EQ(completes.get_future().get(), 3);
  EXPECT_EQ(close_code.get_future().get(), 1000);
  EXPECT_EQ(sink.losses, 1) << "the last OnLive has no OnLost";
  io.Stop();
}

}  // namespace
}  // namespace sidecar
