import io.grpc.ManagedChannelBuilder;
import java.util.concurrent.TimeUnit;
import stigg.sidecar.v1.Sidecar.GetMeteredEntitlementRequest;
import stigg.sidecar.v1.Sidecar.MeteredEntitlementFallback;
import stigg.sidecar.v1.Sidecar.MeteredEntitlementOptions;
import stigg.sidecar.v1.SidecarServiceGrpc;

public class Check {
  public static void main(String[] arguments) throws Exception {
    var channel = ManagedChannelBuilder.forTarget(System.getenv().getOrDefault("SIDECAR", "localhost:8443")).usePlaintext().build();
    var fallback = MeteredEntitlementFallback.newBuilder().setHasAccess(true);
    var options = MeteredEntitlementOptions.newBuilder().setRequestedUsage(2).setFallback(fallback);
    var request = GetMeteredEntitlementRequest.newBuilder().setCustomerId("customer-demo-01").setFeatureId("feature-01-templates").setOptions(options).build();
    var answer = SidecarServiceGrpc.newBlockingStub(channel).withDeadlineAfter(5, TimeUnit.SECONDS).getMeteredEntitlement(request);
    System.out.printf("%s %.0f of %.0f%n", answer.getHasAccess() ? "allowed" : "denied", answer.getEntitlement().getCurrentUsage(), answer.getEntitlement().getUsageLimit());
    channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
  }
}
