// All subscribers of `dev`, and what they are told.
#pragma once

#include <memory>
#include <vector>

#include "adapters/http_server/http_server.h"
#include "adapters/json/json.h"
#include "adapters/world/world.h"
#include "dev/faults.h"
#include "dev/push_connection.h"

namespace sidecar::dev {

/// Used on the io thread only.
class PushHub {
 public:
  struct Limits {
    PushConnection::Limits connection;
    size_t connections_max = 256;
  };

  PushHub(World& world, Faults& faults, const Limits& limits) : world_(world), faults_(faults), limits_(limits) {}

  static bool AsksForWebSocket(const ServerRequest& request);
  /// Answers a request that asks for one: takes the connection over, or says why not.
  ServerResponse Upgrade(const ServerRequest& request);

  /// Tells subscribers what changed in the world.
  void OnChange(const Push& push);
  /// Sends a `next` with any payload; answers to how many subscriptions.
  size_t Publish(Subscription subscription, const Json& payload);
  /// Lets a fault that was just switched on hit the connections that are open.
  void ApplyFaults();

  /// {"connections": open now, "accepted": ever, "subscriptions": {root field: n}}
  Json Describe();

 private:
  /// Those that are open; forgets the others.
  std::vector<std::shared_ptr<PushConnection>> Open();

  World& world_;
  Faults& faults_;
  const Limits limits_;
  size_t accepted_ = 0;
  std::vector<std::weak_ptr<PushConnection>> connections_;
};

}  // namespace sidecar::dev
