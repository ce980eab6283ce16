// What a client of our own front may send, in pieces of any size; handlers answer at once, later, or when the stream
// has gone.
#include <vector>

#include "front/http2/connection.h"
#include "front/http2/shard.h"
#include "fuzz/fuzz.h"

namespace {

using namespace sidecar;

class FuzzShard final : public Http2Shard {
 public:
  using Http2Shard::Http2Shard;
  void Finished(Http2Call& call) override {
    call.running = false;
    NoteEnded();
    if (call.connection != nullptr) return call.connection->Answer(call);
    GiveBack(&call);
  }
  void WantsToSend(Http2Connection&) override {}
};

void Drop(Http2Connection& connection) {
  for (std::string_view out = connection.Output(); !out.empty(); out = connection.Output()) connection.Sent(out.size());
}

}  // namespace

/// The first byte: how long pieces are; then the bytes of the connection, the client's preface left out.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::vector<Call*> held;
  Handlers handlers;
  for (size_t i = 0; i < handlers.size(); ++i) {
    switch (i % 3) {
      case 0:
        handlers[i] = [](Call& call) { call.Finish(call.request(), {}); };
        break;
      case 1:
        handlers[i] = [](Call& call) {
          call.Fail(absl::NotFoundError(std::string(call.Metadata("x-mine"))), "details");
        };
        break;
      default:
        handlers[i] = [&](Call& call) { held.push_back(&call); };
    }
  }
  HealthState health;
  const FrontLimits limits;
  std::array<RpcMetrics, kMethodCount> metrics;
  FuzzShard shard({.handlers = handlers, .health = health, .limits = limits, .books = {metrics, nullptr}});
  {
    Http2Connection connection(shard, {});
    bool alive = connection.Receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {});
    fuzz::Require(alive, "the preface is accepted");
    const std::string_view bytes = fuzz::Text(data + 1, size - 1);
    const size_t piece = size_t{data[0]} + 1;
    for (size_t at = 0; at < bytes.size() && alive; at += piece) {
      alive = connection.Receive(bytes.substr(at, piece), {});
      Drop(connection);
      if (at / piece == 3) connection.Drain();
      if (at / piece == 5) health.Enter(HealthState::Phase::kEnded), connection.OnPhase();
    }
    // Half of those that were held end while the connection is there, the others afterwards.
    for (size_t i = 0; i < held.size() / 2; ++i) held[i]->Finish("late", {});
    held.erase(held.begin(), held.begin() + static_cast<ptrdiff_t>(held.size() / 2));
    Drop(connection);
  }
  for (Call* const call : held) call->Finish("too late", {});
  fuzz::Require(shard.running() == 0, "every call ends");
  fuzz::Require(shard.watchers == 0, "every stream of health is counted out");
  return 0;
}
