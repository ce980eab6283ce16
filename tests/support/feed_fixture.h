// A feed whose server is the test, and a sink that writes down what it hears.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "adapters/feed/graphql_feed.h"
#include "support/fake_websocket.h"
#include "support/sim_clock.h"

namespace sidecar::testing {

class RecordingSink : public ChangeSink {
 public:
  void OnLive() override {
    EXPECT_FALSE(live) << "OnLive twice";
    live = true;
    log.push_back("live");
  }
  void OnLost() override {
    EXPECT_TRUE(live) << "OnLost without OnLive";
    live = false;
    log.push_back("lost");
  }
  void OnPush(Push push) override {
    EXPECT_TRUE(live) << "a push outside OnLive and OnLost";
    pushes.push_back(std::move(push));
  }

  bool live = false;
  std::vector<std::string> log;
  std::vector<Push> pushes;
};

/// Reproducible jitter.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  double Uniform() override { return std::uniform_real_distribution<double>(0, 1)(engine_); }

 private:
  std::mt19937_64 engine_;
};

class FeedTest : public ::testing::Test {
 protected:
  explicit FeedTest(GenerationSetting generation = GenerationSetting::kV2, double random = 0.5)
      : random_(random),
        feed_(connector_, "ws://upstream", ProcessIdentity{.instance_id = "instance"}, [this] { return key_; },
              generation, {time_, time_, random_, metrics_}) {}

  FakePeer& peer() { return connector_.peer(); }
  size_t attempts() const { return connector_.peers.size(); }

  void Settle() { time_.Advance(Millis(0)); }
  void Start() {
    feed_.Start(sink_);
    Settle();
  }
  void Ack() { peer().Say(R"({"type":"connection_ack"})"); }
  void OpenAndAck() {
    peer().Open();
    Ack();
  }
  void GoLive() {
    Start();
    OpenAndAck();
  }
  /// A fixture's message, for the subscription to `operation`.
  void SayNext(const std::string& fixture, const std::string& operation) {
    Json message = *ParseJson(fixture);
    message["id"] = peer().IdOf(operation);
    peer().Say(message.dump());
  }
  void SayError(const std::string& operation, const std::string& errors = R"([{"message":"down"}])") {
    peer().Say(R"({"type":"error","id":")" + peer().IdOf(operation) + R"(","payload":)" + errors + "}");
  }
  size_t SubscribesTo(const std::string& operation) {
    size_t count = 0;
    for (const Json& message : peer().SentOf("subscribe")) count += message["payload"]["operationName"] == operation;
    return count;
  }
  uint64_t Reconnects(FeedEndCause cause) const { return feed_.status().reconnects[static_cast<size_t>(cause)]; }

  SimTime time_;
  Metrics metrics_;
  FakeConnector connector_;
  std::string key_ = "server-test-key";
  FixedRandom random_;
  RecordingSink sink_;
  GraphqlFeed feed_;
};

}  // namespace sidecar::testing
