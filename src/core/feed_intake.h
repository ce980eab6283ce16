// What the change feed means for the cache.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "core/background_refresh.h"
#include "core/live_cover.h"
#include "core/record_door.h"
#include "ports/change_feed.h"

namespace sidecar {

/// Brings pushes to the door and keeps the cover. Nothing is ever removed because a
/// connection was lost: records are doubted, and after the next connection the hottest ones
/// are refreshed. Called by one feed.
class FeedIntake : public ChangeSink {
 public:
  /// `hottest(n)`: keys of the n most recently used records.
  using Hottest = std::function<std::vector<EntityKey>(size_t n)>;

  FeedIntake(LiveCover& cover, RecordDoor& door, BackgroundRefresh& refresh, Clock& clock, Hottest hottest)
      : cover_(cover), door_(door), refresh_(refresh), clock_(clock), hottest_(std::move(hottest)) {}

  void OnLive() override {
    cover_.OnLive(clock_.Now());
    refresh_.Start(hottest_(kRefreshedAfterGap));
  }

  void OnLost() override { cover_.OnLost(clock_.Now()); }

  void OnPush(Push push) override {
    std::visit([this](auto& each) { Take(std::move(each)); }, push);
  }

 private:
  static constexpr size_t kRefreshedAfterGap = 1'000;

  void Take(CatalogPush&&) { cover_.OnCatalog(clock_.Now()); }
  template <typename Change>
  void Take(Change&& change) {
    door_.Apply(RecordChange(std::forward<Change>(change)));
  }

  LiveCover& cover_;
  RecordDoor& door_;
  BackgroundRefresh& refresh_;
  Clock& clock_;
  const Hottest hottest_;
};

}  // namespace sidecar
