#include "adapters/net/io_thread.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <exception>

namespace sidecar {

IoThread::IoThread(std::string name)
    : work_(boost::asio::make_work_guard(context_)), thread_([this, name = std::move(name)] {
        pthread_setname_np(pthread_self(), name.c_str());
        // An exception that escapes a handler is a defect, but not a reason to stop serving.
        for (;;) {
          try {
            context_.run();
            return;
          } catch (const std::exception& error) {
            spdlog::error("{}: a handler failed: {}", name, error.what());
          } catch (...) {
            spdlog::error("{}: a handler failed", name);
          }
        }
      }) {}

IoThread::~IoThread() { Stop(); }

void IoThread::Stop() {
  work_.reset();
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace sidecar
