#include "core/duration_histogram.h"

#include <gtest/gtest.h>

namespace sidecar {
namespace {

using std::chrono::nanoseconds;

TEST(DurationHistogramTest, ABoundBelongsToItsBucket) {
  for (size_t i = 0; i < DurationHistogram::kBounded; ++i) {
    const auto bound = static_cast<int64_t>(DurationHistogram::BoundSecs(i) * 1e9 + 0.5);
    DurationHistogram histogram;
    histogram.Observe(nanoseconds(bound));
    histogram.Observe(nanoseconds(bound + 1));
    EXPECT_EQ(histogram.bucket(i), 1U) << i;
    EXPECT_EQ(histogram.bucket(i + 1), 1U) << i;
  }
}

TEST(DurationHistogramTest, WhatIsBeyondAllBounds) {
  DurationHistogram histogram;
  histogram.Observe(std::chrono::hours(1));
  EXPECT_EQ(histogram.bucket(DurationHistogram::kBounded), 1U);
  EXPECT_EQ(histogram.sum_secs(), 3600);
}

TEST(DurationHistogramTest, AClockThatStoodStill) {
  DurationHistogram histogram;
  histogram.Observe(nanoseconds(0));
  histogram.Observe(nanoseconds(-5));
  EXPECT_EQ(histogram.bucket(0), 2U);
  EXPECT_EQ(histogram.sum_secs(), 0);
}

}  // namespace
}  // namespace sidecar
