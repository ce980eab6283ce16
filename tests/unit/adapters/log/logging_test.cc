#include "adapters/log/logging.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "adapters/json/json.h"
#include "adapters/log/json_formatter.h"
#include "ports/trace.h"

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
  static void SetUpTestSuite() { StartLogging("info", LogFormat::kText); }
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

TEST_F(LoggingTest, ALineThatIsSaidAgainIsCounted) {
  const StderrPipe pipe;
  for (int i = 0; i < 50; ++i) spdlog::info("the same again");
  spdlog::info("another");
  StopLogging();
  const std::string written = pipe.Read();
  const size_t first = written.find("the same again");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(written.find("the same again", first + 1), std::string::npos) << written;
  EXPECT_NE(written.find("49"), std::string::npos) << written;
  EXPECT_NE(written.find("another"), std::string::npos);
}

TEST_F(LoggingTest, ALineSaysForWhichTraceItsThreadWorked) {
  const StderrPipe pipe;
  {
    const TraceScope scope(TraceContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    spdlog::info("of a call");
  }
  spdlog::info("of nobody");
  StopLogging();
  const std::string written = pipe.Read();
  EXPECT_NE(written.find("of a call trace_id=0af7651916cd43dd8448eb211c80319c\n"), std::string::npos) << written;
  EXPECT_NE(written.find("of nobody\n"), std::string::npos) << written;
}

std::string Formatted(std::string_view text) {
  spdlog::memory_buf_t out;
  JsonFormatter().format({"", spdlog::level::warn, {text.data(), text.size()}}, out);
  return std::string(out.data(), out.size());
}

TEST(JsonFormatterTest, OneObjectALine) {
  const std::string line = Formatted("it's \"quoted\"\nand \x01 broken \xff");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const absl::StatusOr<Json> json = ParseJson(line);
  ASSERT_TRUE(json.ok()) << line;
  EXPECT_EQ((*json)["level"], "warning");
  EXPECT_EQ((*json)["message"], "it's \"quoted\"\nand \x01 broken \xEF\xBF\xBD");
  EXPECT_TRUE(ParseDate((*json)["time"].get<std::string>()).has_value());
}

TEST(JsonFormatterTest, TheTraceIsAMemberOfItsOwn) {
  const absl::StatusOr<Json> json = ParseJson(Formatted("failed trace_id=0af7651916cd43dd8448eb211c80319c"));
  ASSERT_TRUE(json.ok());
  EXPECT_EQ((*json)["message"], "failed");
  EXPECT_EQ((*json)["trace_id"], "0af7651916cd43dd8448eb211c80319c");
  for (const char* text : {"trace_id=", "failed trace_id=0af7", "failed trace_id=0AF7651916CD43DD8448EB211C80319C"}) {
    EXPECT_EQ((*ParseJson(Formatted(text)))["message"], text);
  }
}

TEST(JsonFormatterTest, ALongMessageIsCutAndStaysJson) {
  for (const char c : {'x', '\x01'}) {
    const std::string line = Formatted(std::string(100'000, c));
    EXPECT_LE(line.size(), JsonFormatter::kLineMax);
    EXPECT_TRUE(ParseJson(line).ok());
  }
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
  for (int i = 0; i < 40; ++i) spdlog::info("nobody reads this, {}", i);  // 100 ms each to write
  const auto start = std::chrono::steady_clock::now();
  StopLogging();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(2'500));
}

}  // namespace
}  // namespace sidecar
