#pragma once

#include <map>
#include <optional>
#include <string>

#include "service/call.h"

namespace sidecar::testing {

/// A call in progress, without a network.
class FakeCall : public Call {
 public:
  explicit FakeCall(std::string request) : request_(std::move(request)) {}

  std::string_view request() override { return request_; }
  std::optional<MonoTime> deadline() override { return call_deadline; }
  std::string_view Metadata(std::string_view name) override {
    const auto found = metadata.find(std::string(name));
    return found == metadata.end() ? std::string_view() : std::string_view(found->second);
  }
  void Finish(std::string_view bytes, const AnswerOrigin& from) override {
    ++ends;
    response = std::string(bytes);
    origin = from;
    status = absl::OkStatus();
  }
  void Fail(const absl::Status& with, std::string_view with_details) override {
    ++ends;
    status = with;
    details = std::string(with_details);
  }

  std::optional<MonoTime> call_deadline;
  std::map<std::string, std::string> metadata;
  int ends = 0;  ///< must be 1 in the end
  std::string response;
  AnswerOrigin origin;
  absl::Status status = absl::UnknownError("not ended");
  std::string details;

 private:
  const std::string request_;
};

}  // namespace sidecar::testing
