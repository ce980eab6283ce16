// One thread with its connections.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "front/http2/connection.h"
#include "front/http2/shard.h"

namespace sidecar {

/// Reads what a connection has, a little of each in turn, runs handlers, and writes all answers of a turn at once.
/// The other functions: from any thread.
class Http2Loop final : public Http2Shard {
 public:
  explicit Http2Loop(const Http2Shared& shared);
  /// Closes every connection. No call may be running.
  ~Http2Loop() override;

  void Start(size_t index);

  /// Takes over a connected, non-blocking socket of which `already_read` was read.
  void Give(int fd, std::string_view already_read);

  /// GOAWAY to all; connections end when their calls are answered.
  void Drain() { Tell(&Http2Loop::drain_); }
  /// The phase of health has changed.
  void NotePhase() { Tell(&Http2Loop::phase_); }

  size_t connections() const { return count_.load(std::memory_order_relaxed); }

  void Finished(Http2Call& call) override;
  void WantsToSend(Http2Connection& connection) override;

 private:
  class Peer;
  struct Given {
    int fd;
    std::string already_read;
  };

  void Tell(bool Http2Loop::*what);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run();
  void TakeInbox();
  void Settle(Http2Call& call);
  void Begin(const Given& given);
  void Read(Peer& peer);
  void Write(Peer& peer);
  void WriteAll();
  void Expect(Peer& peer, bool room_to_write);
  void EndSilentOnes();
  void End(Peer& peer);

  const int poll_;
  const int wake_;
  std::thread thread_;
  std::atomic<size_t> count_{0};

  absl::Mutex mu_;
  std::vector<Given> given_ ABSL_GUARDED_BY(mu_);
  std::vector<Http2Call*> finished_ ABSL_GUARDED_BY(mu_);
  bool drain_ ABSL_GUARDED_BY(mu_) = false;
  bool phase_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;

  // The thread only.
  std::unordered_map<Peer*, std::unique_ptr<Peer>> peers_;
  std::vector<Peer*> to_write_;
  std::vector<Peer*> ended_peers_;
  std::vector<char> buffer_;
  bool draining_ = false;
  bool stopped_ = false;
  size_t silent_ = 0;  ///< peers that have not greeted, at most
};

}  // namespace sidecar
