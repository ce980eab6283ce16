#include "front/hand_over.h"

#include <pthread.h>
#include <unistd.h>

#include <utility>

#include "absl/time/time.h"
#include "front/read_guard.h"

namespace sidecar {

HandOver::HandOver(Take take) : take_(std::move(take)), thread_([this] { Run(); }) {}

HandOver::~HandOver() {
  {
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }
  thread_.join();
  for (const Connection& connection : waiting_) close(connection.fd);
}

void HandOver::Give(int fd, std::string_view already_read) {
  absl::MutexLock lock(&mu_);
  waiting_.push_back({fd, std::string(already_read)});
}

void HandOver::Flush(std::chrono::milliseconds at_most) {
  absl::MutexLock lock(&mu_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return waiting_.empty() && !busy_; };
  mu_.AwaitWithTimeout(absl::Condition(&idle), absl::FromChrono(at_most));
}

void HandOver::Run() {
  pthread_setname_np(pthread_self(), "grpc-connect");
  ReadGuard::Watch();
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return ended_ || !waiting_.empty(); };
  for (;;) {
    Connection next{};
    {
      absl::MutexLock lock(&mu_);
      busy_ = false;
      mu_.Await(absl::Condition(&due));
      if (ended_) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
      busy_ = true;
    }
    ReadGuard::OnTurn();
    take_(next.fd, next.already_read);
  }
}

}  // namespace sidecar
