#include "app/shadow_wiring.h"

#include <algorithm>

#include "config/nearest_name.h"
#include "text/text.h"

namespace sidecar {
namespace {

std::string Nearest(std::string_view name, const std::vector<std::string>& known) {
  return *std::ranges::min_element(known, {}, [name](const std::string& each) { return EditDistance(name, each); });
}

}  // namespace

absl::Status CheckShadowFields(const Config& config) {
  if (config.shadow_ignore_fields.empty()) return absl::OkStatus();
  const std::vector<std::string> known = ShadowFieldNames();
  for (const std::string& name : config.shadow_ignore_fields) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return InvalidArgument("SHADOW_IGNORE_FIELDS: '", name, "' is no field of an answer; expected one such as '",
                           Nearest(name, known),
                           "', or 'Method.field' (the label `field` of "
                           "sidecar_shadow_differences_total)");
  }
  return absl::OkStatus();
}

std::unique_ptr<Shadow> MakeShadow(const Config& config, Clock& clock) {
  if (config.shadow_target.empty()) return nullptr;
  return std::make_unique<Shadow>(ConnectShadow(config.shadow_target), clock,
                                  ShadowSettings{.sample_percent = config.shadow_sample_percent,
                                                 .timeout = config.shadow_timeout,
                                                 .ignored = config.shadow_ignore_fields});
}

Json ShadowStatus(const Config& config, const ShadowReport& report) {
  Json out = {{"target", config.shadow_target},
              {"state", report.paused ? "paused" : "comparing"},
              {"same", report.same},
              {"different", report.different},
              {"failed", report.failed},
              {"skipped", report.skipped},
              {"lastFailure", report.last_failure.empty() ? Json(nullptr) : Json(report.last_failure)}};
  Json fields = Json::object();
  for (const auto& [at, count] : report.fields) {
    fields[ShadowLabel(at.first, at.second)] = count;
  }
  out["differences"] = std::move(fields);
  return out;
}

std::string ShadowSamples(const Shadow& shadow) {
  Json samples = Json::array();
  for (const ShadowSample& sample : shadow.samples()) {
    Json fields = Json::array();
    for (const FieldDifference& each : sample.differences) {
      fields.push_back({{"field", each.path}, {"ours", each.ours}, {"theirs", each.theirs}});
    }
    samples.push_back({{"at", FormatDate(sample.at)},
                       {"method", std::string(Name(sample.method))},
                       {"subject", sample.subject},
                       {"fields", std::move(fields)},
                       {"leftOut", sample.left_out}});
  }
  return Dump(Json{{"samples", std::move(samples)}});
}

std::vector<ExtraSeries> SeriesOf(const ShadowReport& report) {
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  ExtraSeries compared{.name = "sidecar_shadow_compared_total",
                       .help = "Sampled reads, by what the other sidecar's answer was.",
                       .counter = true,
                       .label = "outcome",
                       .values = {{"same", number(report.same)},
                                  {"different", number(report.different)},
                                  {"failed", number(report.failed)},
                                  {"skipped", number(report.skipped)}}};
  ExtraSeries differences{.name = "sidecar_shadow_differences_total",
                          .help = "Answers that differed from the other sidecar's, by the field that did.",
                          .counter = true,
                          .label = "field"};
  for (const auto& [at, count] : report.fields) {
    differences.values.emplace_back(ShadowLabel(at.first, at.second), number(count));
  }
  ExtraSeries paused{.name = "sidecar_shadow_paused",
                     .help = "1 while nothing is sampled, since the other sidecar fails.",
                     .values = {{"", report.paused ? 1.0 : 0.0}}};
  return {std::move(compared), std::move(differences), std::move(paused)};
}

}  // namespace sidecar
