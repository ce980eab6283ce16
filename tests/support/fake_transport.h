#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "ports/http_transport.h"

namespace sidecar::testing {

/// An HTTP peer that answers from a script, at once, and remembers what it was sent.
class FakeTransport : public HttpTransport {
 public:
  void Send(HttpRequest request, MonoTime deadline, Done done) override {
    requests.push_back(std::move(request));
    deadlines.push_back(deadline);
    HttpResult result{.status = absl::UnavailableError("script is over")};
    if (!script.empty()) {
      result = std::move(script.front());
      script.pop_front();
    }
    std::move(done)(std::move(result));
  }

  void WillAnswer(int status, std::string body, HttpHeaders headers = {}) {
    script.push_back({.response = {.status = status, .headers = std::move(headers), .body = std::move(body)}});
  }
  void WillFail(absl::Status status, bool surely_not_sent = false) {
    script.push_back({.status = std::move(status), .surely_not_sent = surely_not_sent});
  }

  std::vector<HttpRequest> requests;
  std::vector<MonoTime> deadlines;
  std::deque<HttpResult> script;
};

}  // namespace sidecar::testing
