#include "front/call_queue.h"

#include <pthread.h>

#include "front/read_guard.h"
#include "front/unary_call.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// Calls of each method that may arrive before the queue has asked for the next ones.
constexpr int kAwaitedPerMethod = 8;

/// Calls kept for use again; what a burst needed beyond them is freed.
constexpr size_t kIdleMax = 1024;

}  // namespace

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, RawSidecarService& service,
                     const Handlers& handlers, const CallBooks& books)
    : queue_(std::move(queue)), service_(service), handlers_(handlers), books_(books) {}

CallQueue::~CallQueue() = default;

void CallQueue::Start(size_t index) {
  for (size_t method = 0; method < kMethodCount; ++method) {
    for (int i = 0; i < kAwaitedPerMethod; ++i) Await(static_cast<Method>(method));
  }
  thread_ = std::thread([this, index] {
    pthread_setname_np(pthread_self(), StrCat("grpc-queue-", index).c_str());
    Run();
  });
}

void CallQueue::Run() {
  void* tag = nullptr;
  bool ok = false;
  ReadGuard::Watch();
  while (queue_->Next(&tag, &ok)) {
    ReadGuard::OnTurn();
    static_cast<QueueTag*>(tag)->OnEvent(ok);
  }
}

void CallQueue::Await(Method method) {
  if (idle_.empty()) idle_.push_back(std::make_unique<UnaryCall>(*this));
  // From here on the call belongs to gRPC, which gives it back as a tag.
  UnaryCall* const call = idle_.back().release();
  idle_.pop_back();
  call->Await(method);
}

void CallQueue::Recycle(std::unique_ptr<UnaryCall> call) {
  if (idle_.size() < kIdleMax) idle_.push_back(std::move(call));
}

void CallQueue::ShutDown() {
  queue_->Shutdown();
  if (thread_.joinable()) thread_.join();
}

}  // namespace sidecar
