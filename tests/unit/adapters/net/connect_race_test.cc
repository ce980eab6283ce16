#include "adapters/net/connect_race.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <utility>

namespace sidecar {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Endpoint = ConnectRace::Endpoint;

Endpoint Of(const char* address, uint16_t port) { return {asio::ip::make_address(address), port}; }

TEST(ConnectRaceOrderTest, FamiliesTakeTurnsInTheResolversOrder) {
  const std::vector<Endpoint> found = {Of("2001:db8::1", 1), Of("2001:db8::2", 1), Of("192.0.2.1", 1),
                                       Of("192.0.2.2", 1), Of("192.0.2.3", 1)};
  const auto results = tcp::resolver::results_type::create(found.begin(), found.end(), "host", "1");
  EXPECT_EQ(ConnectRace::InTurn(results), (std::vector<Endpoint>{found[0], found[2], found[1], found[3], found[4]}));
}

TEST(ConnectRaceOrderTest, OfManyAddressesSomeAreTried) {
  const std::vector<Endpoint> found(50, Of("192.0.2.1", 1));
  const auto results = tcp::resolver::results_type::create(found.begin(), found.end(), "host", "1");
  EXPECT_EQ(ConnectRace::InTurn(results).size(), ConnectRace::kAddressesMax);
}

class ConnectRaceTest : public ::testing::Test {
 protected:
  /// Runs the race to its end. nullopt: `done` was not called.
  std::optional<std::pair<ConnectRace::Error, Endpoint>> Run(std::vector<Endpoint> addresses) {
    std::optional<std::pair<ConnectRace::Error, Endpoint>> seen;
    const auto race = std::make_shared<ConnectRace>(context_.get_executor(), std::move(addresses));
    race->Start([&](const ConnectRace::Error& error, tcp::socket socket) {
      EXPECT_FALSE(seen.has_value());
      seen.emplace(error, error ? Endpoint() : socket.remote_endpoint());
      context_.stop();
    });
    EXPECT_FALSE(seen.has_value()) << "not before Start returns";
    context_.run_for(std::chrono::seconds(20));
    return seen;
  }

  Endpoint Refusing() {
    tcp::acceptor gone(context_, Of("127.0.0.1", 0));
    return gone.local_endpoint();
  }

  asio::io_context context_;
  tcp::acceptor server_{context_, Of("127.0.0.1", 0)};
};

TEST_F(ConnectRaceTest, TheNextIsTriedWhenOneRefuses) {
  const auto seen = Run({Refusing(), Refusing(), server_.local_endpoint()});
  ASSERT_TRUE(seen.has_value());
  EXPECT_FALSE(seen->first) << seen->first.message();
  EXPECT_EQ(seen->second, server_.local_endpoint());
}

TEST_F(ConnectRaceTest, WhenNobodyAcceptsTheErrorIsTold) {
  const auto seen = Run({Refusing(), Refusing()});
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->first, asio::error::connection_refused);
}

/// A port that swallows connections: its queue is full, and nobody accepts.
class Swallowing {
 public:
  explicit Swallowing(asio::io_context& context) : acceptor_(context, tcp::v4()) {
    acceptor_.bind(Of("127.0.0.1", 0));
    acceptor_.listen(0);
    for (int i = 0; i < 3; ++i) {  // one more than the queue takes, at the least
      filling_.emplace_back(context).async_connect(acceptor_.local_endpoint(), [](const ConnectRace::Error&) {});
    }
    context.run_for(std::chrono::milliseconds(50));
    context.restart();
  }
  Endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  tcp::acceptor acceptor_;
  std::deque<tcp::socket> filling_;
};

TEST_F(ConnectRaceTest, OneThatSwallowsPacketsCostsAMoment) {
  const Swallowing hole(context_);
  const auto start = std::chrono::steady_clock::now();
  const auto seen = Run({hole.endpoint(), server_.local_endpoint()});
  ASSERT_TRUE(seen.has_value());
  EXPECT_FALSE(seen->first) << seen->first.message();
  EXPECT_EQ(seen->second, server_.local_endpoint());
  EXPECT_GE(std::chrono::steady_clock::now() - start, ConnectRace::kHeadStart);
}

TEST_F(ConnectRaceTest, ARefusalDoesNotWaitForTheHeadStart) {
  const Swallowing hole(context_);
  const auto seen = Run({hole.endpoint(), Refusing(), server_.local_endpoint()});
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->second, server_.local_endpoint());
}

TEST_F(ConnectRaceTest, AfterCancelNothingIsHeard) {
  bool heard = false;
  const auto race = std::make_shared<ConnectRace>(
      context_.get_executor(), std::vector<Endpoint>{server_.local_endpoint(), server_.local_endpoint()});
  race->Start([&](const ConnectRace::Error&, const tcp::socket&) { heard = true; });
  race->Cancel();
  context_.run_for(std::chrono::seconds(1));
  EXPECT_FALSE(heard);
}

}  // namespace
}  // namespace sidecar
