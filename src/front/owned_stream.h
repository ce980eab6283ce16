#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <utility>

#include "front/health_state.h"
#include "front/queue_tag.h"

namespace sidecar {

/// A stream that lives on one completion queue: it counts its operations, hears of changes of
/// phase, ends once, and deletes itself when every operation it started has come back. Make it
/// with new; on the queue's thread only.
class OwnedStream {
 public:
  OwnedStream(const OwnedStream&) = delete;
  OwnedStream& operator=(const OwnedStream&) = delete;

 protected:
  /// One kind of operation. Its tag may be under way once at a time.
  class Operation final : public QueueTag {
   public:
    Operation(OwnedStream& stream, std::function<void(bool ok)> back) : stream_(stream), back_(std::move(back)) {}

    /// The tag of an operation that is started now.
    void* Start() {
      ++stream_.pending_;
      return tag();
    }
    /// The tag for a notice that is only certain to come later; Expect() says when.
    void* tag() { return static_cast<QueueTag*>(this); }
    void Expect() { ++stream_.pending_; }

    void OnEvent(bool ok) override {
      OwnedStream& stream = stream_;
      --stream.pending_;
      back_(ok);
      if (stream.pending_ <= 0) delete &stream;
    }

   private:
    OwnedStream& stream_;
    const std::function<void(bool)> back_;
  };

  OwnedStream(HealthState& health, grpc::ServerCompletionQueue* queue, size_t& streams)
      : health_(health), queue_(queue), streams_(streams) {}
  virtual ~OwnedStream() {
    if (admitted_) --streams_;
  }

  /// The phase may have changed. Runs until the end begins.
  virtual void OnPhase() = 0;
  /// A write has come back; nothing is being written.
  virtual void OnWrote(bool ok) = 0;
  /// Starts the operation that ends the call, with this tag.
  virtual void SendEnd(const grpc::Status& status, void* tag) = 0;

  /// Begins the stream, or ends it when there are `most` already.
  bool Admit(size_t most, const char* too_many) {
    admitted_ = true;
    if (++streams_ > most) {
      End({grpc::StatusCode::RESOURCE_EXHAUSTED, too_many});
      return false;
    }
    Listen();
    return true;
  }

  /// True: the daemon is at its end, and with it the stream.
  bool EndWithDaemon() {
    if (health_.phase() != HealthState::Phase::kEnded) return false;
    End({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    return true;
  }

  void* StartWrite() {
    writing_ = true;
    return wrote_.Start();
  }

  /// Ends the call, when the write that is under way has come back.
  void End(const grpc::Status& status) {
    if (ending_) return;
    ending_ = true;
    end_status_ = status;
    if (token_ != 0) {
      health_.Forget(std::exchange(token_, 0));
      alarm_.Cancel();
    }
    if (!writing_) SendEnd(end_status_, ended_.Start());
  }

  bool writing() const { return writing_; }
  bool ending() const { return ending_; }
  grpc::ServerCompletionQueue* queue() const { return queue_; }
  const HealthState& health() const { return health_; }

 private:
  /// Waits for a change of phase: HealthState rings the alarm, from any thread.
  void Listen() {
    alarm_.Set(queue_, std::chrono::system_clock::time_point::max(), changed_.Start());
    token_ = health_.Subscribe([this] { alarm_.Cancel(); });
  }

  void PhaseChanged() {
    if (ending_) return;
    health_.Forget(token_);
    Listen();  // before looking: no change is missed
    OnPhase();
  }

  void WriteDone(bool ok) {
    writing_ = false;
    if (ending_) return SendEnd(end_status_, ended_.Start());
    OnWrote(ok);
  }

  HealthState& health_;
  grpc::ServerCompletionQueue* const queue_;
  size_t& streams_;
  grpc::Alarm alarm_;
  uint64_t token_ = 0;
  int pending_ = 0;  // operations that will still come back
  bool admitted_ = false;
  bool writing_ = false;
  bool ending_ = false;
  grpc::Status end_status_;
  Operation changed_{*this, [this](bool) { PhaseChanged(); }};
  Operation wrote_{*this, [this](bool ok) { WriteDone(ok); }};
  Operation ended_{*this, [](bool) {}};
};

}  // namespace sidecar
