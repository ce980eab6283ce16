#pragma once

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "ports/clock.h"
#include "ports/http_transport.h"

namespace sidecar {

/// Lets at most `under_way_max` exchanges run at a time and at most `queue_max` wait for
/// them; what is beyond ends RESOURCE_EXHAUSTED at once, what waits past its deadline
/// DEADLINE_EXCEEDED, both surely not sent. Thread-safe.
class BoundedTransport : public HttpTransport {
 public:
  BoundedTransport(HttpTransport& inner, Clock& clock, size_t under_way_max, size_t queue_max)
      : inner_(inner), clock_(clock), under_way_max_(under_way_max), queue_max_(queue_max) {}

  void Send(HttpRequest request, MonoTime deadline, Done done) override;

 private:
  struct Waiting {
    HttpRequest request;
    MonoTime deadline;
    Done done;
  };

  void Start(Waiting waiting);
  void OneEnded();

  HttpTransport& inner_;
  Clock& clock_;
  const size_t under_way_max_;
  const size_t queue_max_;
  absl::Mutex mu_;
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Waiting> queue_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sidecar
