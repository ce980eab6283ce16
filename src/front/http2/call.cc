#include "front/http2/call.h"

#include "front/http2/shard.h"
#include "front/http2/wire.h"
#include "text/text.h"

namespace sidecar {
namespace {

/// What HTTP/2 counts for each header beside its bytes (RFC 9113 section 6.5.2).
constexpr size_t kHeaderOverhead = 32;

/// A caller that waits for a day does not mean it as a limit.
constexpr std::chrono::hours kNoDeadline{24};

/// Headers that no handler asks for.
bool IsOfTheProtocol(std::string_view name) {
  return name.starts_with(':') || name.starts_with("grpc-") || name == "te" || name == "user-agent";
}

}  // namespace

void RequestHeaders::Clear() {
  for (std::string* text : {&path, &method, &content_type, &encoding, &timeout}) text->clear();
  bytes_.clear();
  entries_.clear();
  counted_ = 0;
}

bool RequestHeaders::Add(std::string_view name, std::string_view value, size_t bytes_max) {
  counted_ += name.size() + value.size() + kHeaderOverhead;
  if (counted_ > bytes_max) return false;
  if (name == ":path") {
    path = value;
  } else if (name == ":method") {
    method = value;
  } else if (name == "content-type") {
    content_type = value;
  } else if (name == "grpc-encoding") {
    encoding = value;
  } else if (name == "grpc-timeout") {
    timeout = value;
  } else if (!IsOfTheProtocol(name)) {
    const size_t at = bytes_.size();
    bytes_ += name;
    bytes_ += value;
    entries_.push_back({at, name.size(), at + name.size(), value.size()});
  }
  return true;
}

std::string_view RequestHeaders::Find(std::string_view name) const {
  const std::string_view bytes = bytes_;
  for (const Entry& entry : entries_) {
    if (bytes.substr(entry.name, entry.name_size) == name) return bytes.substr(entry.value, entry.value_size);
  }
  return {};
}

void Http2Call::Begin(Http2Connection& owner, int32_t stream) {
  connection = &owner;
  stream_id = stream;
  kind = StreamKind::kUnary;
  running = responded = over = refused = unread = complete = waiting = durable = false;
  headers.Clear();
  out.clear();
  sent = 0;
  code = 0;
  for (std::string* text : {&status_message, &status_details, &source, &age_ms}) text->clear();
  written_status = -1;
  counted = 0;
  deadline_.reset();
}

void Http2Call::Arrived() {
  running = true;
  account_.Begin(method);
}

void Http2Call::SetDeadline(std::string_view grpc_timeout) {
  const auto timeout = ParseGrpcTimeout(grpc_timeout);
  if (!timeout.has_value() || *timeout >= kNoDeadline) return;
  deadline_ = std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now() + *timeout);
}

std::optional<TraceContext> Http2Call::Trace() {
  return account_.Trace(shard_.shared().books, headers.Find("traceparent"));
}

void Http2Call::SetEnd(int status, std::string_view message, std::string_view details) {
  code = status;
  if (!message.empty()) status_message = PercentEncoded(message);
  if (!details.empty()) status_details = Base64(details);
  complete = true;
}

void Http2Call::Finish(std::string_view response, const AnswerOrigin& origin) {
  AppendMessage(response, out);
  if (origin.source != AnswerOrigin::Source::kNone && (!origin.routine || !Metadata("x-entitlement-trace").empty())) {
    source = Name(origin.source);
    age_ms = std::to_string(origin.age.count());
  }
  durable = origin.durable;
  complete = true;
  const CallBooks& books = shard_.shared().books;
  account_.End(books, 0, books.tracer == nullptr ? std::string_view() : headers.Find("traceparent"));
  shard_.Finished(*this);
}

void Http2Call::Fail(const absl::Status& status, std::string_view details) {
  SetEnd(static_cast<int>(status.code()), Message(status), details);
  const CallBooks& books = shard_.shared().books;
  account_.End(books, code, books.tracer == nullptr ? std::string_view() : headers.Find("traceparent"));
  shard_.Finished(*this);
}

}  // namespace sidecar
