#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace sidecar {

/// The methods of stigg.sidecar.v1.SidecarService, in the order of the proto.
enum class Method : size_t {
  kGetEntitlements,
  kGetEntitlement,
  kGetBooleanEntitlement,
  kGetNumericEntitlement,
  kGetMeteredEntitlement,
  kGetEnumEntitlement,
  kReportUsage,
  kReportEvents,
  kReloadEntitlements,
  kReportUsageBulk,
  kGetEntitlementV2,
  kGetEntitlementsStateV2,
};

inline constexpr size_t kMethodCount = 12;

/// By Method.
inline constexpr std::array<std::string_view, kMethodCount> kMethodNames{
    "GetEntitlements",       "GetEntitlement",     "GetBooleanEntitlement", "GetNumericEntitlement",
    "GetMeteredEntitlement", "GetEnumEntitlement", "ReportUsage",           "ReportEvents",
    "ReloadEntitlements",    "ReportUsageBulk",    "GetEntitlementV2",      "GetEntitlementsStateV2"};

constexpr std::string_view Name(Method method) { return kMethodNames[static_cast<size_t>(method)]; }

inline constexpr std::string_view kServiceName = "stigg.sidecar.v1.SidecarService";

}  // namespace sidecar
