// Messages of the WebSocket: the subprotocol, and the pushes of all subscriptions in both generations.
#include "adapters/feed/protocol.h"
#include "adapters/feed/push_codec.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidecar;
  const absl::StatusOr<ServerMessage> message = ParseServerMessage(fuzz::Text(data, size));
  if (!message.ok()) return 0;
  ReadErrors(message->payload);
  if (!message->payload.is_object()) return 0;
  const auto found = message->payload.find("data");
  if (found == message->payload.end()) return 0;
  for (const Subscription subscription :
       {Subscription::kEntitlements, Subscription::kUsage, Subscription::kPackage, Subscription::kBalance}) {
    for (const Generation generation : {Generation::kV1, Generation::kV2}) {
      (void)DecodePush(subscription, generation, *found);
    }
    DoubtOf(subscription, *found);
  }
  return 0;
}
