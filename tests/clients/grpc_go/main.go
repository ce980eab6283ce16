// The steps of README.md on grpc-go: Go, with an HTTP/2 of its own.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "clients/gen"
)

var names = map[codes.Code]string{
	codes.OK: "OK", codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.Unimplemented: "UNIMPLEMENTED", codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE",
}

func name(err error) string { return names[status.Code(err)] }

type steps struct {
	connection *grpc.ClientConn
	client     pb.SidecarServiceClient
}

func within(seconds time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), seconds*time.Second)
}

func (s steps) check(customer string, seconds time.Duration, options ...grpc.CallOption) (*pb.GetMeteredEntitlementResponse, error) {
	ctx, cancel := within(seconds)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-entitlement-trace", "1")
	return s.client.GetMeteredEntitlement(ctx, &pb.GetMeteredEntitlementRequest{CustomerId: customer, FeatureId: "seats"}, options...)
}

func (s steps) report(count, padding int) string {
	request := &pb.ReportEventsRequest{}
	for n := 0; n < count; n++ {
		request.Events = append(request.Events, &pb.Event{
			EventName: "e" + strings.Repeat("x", padding), CustomerId: "c", IdempotencyKey: fmt.Sprint(n)})
	}
	ctx, cancel := within(30)
	defer cancel()
	_, err := s.client.ReportEvents(ctx, request)
	return name(err)
}

func (s steps) many() map[string]int {
	var mutex sync.Mutex
	var group sync.WaitGroup
	ended := map[string]int{}
	for worker := 0; worker < 100; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; n < 20; n++ {
				_, err := s.check("c", 10)
				mutex.Lock()
				ended[name(err)]++
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
	return ended
}

func (s steps) run() map[string]any {
	seen := map[string]any{}
	s.check("c", 10)
	var trailer metadata.MD
	answer, err := s.check("c", 10, grpc.Trailer(&trailer))
	seen["hit"] = []any{name(err), answer.GetEntitlement().GetCurrentUsage(), strings.Join(trailer["x-entitlement-source"], ",")}
	_, err = s.check("", 10)
	seen["refused"] = []any{name(err), status.Convert(err).Message()}
	answer, err = s.check("c", 10, grpc.UseCompressor(gzip.Name))
	seen["gzip"] = []any{name(err), answer.GetEntitlement().GetCurrentUsage()}
	answer, err = s.check("late", 2)
	seen["late"] = []any{name(err), answer.GetIsFallback()}
	ctx, cancel := within(10)
	defer cancel()
	err = s.connection.Invoke(ctx, "/stigg.sidecar.v1.SidecarService/Nothing", &emptypb.Empty{}, &emptypb.Empty{})
	seen["unknown"] = name(err)
	seen["oversized"] = s.report(5, 1<<20)
	seen["upload"] = s.report(5000, 0)
	all, err := s.client.GetEntitlements(ctx, &pb.GetEntitlementsRequest{CustomerId: "large"})
	seen["large"] = []any{name(err), len(all.GetEntitlements())}
	seen["many"] = s.many()
	serving, err := health.NewHealthClient(s.connection).Check(ctx, &health.HealthCheckRequest{})
	seen["health"] = []any{name(err), serving.GetStatus().String()}
	return seen
}

func main() {
	connection, err := grpc.Dial(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		panic(err)
	}
	defer connection.Close()
	s := steps{connection, pb.NewSidecarServiceClient(connection)}
	var seen any
	if len(os.Args) > 2 {
		answer, err := s.check(os.Args[2], 10)
		seen = []any{name(err), answer.GetEntitlement().GetCurrentUsage()}
	} else {
		seen = s.run()
	}
	json.NewEncoder(os.Stdout).Encode(seen)
}
