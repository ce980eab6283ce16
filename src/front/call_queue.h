// One completion queue with its thread and its calls.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "front/call_account.h"
#include "front/raw_service.h"
#include "service/call.h"
#include "service/services.h"

namespace sidecar {

class UnaryCall;

/// Takes calls from its queue and gives them to their handlers, on its own thread.
class CallQueue {
 public:
  CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, RawSidecarService& service, const Handlers& handlers,
            const CallBooks& books);
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  /// Starts the thread. The server has been started.
  void Start(size_t index);

  /// Ends the queue once every event is handled, and joins. The server has been shut down,
  /// and no call is running.
  void ShutDown();

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }
  /// Calls that reached their handlers. Any thread.
  uint64_t handled() const { return arrived_.load(std::memory_order_relaxed); }
  /// Calls between their arrival and their end. Any thread.
  uint64_t running() const {
    const uint64_t ended = ended_.load(std::memory_order_acquire);
    return arrived_.load(std::memory_order_relaxed) - ended;
  }

 private:
  friend class UnaryCall;

  void Run();
  /// Asks for one more call of the method. Queue thread only (or before it runs).
  void Await(Method method);
  void Recycle(std::unique_ptr<UnaryCall> call);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  RawSidecarService& service_;
  const Handlers& handlers_;
  const CallBooks books_;
  std::vector<std::unique_ptr<UnaryCall>> idle_;  // to be used again; queue thread only
  std::atomic<uint64_t> arrived_{0};              // written by the queue thread only
  std::atomic<uint64_t> ended_{0};                // so is this; never more than arrived_
  std::thread thread_;
};

}  // namespace sidecar
