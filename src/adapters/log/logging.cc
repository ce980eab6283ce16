#include "adapters/log/logging.h"

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/dup_filter_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "adapters/log/json_formatter.h"
#include "ports/trace.h"

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
  /// Comes after all lines that were logged before it: the logger's thread takes it in turn.
  void flush_() override {
    absl::MutexLock lock(&flushed_mu_);
    ++flushed_;
  }

 public:
  /// Waits until everything logged so far is written or dropped, `at_most`.
  void Drain(spdlog::logger& logger, absl::Duration at_most) {
    absl::MutexLock lock(&flushed_mu_);
    const uint64_t before = flushed_;
    logger.flush();
    const auto flushed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(flushed_mu_) { return flushed_ != before; };
    flushed_mu_.AwaitWithTimeout(absl::Condition(&flushed), at_most);
  }

 private:
  absl::Mutex flushed_mu_;
  uint64_t flushed_ ABSL_GUARDED_BY(flushed_mu_) = 0;
};

/// Says with each line for which trace its thread worked, and leaves the rest to a logger with a thread of its own:
/// where that writes, the caller's trace is not known any more.
class TracedLogger : public spdlog::logger {
 public:
  explicit TracedLogger(std::shared_ptr<spdlog::logger> inner)
      : spdlog::logger(inner->name()), inner_(std::move(inner)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::optional<TraceContext>& trace = TraceScope::Current();
    if (!trace.has_value()) return inner_->log(message.time, message.source, message.level, message.payload);
    std::string text(message.payload.data(), message.payload.size());
    text.append(kLogTraceLabel).append(TraceIdText(trace->trace_id));
    inner_->log(message.time, message.source, message.level, text);
  }
  void flush_() override { inner_->flush(); }

 private:
  const std::shared_ptr<spdlog::logger> inner_;
};

constexpr size_t kQueuedLines = 1024;

/// Set once, by StartLogging.
std::shared_ptr<PatientSink> sink;

}  // namespace

void StartLogging(const std::string& level, LogFormat format) {
  constexpr std::chrono::seconds kRepeatsWithin{30};
  spdlog::init_thread_pool(kQueuedLines, 1);
  sink = std::make_shared<PatientSink>();
  auto without_repeats = std::make_shared<spdlog::sinks::dup_filter_sink_mt>(kRepeatsWithin);
  without_repeats->add_sink(sink);
  auto logger = std::make_shared<spdlog::async_logger>("sidecar", without_repeats, spdlog::thread_pool(),
                                                       spdlog::async_overflow_policy::overrun_oldest);
  const bool text = format == LogFormat::kText || (format == LogFormat::kAuto && isatty(STDERR_FILENO) == 1);
  if (text) {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  } else {
    logger->set_formatter(std::make_unique<JsonFormatter>());
  }
  logger->set_level(spdlog::level::trace);
  auto traced = std::make_shared<TracedLogger>(std::move(logger));
  traced->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(traced));
}

void StopLogging() {
  if (sink != nullptr) sink->Drain(*spdlog::default_logger(), absl::Seconds(1));
}

}  // namespace sidecar
