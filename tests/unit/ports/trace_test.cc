#include "ports/trace.h"

#include <gtest/gtest.h>

namespace sidecar {
namespace {

constexpr std::string_view kHeader = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContextTest, ReadsBackWhatItWrites) {
  const std::optional<TraceContext> trace = TraceContext::Parse(kHeader);
  ASSERT_TRUE(trace.has_value());
  EXPECT_TRUE(trace->sampled);
  EXPECT_EQ(trace->Header(), kHeader);
  EXPECT_EQ(TraceIdText(trace->trace_id), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_FALSE(TraceContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")->sampled);
}

TEST(TraceContextTest, LaterVersionsAreReadAsFarAsThisOneGoes) {
  EXPECT_TRUE(TraceContext::Parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes").has_value());
  EXPECT_TRUE(TraceContext::Parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").has_value());
}

TEST(TraceContextTest, WhatIsNoneIsNone) {
  for (const std::string_view bad : {
           "",
           "00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
       }) {
    EXPECT_FALSE(TraceContext::Parse(bad).has_value()) << bad;
  }
}

TEST(TraceScopeTest, ScopesNest) {
  EXPECT_FALSE(TraceScope::Current().has_value());
  {
    const TraceScope outer(TraceContext::Parse(kHeader));
    EXPECT_EQ(TraceScope::Current()->Header(), kHeader);
    {
      const TraceScope inner(std::nullopt);
      EXPECT_FALSE(TraceScope::Current().has_value());
    }
    EXPECT_TRUE(TraceScope::Current().has_value());
  }
  EXPECT_FALSE(TraceScope::Current().has_value());
}

}  // namespace
}  // namespace sidecar
