#include "adapters/log/logging.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace sidecar {
namespace {

/// Standard error goes into a pipe of one page while this lives.
class StderrPipe {
 public:
  StderrPipe() : before_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0);
    capacity_ = fcntl(ends_[1], F_SETPIPE_SZ, 1 << 20);
    dup2(ends_[1], STDERR_FILENO);
  }
  ~StderrPipe() {
    dup2(before_, STDERR_FILENO);
    for (const int fd : {before_, ends_[0], ends_[1]}) close(fd);
  }

  void Fill() const {
    const std::string bytes(static_cast<size_t>(capacity_), 'x');
    while (write(ends_[1], bytes.data(), bytes.size()) > 0) {
    }
  }

  std::string Read() const {
    std::string all(static_cast<size_t>(capacity_), '\0');
    const ssize_t got = read(ends_[0], all.data(), all.size());
    all.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return all;
  }

 private:
  const int before_;
  int ends_[2] = {-1, -1};
  int capacity_ = 0;
};

class LoggingTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { StartLogging("info"); }
};

TEST_F(LoggingTest, WhatIsQueuedIsWrittenBeforeTheEnd) {
  const StderrPipe pipe;
  constexpr int kLines = 500;
  for (int i = 0; i < kLines; ++i) spdlog::info("line {}", i);
  StopLogging();
  const std::string written = pipe.Read();
  EXPECT_NE(written.find("line 0\n"), std::string::npos);
  EXPECT_NE(written.find("line 499\n"), std::string::npos);
}

TEST_F(LoggingTest, OthersMayStillLogWhileAndAfterItStops) {
  const StderrPipe pipe;
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) spdlog::info("from another thread");
  });
  StopLogging();
  for (int i = 0; i < 100; ++i) spdlog::info("after the end");
  stop = true;
  other.join();
  ASSERT_NE(spdlog::default_logger(), nullptr);
}

TEST_F(LoggingTest, NobodyWhoReadsHoldsUpTheEndForAMomentOnly) {
  const StderrPipe pipe;
  pipe.Fill();
  for (int i = 0; i < 40; ++i) spdlog::info("nobody reads this");  // 100 ms each to write
  const auto start = std::chrono::steady_clock::now();
  StopLogging();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(2'500));
}

}  // namespace
}  // namespace sidecar
