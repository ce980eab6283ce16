#include "service/observed_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "support/fake_call.h"
#include "support/sim_clock.h"

namespace sidecar {
namespace {

using testing::FakeCall;
using testing::SimTime;

/// As a front's: it is gone, with its request, when it has ended.
class ShortLivedCall : public FakeCall {
 public:
  explicit ShortLivedCall(bool& ended) : FakeCall("request"), ended_(ended) {}

  void Finish(std::string_view bytes, const AnswerOrigin& from) override {
    FakeCall::Finish(bytes, from);
    ended_ = true;
    delete this;
  }
  void Fail(const absl::Status& with, std::string_view with_details) override {
    FakeCall::Fail(with, with_details);
    ended_ = true;
    delete this;
  }

 private:
  bool& ended_;
};

class ObservedCallTest : public ::testing::Test {
 protected:
  Call& Observe(Call& call, const bool* ended = nullptr) {
    return *new ObservedCall(call, [this, ended](ObservedAnswer&& answer) {
      ++heard_;
      if (ended != nullptr) answered_first_ = *ended;
      answer_ = std::move(answer);
    });
  }

  int heard_ = 0;
  bool answered_first_ = false;
  ObservedAnswer answer_;
};

TEST_F(ObservedCallTest, IsTheCallItself) {
  FakeCall call("request");
  call.call_deadline = SimTime().Now();
  call.metadata = {{"name", "value"}, {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}};
  Call& observed = Observe(call);
  EXPECT_EQ(observed.request(), "request");
  EXPECT_EQ(observed.deadline(), call.call_deadline);
  EXPECT_EQ(observed.Metadata("name"), "value");
  EXPECT_TRUE(observed.Trace().has_value());
  EXPECT_EQ(heard_, 0);
  observed.Finish("", {});
}

TEST_F(ObservedCallTest, AnAnswerIsHeardAfterTheCallerHasIt) {
  bool ended = false;
  Observe(*new ShortLivedCall(ended), &ended)
      .Finish("response", {.source = AnswerOrigin::Source::kMemory, .age = Millis(7)});
  EXPECT_EQ(heard_, 1);
  EXPECT_TRUE(answered_first_);
  EXPECT_EQ(answer_.request, "request");
  EXPECT_TRUE(answer_.status.ok());
  EXPECT_EQ(answer_.response, "response");
  EXPECT_EQ(answer_.origin.source, AnswerOrigin::Source::kMemory);
  EXPECT_EQ(answer_.origin.age, Millis(7));
}

TEST_F(ObservedCallTest, ARefusalIsHeardAfterTheCallerHasIt) {
  bool ended = false;
  Observe(*new ShortLivedCall(ended), &ended).Fail(absl::NotFoundError("nobody"), "details");
  EXPECT_EQ(heard_, 1);
  EXPECT_TRUE(answered_first_);
  EXPECT_EQ(answer_.request, "request");
  EXPECT_EQ(answer_.status, absl::NotFoundError("nobody"));
  EXPECT_EQ(answer_.response, "");
}

TEST_F(ObservedCallTest, TheCallerHearsWhatTheHandlerSaid) {
  FakeCall answered("request");
  Observe(answered).Finish("response", {.source = AnswerOrigin::Source::kRedis});
  EXPECT_EQ(answered.ends, 1);
  EXPECT_EQ(answered.response, "response");
  EXPECT_EQ(answered.origin.source, AnswerOrigin::Source::kRedis);
  FakeCall refused("request");
  Observe(refused).Fail(absl::NotFoundError("nobody"), "details");
  EXPECT_EQ(refused.ends, 1);
  EXPECT_EQ(refused.status, absl::NotFoundError("nobody"));
  EXPECT_EQ(refused.details, "details");
}

TEST_F(ObservedCallTest, OneMayStandBeforeAnother) {
  FakeCall call("request");
  Observe(Observe(call)).Finish("response", {});
  EXPECT_EQ(call.ends, 1);
  EXPECT_EQ(heard_, 2);
}

}  // namespace
}  // namespace sidecar
