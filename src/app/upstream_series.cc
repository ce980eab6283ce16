#include "app/upstream_series.h"

#include <string>

namespace sidecar {

std::vector<ExtraSeries> SeriesOf(const UpstreamStatus& status) {
  std::vector<ExtraSeries> series;
  series.push_back(
      {.name = "sidecar_upstream_breaker_state",
       .help = "1 while upstream keeps failing and is not asked.",
       .label = "target",
       .values = {{"edge", status.edge_breaker.open ? 1 : 0}, {"graphql", status.graphql_breaker.open ? 1 : 0}}});
  series.push_back({.name = "sidecar_upstream_breaker_opened_total",
                    .help = "Times that upstream was given up for a while.",
                    .counter = true,
                    .label = "target",
                    .values = {{"edge", static_cast<double>(status.edge_breaker.opened)},
                               {"graphql", static_cast<double>(status.graphql_breaker.opened)}}});
  series.push_back({.name = "sidecar_ws_connected",
                    .help = "1 while changes are pushed.",
                    .values = {{"", status.feed.has_value() && status.feed->connected() ? 1 : 0}}});
  ExtraSeries reconnects{.name = "sidecar_ws_reconnects_total",
                         .help = "Connections made again, by what ended the one before.",
                         .counter = true,
                         .label = "cause"};
  ExtraSeries messages{
      .name = "sidecar_ws_messages_total", .help = "Messages that came in.", .counter = true, .label = "type"};
  const FeedStatus feed = status.feed.value_or(FeedStatus{});
  for (size_t i = 0; i < kFeedEndCauses; ++i) {
    reconnects.values.emplace_back(FeedEndCauseName(static_cast<FeedEndCause>(i)),
                                   static_cast<double>(feed.reconnects[i]));
  }
  for (size_t i = 0; i < kFeedMessages; ++i) {
    messages.values.emplace_back(FeedMessageName(static_cast<FeedMessage>(i)), static_cast<double>(feed.messages[i]));
  }
  series.push_back(std::move(reconnects));
  series.push_back(std::move(messages));
  return series;
}

}  // namespace sidecar
