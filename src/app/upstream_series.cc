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

std::vector<ExtraSeries> SeriesOf(const ProcessFigures& figures) {
  const auto gauge = [](const char* name, const char* help, double value) {
    return ExtraSeries{.name = name, .help = help, .values = {{"", value}}};
  };
  return {
      {.name = "process_cpu_seconds_total",
       .help = "User and system time.",
       .counter = true,
       .values = {{"", figures.cpu_secs}}},
      gauge("process_start_time_seconds", "Start of the process, since 1970.", figures.started_at_secs),
      gauge("process_resident_memory_bytes", "Resident memory.", static_cast<double>(figures.resident_bytes)),
      gauge("process_virtual_memory_bytes", "Virtual memory.", static_cast<double>(figures.virtual_bytes)),
      gauge("process_threads", "Threads.", static_cast<double>(figures.threads)),
      gauge("process_open_fds", "Open file descriptors.", static_cast<double>(figures.open_fds)),
      gauge("process_max_fds", "Limit of open file descriptors.", static_cast<double>(figures.max_fds)),
  };
}

}  // namespace sidecar
