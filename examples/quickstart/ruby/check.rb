$LOAD_PATH.unshift __dir__
require 'stigg/sidecar/v1/sidecar_services_pb'

Pb = Stigg::Sidecar::V1
stub = Pb::SidecarService::Stub.new(ENV.fetch('SIDECAR', 'localhost:8443'), :this_channel_is_insecure, timeout: 1)
options = Pb::MeteredEntitlementOptions.new(requested_usage: 2, fallback: Pb::MeteredEntitlementFallback.new(has_access: true))
answer = stub.get_metered_entitlement(Pb::GetMeteredEntitlementRequest.new(
  customer_id: 'customer-demo-01', feature_id: 'feature-01-templates', options: options))
puts format('%s %g of %g', answer.has_access ? 'allowed' : 'denied', answer.entitlement.current_usage, answer.entitlement.usage_limit)
