// A call that somebody else hears the answer of, after the caller has it.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "service/call.h"

namespace sidecar {

struct ObservedAnswer {
  std::string request;
  absl::Status status;
  std::string response;  ///< when the status is OK
  AnswerOrigin origin;
};

/// Stands before a call that is in progress, and lives until that ends: `new` it and hand it to
/// the handler. The observer runs once, on the thread that ended the call; it must not block.
class ObservedCall final : public Call {
 public:
  using Observer = absl::AnyInvocable<void(ObservedAnswer&&) &&>;

  ObservedCall(Call& call, Observer observer) : call_(call), observer_(std::move(observer)) {}

  std::string_view request() override { return call_.request(); }
  std::optional<MonoTime> deadline() override { return call_.deadline(); }
  std::string_view Metadata(std::string_view name) override { return call_.Metadata(name); }
  std::optional<TraceContext> Trace() override { return call_.Trace(); }

  void Finish(std::string_view response, const AnswerOrigin& origin) override {
    // Copied first: neither outlives the call.
    ObservedAnswer answer{.request = std::string(request()), .response = std::string(response), .origin = origin};
    call_.Finish(response, origin);
    End(std::move(answer));
  }

  void Fail(const absl::Status& status, std::string_view details) override {
    ObservedAnswer answer{.request = std::string(request()), .status = status};
    call_.Fail(status, details);
    End(std::move(answer));
  }

 private:
  ~ObservedCall() override = default;

  void End(ObservedAnswer answer) {
    std::move(observer_)(std::move(answer));
    delete this;
  }

  Call& call_;
  Observer observer_;
};

}  // namespace sidecar
