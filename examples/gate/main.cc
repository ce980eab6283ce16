// An application that may do something only as far as its customer has paid for it: it renders templates, of which the
// plan allows so many. Against the world of `stigg-sidecar dev`:
//
//   gate --remote HOST:PORT CUSTOMER [COUNT]      a sidecar that somebody else runs
//   gate --local PROGRAM CUSTOMER [COUNT]         one of its own, without account and network
#include <cstdio>
#include <cstdlib>
#include <string>

#include "stigg/sidecar/client.h"

namespace {

namespace sidecar = stigg::sidecar;

constexpr char kFeature[] = "feature-01-templates";

absl::StatusOr<std::unique_ptr<sidecar::Client>> Connect(const std::string& how, const std::string& where) {
  if (how == "--local") {
    return sidecar::Client::CreateLocal(
        {.entitlements_fallback = {{kFeature, sidecar::MeteredFallback{.has_access = true, .usage_limit = 1}}},
         .program = where,
         .environment = {{"OFFLINE", "1"}}});
  }
  const size_t colon = where.rfind(':');
  return sidecar::Client::Create({.host = where.substr(0, colon),
                                  .port = colon == std::string::npos ? 8443 : std::atoi(where.c_str() + colon + 1)});
}

const char* SourceName(sidecar::Source source) {
  switch (source) {
    case sidecar::Source::kUnreachable:
      return "this application's fallback: the sidecar cannot be reached";
    case sidecar::Source::kFallback:
      return "the sidecar's fallback: it knows nothing of the customer";
    default:
      return "the customer's plan";
  }
}

/// Renders so many templates, if the customer may; whether he did.
bool Render(sidecar::Client& client, const std::string& customer, int count) {
  // What is answered when neither the cloud nor the sidecar is there: one template, to keep people working.
  const auto gate = client.GetMeteredEntitlement({.customer_id = customer,
                                                  .feature_id = kFeature,
                                                  .requested_usage = count,
                                                  .fallback = sidecar::MeteredFallback{.has_access = count <= 1}});
  if (!gate.ok()) {
    std::printf("error: %s\n", gate.status().ToString().c_str());
    return false;
  }
  std::printf("%s (%s)\n", gate->has_access ? "allowed" : "denied", SourceName(gate->source));
  if (!gate->has_access) {
    if (gate->access_denied_reason.has_value()) std::printf("reason: %s\n", Name(*gate->access_denied_reason).c_str());
    return false;
  }
  if (gate->is_fallback) return true;  // nobody would count it now

  const auto receipt = client.ReportUsage(
      {.customer_id = customer, .feature_id = kFeature, .value = static_cast<double>(count), .dimensions = {{"size", "A4"}}});
  if (!receipt.ok()) {
    std::printf("not counted: %s\n", receipt.status().ToString().c_str());
  } else if (receipt->current_usage.has_value()) {
    std::printf("used: %g of %g\n", *receipt->current_usage, gate->entitlement.usage_limit.value_or(0));
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::fprintf(stderr, "usage: gate --remote HOST:PORT | --local PROGRAM  CUSTOMER [COUNT]\n");
    return 2;
  }
  const auto client = Connect(argv[1], argv[2]);
  if (!client.ok()) {
    std::fprintf(stderr, "gate: %s\n", client.status().ToString().c_str());
    return 69;
  }
  return Render(**client, argv[3], argc == 5 ? std::atoi(argv[4]) : 1) ? 0 : 1;
}
