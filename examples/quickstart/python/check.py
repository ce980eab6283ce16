import os

import grpc
from stigg.sidecar.v1 import sidecar_pb2 as pb
from stigg.sidecar.v1.sidecar_pb2_grpc import SidecarServiceStub

channel = grpc.insecure_channel(os.environ.get("SIDECAR", "localhost:8443"))
options = pb.MeteredEntitlementOptions(requested_usage=2, fallback=pb.MeteredEntitlementFallback(has_access=True))
request = pb.GetMeteredEntitlementRequest(customer_id="customer-demo-01", feature_id="feature-01-templates", options=options)
answer = SidecarServiceStub(channel).GetMeteredEntitlement(request, timeout=1)
print("allowed" if answer.has_access else "denied", f"{answer.entitlement.current_usage:g} of {answer.entitlement.usage_limit:g}")
