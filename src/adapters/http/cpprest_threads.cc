#include "adapters/http/cpprest_threads.h"

#include <openssl/ssl.h>
#include <pplx/threadpool.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sidecar {
namespace {

std::atomic<uint64_t> failure_count{0};

boost::asio::io_service& Service() { return crossplat::threadpool::shared_instance().service(); }

void RunUntilStopped() {
  for (;;) {
    try {
      Service().run();
      return;
    } catch (const std::exception& error) {
      failure_count.fetch_add(1, std::memory_order_release);
      spdlog::error("a handler of an exchange with upstream failed: {}", error.what());
    } catch (...) {
      failure_count.fetch_add(1, std::memory_order_release);
      spdlog::error("a handler of an exchange with upstream failed");
    }
  }
}

class Threads {
 public:
  explicit Threads(size_t count) {
    OPENSSL_init_ssl(0, nullptr);  // before these threads, so that it ends after them
    crossplat::threadpool::initialize_with_threads(0);
    for (size_t i = 0; i < count; ++i) {
      threads_.emplace_back([i] {
        pthread_setname_np(pthread_self(), ("upstream-" + std::to_string(i)).c_str());
        RunUntilStopped();
      });
    }
  }
  // Only in processes that return from main, such as tests; before the library's own end.
  ~Threads() {
    Service().stop();
    for (std::thread& thread : threads_) thread.join();
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  std::vector<std::thread> threads_;
};

}  // namespace

void CpprestThreads::Start(size_t threads) { static const Threads started(threads); }

void CpprestThreads::Post(absl::AnyInvocable<void() &&> fn) {
  boost::asio::post(Service(), [fn = std::move(fn)]() mutable { std::move(fn)(); });
}

boost::asio::io_context& CpprestThreads::context() { return Service(); }

uint64_t CpprestThreads::failures() { return failure_count.load(std::memory_order_acquire); }

}  // namespace sidecar
