#pragma once

#include <memory>
#include <string>

#include "adapters/http/proxy.h"
#include "ports/clock.h"
#include "ports/http_transport.h"
#include "ports/timers.h"

namespace sidecar {

/// HttpTransport over cpprestsdk, which only this file and its threads know (its upstream is
/// archived; docs/adr/0004). Keeps connections alive per origin.
///
/// What cpprestsdk does not promise is done here: one overall deadline per exchange, a cap
/// on bodies while they arrive, mutations that are never replayed on a pooled connection (a
/// body that cannot be rewound), no redirects (they would carry the API key to another
/// host), no connection used again after a 1xx response or a malformed one, and a bound on
/// the exchanges that the library still holds after their deadline.
class CpprestTransport : public HttpTransport {
 public:
  struct Settings {
    ProxySettings proxy;
    std::string extra_ca_file;  ///< PEM, trusted beside the system's; empty = none
    size_t body_bytes_max = 16 << 20;
    /// The library gives a connection up on which nothing moved for this long. A backstop: must
    /// be longer than the longest deadline given to Send, which is the real limit.
    Millis library_timeout{65'000};
    /// Exchanges that the library holds at once, those past their deadline included; beyond it
    /// Send answers RESOURCE_EXHAUSTED, surely not sent.
    size_t exchanges_max = 512;
  };

  /// Starts the threads that all transports of the process share; later calls do nothing.
  /// Call before anything else in the process uses cpprestsdk.
  static void SizeThreadPool(size_t threads = 2);

  CpprestTransport(Timers& timers, const Settings& settings);
  ~CpprestTransport() override;

  void Send(HttpRequest request, MonoTime deadline, Done done) override;

 private:
  class Exchange;
  struct Shared;  // outlives the transport: exchanges that ended at their deadline refer to it

  static void Start(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Exchange>& exchange);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace sidecar
