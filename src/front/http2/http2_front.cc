#include "front/http2/http2_front.h"

#include <thread>

namespace sidecar {

Http2Front::Http2Front(const Http2Shared& shared, size_t threads) : health_(shared.health) {
  for (size_t i = 0; i < threads; ++i) loops_.push_back(std::make_unique<Http2Loop>(shared));
}

Http2Front::~Http2Front() {
  if (token_ != 0) health_.Forget(token_);
}

void Http2Front::Start() {
  for (size_t i = 0; i < loops_.size(); ++i) loops_[i]->Start(i);
  token_ = health_.Subscribe([this] {
    for (const auto& loop : loops_) loop->NotePhase();
  });
}

void Http2Front::Serve(int fd, std::string_view already_read) {
  loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()]->Give(fd, already_read);
}

uint64_t Http2Front::running() const {
  uint64_t sum = 0;
  for (const auto& loop : loops_) sum += loop->running();
  return sum;
}

uint64_t Http2Front::handled() const {
  uint64_t sum = 0;
  for (const auto& loop : loops_) sum += loop->handled();
  return sum;
}

uint64_t Http2Front::floods() const {
  uint64_t sum = 0;
  for (const auto& loop : loops_) sum += loop->floods();
  return sum;
}

bool Http2Front::Shutdown(MonoTime deadline) {
  constexpr Millis kLookEvery{1};
  // For a client that does not take its leave: nothing of it is running.
  constexpr Millis kPatience{1'000};
  const auto now = [] { return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now()); };
  const MonoTime patient_until = now() + kPatience;
  for (const auto& loop : loops_) loop->Drain();
  const auto connections = [&] {
    size_t sum = 0;
    for (const auto& loop : loops_) sum += loop->connections();
    return sum;
  };
  while (now() < deadline && connections() > 0 && (running() > 0 || now() < patient_until)) {
    std::this_thread::sleep_for(kLookEvery);
  }
  return running() == 0;
}

}  // namespace sidecar
