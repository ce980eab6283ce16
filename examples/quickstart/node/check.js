const grpc = require('@grpc/grpc-js');
const loaded = require('@grpc/proto-loader').loadSync('stigg/sidecar/v1/sidecar.proto', { includeDirs: ['../../../proto'] });

const { SidecarService } = grpc.loadPackageDefinition(loaded).stigg.sidecar.v1;
const client = new SidecarService(process.env.SIDECAR ?? 'localhost:8443', grpc.credentials.createInsecure());
const options = { requestedUsage: 2, fallback: { hasAccess: true } };
const request = { customerId: 'customer-demo-01', featureId: 'feature-01-templates', options };
client.getMeteredEntitlement(request, { deadline: Date.now() + 1000 }, (error, answer) => {
  if (error) throw error;
  console.log(answer.hasAccess ? 'allowed' : 'denied', answer.entitlement.currentUsage, 'of', answer.entitlement.usageLimit);
  client.close();
});
