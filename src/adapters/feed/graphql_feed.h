#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "adapters/feed/feed_session.h"
#include "adapters/feed/feed_status.h"
#include "adapters/feed/reconnect_delay.h"
#include "adapters/upstream/generation.h"
#include "adapters/upstream/identity.h"
#include "adapters/websocket/websocket.h"
#include "ports/change_feed.h"

namespace sidecar {

/// The vendor's stream of changes over a WebSocket: one connection at a time, for ever, in the
/// protocol generation that the server knows. Sources: docs/protocol.md section 3, and for
/// when to connect again design section 7 (docs/adr/0012).
///
/// Thread-safe. Works on the thread of the timers, which must also be that of the connector;
/// the sink and `done` of Stop are called there. Destroy it after Stop's `done`, or when that
/// thread has ended.
class GraphqlFeed : public ChangeFeed, private FeedSession::Owner {
 public:
  /// `ws_url` is without the path, as configured (WS_URL).
  GraphqlFeed(WebSocketConnector& connector, const std::string& ws_url, ProcessIdentity identity, ApiKeySource api_key,
              GenerationSetting generation, const FeedTools& tools)
      : connector_(connector),
        url_(ws_url + "/graphql"),
        identity_(std::move(identity)),
        api_key_(std::move(api_key)),
        tools_(tools),
        generation_("WebSocket", generation),
        delay_(tools.random) {}
  ~GraphqlFeed() override;

  void Start(ChangeSink& sink) override;
  void Stop(absl::AnyInvocable<void() &&> done) override;

  /// There is another API key: when the feed waits because the last one was rejected, it
  /// connects at once.
  void KeyChanged();

  FeedStatus status() const;

  /// A rejected key is tried again after this time (design section 13).
  static constexpr Millis kKeyRetryEvery{15'000};

 private:
  void OnSessionLive() override;
  void OnSessionPush(Push push) override;
  void OnSessionMessage(FeedMessage type) override;
  bool OnSubscriptionFailed(Subscription subscription, const SubscriptionFailure& failure) override;
  void OnInterrupted(size_t subscriptions) override;
  void OnSessionEnded(FeedEndCause cause, std::string why) override;

  void Connect();
  void ConnectAgain(FeedEndCause cause, Millis after);
  Millis DelayAfter(FeedEndCause cause);
  void ScheduleProbe();
  void Probe();
  void BeginStop(absl::AnyInvocable<void() &&> done);
  void Stopped();
  /// Runs on the timers' thread, unless the feed is gone by then.
  void Post(absl::AnyInvocable<void() &&> fn);
  void Cancel(Timers::Id& timer);
  void Enter(FeedStatus::State state);
  void NoteError(const std::string& why);

  WebSocketConnector& connector_;
  const std::string url_;
  const ProcessIdentity identity_;
  const ApiKeySource api_key_;
  const FeedTools tools_;

  // Timers' thread only.
  GenerationChoice generation_;
  ReconnectDelay delay_;
  ChangeSink* sink_ = nullptr;
  std::unique_ptr<FeedSession> session_;
  std::string key_used_;
  bool told_live_ = false;  ///< the sink's state
  MonoTime live_since_{};
  Timers::Id connect_timer_ = Timers::kNone;
  FeedEndCause waiting_for_ = FeedEndCause::kConnect;
  Timers::Id probe_timer_ = Timers::kNone;
  bool stopped_ = false;
  std::vector<absl::AnyInvocable<void() &&>> stop_done_;

  mutable absl::Mutex mu_;
  FeedStatus status_ ABSL_GUARDED_BY(mu_);

  /// Expires with the feed: what is posted and not yet run finds out.
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace sidecar
