#include "dev/cloud_api.h"

#include <utility>

#include "dev/entitlements_json.h"
#include "dev/json_members.h"
#include "ids/new_id.h"
#include "text/text.h"

namespace sidecar::dev {
namespace {

ServerResponse JsonResponse(int status, const Json& body) { return {.status = status, .body = Dump(body)}; }

Json ErrorBody(std::string_view message, std::string_view code) {
  Json error = Json::object();
  error["message"] = message;
  error["extensions"] = Json::object();
  error["extensions"]["code"] = code;
  error["extensions"]["traceId"] = NewId(32);
  Json body = Json::object();
  body["errors"] = Json::array({std::move(error)});
  body["data"] = nullptr;
  return body;
}

Json DataBody(std::string_view member, Json value) {
  Json body = Json::object();
  body["data"] = Json::object();
  body["data"][std::string(member)] = std::move(value);
  return body;
}

Dimensions ReadDimensions(const Json& item) {
  Dimensions dimensions;
  if (!item.contains("dimensions") || !item["dimensions"].is_object()) return dimensions;
  for (const auto& [name, value] : item["dimensions"].items()) {
    if (value.is_string()) dimensions[name] = value.get<std::string>();
    if (value.is_number()) dimensions[name] = value.get<double>();
    if (value.is_boolean()) dimensions[name] = value.get<bool>();
  }
  return dimensions;
}

UsageReport ReadUsage(const Json& item) {
  return {.key = {TextOf(item, "customerId"), TextOf(item, "resourceId")},
          .feature_id = TextOf(item, "featureId"),
          .value = item.contains("value") && item["value"].is_number() ? item["value"].get<double>() : 0,
          .update = TextOf(item, "updateBehavior") == "SET" ? UsageUpdate::kSet : UsageUpdate::kDelta,
          .dimensions = ReadDimensions(item),
          .idempotency_key = TextOf(item, "idempotencyKey")};
}

}  // namespace

ServerResponse CloudApi::Edge(const ServerRequest& request) {
  if (request.method != "GET") return JsonResponse(405, ErrorBody("Only GET is served here", "BAD_REQUEST"));
  const std::vector<std::string_view> parts = Split(request.path, '/');  // "", v1, c, id, file
  if (request.path == "/v1/config/server-sdk-configuration.json") {
    return JsonResponse(200,
                        DataBody("sdkConfiguration", {{"sentryDsn", nullptr}, {"isWidgetWatermarkEnabled", false}}));
  }
  if (parts.size() != 5 || parts[1] != "v1" || parts[2] != "c") return JsonResponse(404, Json::object());
  const bool v2 = parts[4] == "entitlements-state.json";
  if (!v2 && parts[4] != "entitlements.json") return JsonResponse(404, Json::object());
  const std::string customer = PercentDecode(parts[3]);
  const std::string resource = QueryValue(request.query, "resourceId");
  Json body = Json::object();
  body["data"] = EncodeEntitlements(world_.Entitlements({customer, resource}), {customer, resource},
                                    v2 ? Generation::kV2 : Generation::kV1);
  return JsonResponse(200, body);
}

ServerResponse CloudApi::Graphql(const ServerRequest& request) {
  const absl::StatusOr<Json> body = ParseJson(request.body);
  if (!body.ok() || !body->is_object())
    return JsonResponse(400, ErrorBody("POST body is not a JSON object", "BAD_REQUEST"));
  const std::string operation = TextOf(*body, "operationName");
  if (!Contains(TextOf(*body, "query"), operation)) {
    return JsonResponse(
        400, ErrorBody(StrCat("Unknown operation named \"", operation, "\"."), "OPERATION_RESOLUTION_FAILURE"));
  }
  const Json variables = body->contains("variables") ? (*body)["variables"] : Json::object();
  Json answer = Execute(operation, variables);
  if (answer.is_null()) {
    return JsonResponse(400,
                        ErrorBody(StrCat("dev does not know the operation ", operation), "GRAPHQL_VALIDATION_FAILED"));
  }
  return JsonResponse(200, answer);
}

Json CloudApi::Execute(const std::string& operation, const Json& variables) {
  const auto member = [](const Json& object, std::string_view name) -> Json {
    return object.is_object() && object.contains(name) ? object[std::string(name)] : Json::object();
  };
  if (operation == "GetEntitlements" || operation == "GetEntitlementsState") {
    const Json query = member(variables, "query");
    const std::string customer = TextOf(query, "customerId");
    const std::string resource = TextOf(query, "resourceId");
    Json body = Json::object();
    body["data"] = EncodeEntitlements(world_.Entitlements({customer, resource}), {customer, resource},
                                      operation == "GetEntitlements" ? Generation::kV1 : Generation::kV2);
    return body;
  }
  const Json input = member(variables, "input");
  if (operation == "ReportUsage") return ReportUsage(Json::array({input}), /*bulk=*/false);
  if (operation == "ReportUsageBulk") return ReportUsage(member(input, "usages"), /*bulk=*/true);
  if (operation == "ReportEvent") {
    std::vector<UsageEvent> events;
    for (const Json& item : member(input, "usageEvents")) {
      events.push_back({.event_name = TextOf(item, "eventName"),
                        .key = {TextOf(item, "customerId"), TextOf(item, "resourceId")},
                        .idempotency_key = TextOf(item, "idempotencyKey"),
                        .dimensions = ReadDimensions(item)});
    }
    world_.ReportEvents(events);
    return DataBody("reportEvent", nullptr);
  }
  if (operation == "GetSdkConfiguration") {
    return DataBody("sdkConfiguration", {{"sentryDsn", nullptr}, {"isWidgetWatermarkEnabled", false}});
  }
  return {};
}

Json CloudApi::ReportUsage(const Json& usages, bool bulk) {
  Json receipts = Json::array();
  for (const Json& item : usages) {
    auto outcome = world_.ReportUsage(ReadUsage(item));
    if (const auto* error = std::get_if<WorldError>(&outcome)) return ErrorBody(error->message, error->code);
    receipts.push_back(EncodeReceipt(std::get<UsageReceipt>(outcome), Generation::kV2));
  }
  if (bulk) return DataBody("reportUsageBulk", std::move(receipts));
  return DataBody("reportUsage", std::move(receipts[0]));
}

}  // namespace sidecar::dev
