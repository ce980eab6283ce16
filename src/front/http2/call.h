// One stream of an HTTP/2 connection, and the Call that a handler sees.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "front/call_account.h"
#include "front/http2/messages.h"
#include "service/call.h"

namespace sidecar {

class Http2Connection;
class Http2Shard;

/// How a stream is answered.
enum class StreamKind : uint8_t { kUnary, kHealthCheck, kHealthWatch, kReflection, kReflectionAlpha };

/// Headers of one request, as far as anybody asks for them.
class RequestHeaders {
 public:
  void Clear();
  /// False: they are more than `bytes_max` by now, counted as HTTP/2 counts them.
  bool Add(std::string_view name, std::string_view value, size_t bytes_max);
  /// The first value; empty when there is none.
  std::string_view Find(std::string_view name) const;

  std::string path;
  std::string method;
  std::string content_type;
  std::string encoding;
  std::string timeout;

 private:
  struct Entry {
    size_t name, name_size, value, value_size;
  };
  std::string bytes_;
  std::vector<Entry> entries_;
  size_t counted_ = 0;
};

/// Used again from stream to stream. Belongs to its shard's thread, but for what a handler does with it as a Call: it
/// stays until the handler has ended it, whether or not the stream does.
class Http2Call final : public Call {
 public:
  explicit Http2Call(Http2Shard& shard) : shard_(shard) {}

  std::string_view request() override { return reader.message(); }
  std::optional<MonoTime> deadline() override { return deadline_; }
  std::string_view Metadata(std::string_view name) override { return headers.Find(name); }
  std::optional<TraceContext> Trace() override;
  void Finish(std::string_view response, const AnswerOrigin& origin) override;
  void Fail(const absl::Status& status, std::string_view details) override;

  // The shard's thread only.

  /// For a new stream.
  void Begin(Http2Connection& owner, int32_t stream);
  /// From now on a handler has it.
  void Arrived();
  void SetDeadline(std::string_view grpc_timeout);
  /// Notes how it ends; what was written goes before.
  void SetEnd(int code, std::string_view message, std::string_view details);

  Http2Connection* connection = nullptr;  ///< nullptr: the stream is closed
  Http2Call* next = nullptr;              ///< of the open streams of its connection
  Http2Call* previous = nullptr;
  int32_t stream_id = 0;
  StreamKind kind = StreamKind::kUnary;
  Method method{};         ///< where `kind` is kUnary
  bool running = false;    ///< a handler has it
  bool responded = false;  ///< headers were submitted
  bool over = false;       ///< nothing that arrives for it counts any more
  bool refused = false;    ///< by its headers
  bool unread = false;     ///< the answer does not wait for the end of the request
  RequestHeaders headers;
  MessageReader reader;
  size_t counted = 0;  ///< of its bytes, by its connection

  // The answer: bytes of messages, and, once `complete`, how it ends.
  std::string out;
  size_t sent = 0;
  bool complete = false;
  bool waiting = false;  ///< for more of `out`
  int code = 0;
  std::string status_message;  ///< percent-encoded
  std::string status_details;  ///< base64
  std::string source;          ///< trailers; empty: none
  std::string age_ms;
  bool durable = false;
  int written_status = -1;  ///< of a health watch

 private:
  Http2Shard& shard_;
  std::optional<MonoTime> deadline_;
  CallAccount account_;
};

}  // namespace sidecar
