// One subscriber of `dev`'s WebSocket: the graphql-transport-ws protocol without a socket.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "adapters/json/json.h"
#include "dev/faults.h"
#include "dev/subscriptions.h"

namespace sidecar::dev {

/// Close codes of graphql-transport-ws.
enum class CloseCode : uint16_t {
  kNormal = 1000,
  kBadMessage = 4400,
  kUnauthorized = 4401,
  kForbidden = 4403,
  kSubprotocol = 4406,
  kInitTimeout = 4408,
  kDuplicateId = 4409,
  kTooManyInits = 4429,
};

/// Not thread-safe. Once it has closed it wants no more messages.
class Subscriber {
 public:
  /// The other end of the connection.
  class Wire {
   public:
    virtual void Send(std::string message) = 0;
    /// Sends a close frame; nothing follows it.
    virtual void Close(uint16_t code, std::string reason) = 0;
    /// Reads and answers nothing any more, until the peer gives up.
    virtual void FallSilent() = 0;

   protected:
    ~Wire() = default;
  };

  static constexpr size_t kSubscriptionsMax = 100;

  Subscriber(Wire& wire, Faults& faults) : wire_(wire), faults_(faults) {}

  void OnMessage(std::string_view text);
  /// The time for connection_init is over.
  void OnInitTimeout();
  /// Sends a `next` with this payload (JSON text) to each of its subscriptions of this kind;
  /// answers how many there are.
  size_t Publish(Subscription subscription, std::string_view payload);
  /// Faults that hit a whole connection: `close` and `silent`.
  bool HitByFault();

  bool initialised() const { return state_ != State::kNew; }
  const std::map<std::string, Subscription>& subscriptions() const { return subscriptions_; }

 private:
  enum class State : uint8_t { kNew, kAcknowledged };

  void Initialise(const Json& message);
  void Subscribe(const Json& message);
  void SendError(const std::string& id, std::string_view text, std::string_view code);
  void Close(CloseCode code, std::string reason);

  Wire& wire_;
  Faults& faults_;
  State state_ = State::kNew;
  std::map<std::string, Subscription> subscriptions_;  // by the id that the peer chose
};

}  // namespace sidecar::dev
