#pragma once

#include <cstdint>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "ports/http_transport.h"
#include "ports/timers.h"

namespace sidecar {

/// Lets at most `under_way_max` exchanges run at a time and at most `queue_max` wait for
/// them; what is beyond ends RESOURCE_EXHAUSTED at once, what still waits at its deadline ends
/// DEADLINE_EXCEEDED then, both surely not sent. Thread-safe.
class BoundedTransport : public HttpTransport {
 public:
  BoundedTransport(HttpTransport& inner, Timers& timers, size_t under_way_max, size_t queue_max)
      : inner_(inner), timers_(timers), under_way_max_(under_way_max), queue_max_(queue_max) {}

  void Send(HttpRequest request, MonoTime deadline, Done done) override;

 private:
  struct Waiting {
    HttpRequest request;
    MonoTime deadline;
    Done done;
    Timers::Id timer = Timers::kNone;
  };

  void Start(Waiting waiting);
  /// Starts what may run now, one after the other: exchanges that end at once do not pile up
  /// on the stack.
  void StartWaiting();
  void TimeOut(uint64_t ticket);

  HttpTransport& inner_;
  Timers& timers_;
  const size_t under_way_max_;
  const size_t queue_max_;
  absl::Mutex mu_;
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  bool starting_ ABSL_GUARDED_BY(mu_) = false;  // some thread is in StartWaiting
  uint64_t next_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Waiting> queue_ ABSL_GUARDED_BY(mu_);  // by ticket: in order of arrival
};

}  // namespace sidecar
