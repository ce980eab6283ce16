#include "adapters/log/logging.h"

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <mutex>

namespace sidecar {
namespace {

/// Writes whole lines of at most PIPE_BUF bytes, and only when the descriptor takes them: a
/// pipe that nobody reads must not hold up anybody, not even the end of the process.
class PatientSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    constexpr size_t kLineMax = 4096;
    if (line.size() > kLineMax) {
      line.resize(kLineMax);
      line[kLineMax - 1] = '\n';
    }
    constexpr int kWaitMs = 100;
    pollfd target{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (poll(&target, 1, kWaitMs) != 1 || !(target.revents & POLLOUT)) return;
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  }
  void flush_() override {}
};

constexpr size_t kQueuedLines = 1024;

}  // namespace

void StartLogging(const std::string& level) {
  spdlog::init_thread_pool(kQueuedLines, 1);
  auto logger = std::make_shared<spdlog::async_logger>(
      "sidecar", std::make_shared<PatientSink>(), spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

void StopLogging() { spdlog::shutdown(); }

}  // namespace sidecar
