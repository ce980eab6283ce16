// A gRPC front without grpc-core, for plaintext connections (docs/adr/0022).
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "front/http2/loop.h"
#include "front/http2/shard.h"

namespace sidecar {

class Http2Front {
 public:
  /// What `shared` names must outlive the front.
  Http2Front(const Http2Shared& shared, size_t threads);
  ~Http2Front();

  void Start();

  /// Takes over a connected, non-blocking socket of which `already_read` was read. Any thread.
  void Serve(int fd, std::string_view already_read);

  /// Calls being answered now; calls that reached a handler; connections closed for flooding.
  uint64_t running() const;
  uint64_t handled() const;
  uint64_t floods() const;

  /// Sends clients elsewhere, lets running calls finish until `deadline`. True when none was left.
  bool Shutdown(MonoTime deadline);

 private:
  HealthState& health_;
  std::vector<std::unique_ptr<Http2Loop>> loops_;
  std::atomic<size_t> next_{0};
  uint64_t token_ = 0;
};

}  // namespace sidecar
