// The thread that accepts connections, runs timers and serves HTTP: never a hot path.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>

namespace sidecar {

/// Owns one io_context and one thread that runs it.
class IoThread {
 public:
  /// `name` (at most 15 characters) is shown by ps and gdb.
  explicit IoThread(std::string name);
  ~IoThread();  // stops and joins
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  boost::asio::io_context& context() { return context_; }

  /// Ends the thread after the handler that is running. Idempotent.
  void Stop();

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace sidecar
