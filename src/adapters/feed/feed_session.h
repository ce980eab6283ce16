// One connection of the feed, from the handshake to its end: the protocol without the
// question of what comes after it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "adapters/feed/feed_status.h"
#include "adapters/feed/protocol.h"
#include "adapters/feed/push_codec.h"
#include "adapters/upstream/identity.h"
#include "adapters/websocket/websocket.h"
#include "core/metrics.h"
#include "ports/change_feed.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/timers.h"

namespace sidecar {

/// What the feed needs of the world. The timers and the connector must run on one thread.
struct FeedTools {
  Clock& clock;
  Timers& timers;
  Random& random;
  Metrics& metrics;
};

/// Speaks graphql-transport-ws on one connection: connection_init, ack, one subscription an
/// operation, pings, and new subscriptions for those that fail. On the timers' thread only.
///
/// The protocol does not acknowledge subscriptions, so a connection counts as live once they
/// are sent. A subscription that was interrupted may have missed changes of its kind: when it
/// is sent again, the sink hears a CatalogPush, "any record may be out of date".
class FeedSession : private WebSocketEvents {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnSessionLive() = 0;
    virtual void OnSessionPush(Push push) = 0;
    virtual void OnSessionMessage(FeedMessage type) = 0;
    /// One subscription failed. True: the owner ends the session for it. False: the session
    /// goes on and subscribes again.
    virtual bool OnSubscriptionFailed(Subscription subscription, const SubscriptionFailure& failure) = 0;
    /// How many subscriptions are interrupted now.
    virtual void OnInterrupted(size_t subscriptions) = 0;
    /// The end, exactly once. The session must not be destroyed inside this call.
    virtual void OnSessionEnded(FeedEndCause cause, std::string why) = 0;
  };

  static constexpr Millis kAckLimit{10'000};
  static constexpr Millis kPingEvery{10'000};
  static constexpr Millis kPongLimit{10'000};
  static constexpr Millis kResubscribeMin{1'000};
  static constexpr Millis kResubscribeMax{30'000};
  /// A subscription that held this long begins anew with the shortest delay.
  static constexpr Millis kResubscribeStable{30'000};
  /// An operation that was not refused for this long is known to the server.
  static constexpr Millis kProbeLimit{10'000};

  FeedSession(const FeedTools& tools, Generation generation, Owner& owner)
      : tools_(tools), generation_(generation), owner_(owner) {}
  ~FeedSession() override;

  /// Once. `init` is the connection_init message.
  void Start(WebSocketConnector& connector, const std::string& url, std::string init);

  /// Ends the connection in order: `complete` for each subscription, close 1000. The owner
  /// hears of the end within a second, with this cause unless the connection ends by itself.
  void Close(FeedEndCause cause, std::string why);

  Generation generation() const { return generation_; }

  /// Asks whether the server knows an operation of the other generation, without ending
  /// anything: subscribes to it and waits for an error. `known` hears the verdict, unless the
  /// session ends first.
  void Probe(const GraphqlOperation& operation, absl::AnyInvocable<void(bool known) &&> known);

 private:
  struct Slot {
    Subscription subscription;
    std::string id;  ///< empty while it is interrupted
    MonoTime sent_at{};
    Millis delay{0};
    Timers::Id timer = Timers::kNone;
  };

  void OnOpened() override;
  void OnMessage(std::string_view message) override;
  void OnClosed(uint16_t code, std::string_view reason) override;
  void OnFailed(const absl::Status& why) override;

  void OnAck();
  void OnPong();
  void OnNext(const ServerMessage& message);
  void OnFailedSubscription(const std::string& id, const SubscriptionFailure& failure);
  void Subscribe(Slot& slot);
  void SubscribeAgain(Subscription subscription);
  void SchedulePing();
  void Malformed(std::string_view why);
  void End(FeedEndCause cause, std::string why);
  size_t Interrupted() const;
  void ProbeEnded(bool known);
  Timers::Id After(Millis delay, absl::AnyInvocable<void() &&> then);
  void Cancel(Timers::Id& timer);
  void CancelTimers();

  const FeedTools tools_;
  const Generation generation_;
  Owner& owner_;
  std::string init_;
  std::unique_ptr<WebSocket> socket_;
  std::vector<Slot> slots_;
  Timers::Id ack_timer_ = Timers::kNone;
  Timers::Id ping_timer_ = Timers::kNone;
  Timers::Id pong_timer_ = Timers::kNone;
  std::string probe_id_;  ///< empty: none under way
  Timers::Id probe_timer_ = Timers::kNone;
  absl::AnyInvocable<void(bool) &&> probe_known_;
  bool opened_ = false;
  bool live_ = false;
  bool ended_ = false;
  /// We asked for the close.
  std::optional<FeedEndCause> closing_;
  std::string closing_why_;
};

}  // namespace sidecar
