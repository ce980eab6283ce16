// ReloadEntitlements.
#include <utility>

#include "service/read_path.h"
#include "service/validate.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;

void Answer(Call& call, bool exists) {
  v1::ReloadEntitlementsResponse response;
  response.set_entitled_entity_exists(exists);
  call.Finish(response.SerializeAsString(), {});
}

absl::Status Parse(Call& call, v1::ReloadEntitlementsRequest& request) {
  SIDECAR_RETURN_IF_ERROR(ParseRequest(call.request(), request));
  SIDECAR_RETURN_IF_ERROR(CheckId("customer_id", request.customer_id()));
  return CheckOptionalId("resource_id", request.resource_id());
}

}  // namespace

void AddReloadHandler(const ServiceContext& context, Handlers& handlers) {
  handlers[static_cast<size_t>(Method::kReloadEntitlements)] = [context](Call& call) {
    v1::ReloadEntitlementsRequest request;
    if (absl::Status status = Parse(call, request); !status.ok()) {
      context.metrics.rejected_requests.Add();
      return call.Fail(status, {});
    }
    if (context.settings.offline) return Answer(call, true);
    // An upstream failure is not an error here: it answers false (docs/protocol.md section 6).
    context.resolver.Reload({request.customer_id(), request.resource_id()},
                            AnswerBy(call, context.clock.Now(), context.settings.read_timeout),
                            [&call](const Resolution& resolution) {
                              Answer(call, resolution.record != nullptr && !resolution.record->empty());
                            });
  };
}

}  // namespace sidecar
