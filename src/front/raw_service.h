// The generated services with every method raw: request and response are bytes, so that
// parsing errors are ours to word and answers may be written by hand.
#pragma once

#include <grpcpp/grpcpp.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "service/methods.h"
#include "stigg/sidecar/v1/sidecar.grpc.pb.h"

namespace sidecar {

using Sidecar = stigg::sidecar::v1::SidecarService;

// clang-format off
using RawSidecarService =
    Sidecar::WithRawMethod_GetEntitlements<
    Sidecar::WithRawMethod_GetEntitlement<
    Sidecar::WithRawMethod_GetBooleanEntitlement<
    Sidecar::WithRawMethod_GetNumericEntitlement<
    Sidecar::WithRawMethod_GetMeteredEntitlement<
    Sidecar::WithRawMethod_GetEnumEntitlement<
    Sidecar::WithRawMethod_ReportUsage<
    Sidecar::WithRawMethod_ReportEvents<
    Sidecar::WithRawMethod_ReloadEntitlements<
    Sidecar::WithRawMethod_ReportUsageBulk<
    Sidecar::WithRawMethod_GetEntitlementV2<
    Sidecar::WithRawMethod_GetEntitlementsStateV2<
    Sidecar::Service>>>>>>>>>>>>;
// clang-format on

using RawResponder = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;

/// Asks for the next call of one method.
inline void RequestCall(RawSidecarService& service, Method method, grpc::ServerContext* context,
                        grpc::ByteBuffer* request, RawResponder* responder, grpc::ServerCompletionQueue* queue,
                        void* tag) {
  switch (method) {
#define SIDECAR_REQUEST(name) \
  case Method::k##name:       \
    return service.Request##name(context, request, responder, queue, queue, tag)
    SIDECAR_REQUEST(GetEntitlements);
    SIDECAR_REQUEST(GetEntitlement);
    SIDECAR_REQUEST(GetBooleanEntitlement);
    SIDECAR_REQUEST(GetNumericEntitlement);
    SIDECAR_REQUEST(GetMeteredEntitlement);
    SIDECAR_REQUEST(GetEnumEntitlement);
    SIDECAR_REQUEST(ReportUsage);
    SIDECAR_REQUEST(ReportEvents);
    SIDECAR_REQUEST(ReloadEntitlements);
    SIDECAR_REQUEST(ReportUsageBulk);
    SIDECAR_REQUEST(GetEntitlementV2);
    SIDECAR_REQUEST(GetEntitlementsStateV2);
#undef SIDECAR_REQUEST
  }
}

}  // namespace sidecar
