#include "adapters/system/process_figures.h"

#include <gtest/gtest.h>

namespace sidecar {
namespace {

TEST(ProcessFiguresTest, ThisProcess) {
  const ProcessFigures figures = ReadProcessFigures();
  EXPECT_GT(figures.resident_bytes, 1U << 20);
  EXPECT_GE(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.threads, 1U);
  EXPECT_GE(figures.open_fds, 3U);
  EXPECT_GT(figures.max_fds, figures.open_fds);
  EXPECT_GT(figures.started_at_secs, 1.6e9);
}

TEST(ProcessFiguresTest, WhatCannotBeReadIsZero) {
  const ProcessFigures figures = ReadProcessFigures("/nowhere");
  EXPECT_EQ(figures.resident_bytes, 0U);
  EXPECT_EQ(figures.open_fds, 0U);
}

TEST(ProcessFiguresTest, TheLimitIsRaisedOnce) { EXPECT_EQ(RaiseDescriptorLimit(), RaiseDescriptorLimit()); }

}  // namespace
}  // namespace sidecar
