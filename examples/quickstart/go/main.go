package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "quickstart/sidecar"
)

func main() {
	target := os.Getenv("SIDECAR")
	if target == "" {
		target = "localhost:8443"
	}
	channel, err := grpc.Dial(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	requested := 2.0
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	answer, err := pb.NewSidecarServiceClient(channel).GetMeteredEntitlement(ctx, &pb.GetMeteredEntitlementRequest{
		CustomerId: "customer-demo-01", FeatureId: "feature-01-templates",
		Options: &pb.MeteredEntitlementOptions{RequestedUsage: &requested, Fallback: &pb.MeteredEntitlementFallback{HasAccess: true}}})
	if err != nil {
		panic(err)
	}
	verdict := map[bool]string{true: "allowed", false: "denied"}[answer.HasAccess]
	fmt.Printf("%s %g of %g\n", verdict, answer.Entitlement.CurrentUsage, answer.Entitlement.GetUsageLimit())
}
