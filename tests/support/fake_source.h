#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "ports/entitlement_source.h"

namespace sidecar::testing {

/// An upstream whose answers the test gives by hand, in any order.
class FakeSource : public EntitlementSource {
 public:
  struct Request {
    EntityKey key;
    MonoTime deadline;
    FetchDone done;
  };

  void Fetch(const EntityKey& key, MonoTime deadline, FetchDone done) override {
    ++fetches;
    if (fail_at_once) {
      return std::move(done)(UpstreamFailure{.status = absl::UnavailableError("down"), .transient = true});
    }
    waiting.push_back({key, deadline, std::move(done)});
  }

  bool available() const override { return is_available; }
  void NoteTooSlow(const EntityKey&) override { ++too_slow; }

  /// Answers the request that has waited longest.
  void Answer(CustomerEntitlements entitlements) { std::move(Take().done)(std::move(entitlements)); }
  void Fail(absl::Status status = absl::UnavailableError("down")) {
    std::move(Take().done)(UpstreamFailure{.status = std::move(status), .transient = true});
  }

  size_t fetches = 0;
  size_t too_slow = 0;
  bool is_available = true;
  bool fail_at_once = false;
  std::deque<Request> waiting;

 private:
  Request Take() {
    Request request = std::move(waiting.front());
    waiting.pop_front();
    return request;
  }
};

}  // namespace sidecar::testing
