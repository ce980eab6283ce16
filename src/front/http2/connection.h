// One HTTP/2 connection that carries gRPC: bytes in, bytes out. Nothing of sockets here.
#pragma once

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "front/http2/call.h"

namespace sidecar {

class Http2Shard;

/// What grpc-core does unasked, over libnghttp2: message and header limits, unknown methods, compression of requests,
/// bounds on floods, a GOAWAY that loses no call. The shard's thread only.
class Http2Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// What requests that are not complete may take together.
  static constexpr size_t kBufferedMax = 16 << 20;
  /// Streams that a client may reset in one go, and how many a second after that ("rapid reset"): more than a client
  /// does whose thousand calls all run into deadlines of 200 ms.
  static constexpr double kResetsMax = 10'000;
  static constexpr double kResetsPerSecond = 5'000;

  Http2Connection(Http2Shard& shard, Clock::time_point now);
  virtual ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  /// Takes bytes of the client in, and answers what can be answered. False: the connection is beyond use; what
  /// Output() still has (why) may be sent.
  bool Receive(std::string_view bytes, Clock::time_point now);

  /// What is to be sent next, about kOutputBytes at a time; empty: nothing now.
  std::string_view Output();
  /// Output() has been sent, as far as this.
  void Sent(size_t bytes);

  /// Neither side has anything to say any more.
  bool finished() const;
  /// The client has begun as HTTP/2 must.
  bool greeted() const { return greeted_; }

  /// A handler has ended the call.
  void Answer(Http2Call& call);

  /// Tells the client to go elsewhere: calls that it has already sent are answered.
  void Drain();
  /// The phase of health may have changed.
  void OnPhase();

 private:
  static constexpr size_t kOutputBytes = 64 << 10;

  static int OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* frame, void* self);
  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t flags, void* self);
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int OnData(nghttp2_session*, uint8_t flags, int32_t stream, const uint8_t* data, size_t size, void* self);
  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int OnClose(nghttp2_session*, int32_t stream, uint32_t error, void* self);
  static ssize_t ReadAnswer(nghttp2_session*, int32_t stream, uint8_t* buffer, size_t size, uint32_t* flags,
                            nghttp2_data_source* source, void* self);

  Http2Call* CallOf(int32_t stream) const;
  void OnRequestHeaders(Http2Call& call);
  void OnBytes(Http2Call& call, std::string_view bytes);
  void OnEnd(Http2Call& call);
  /// A message of a stream that is answered here.
  void OnMessage(Http2Call& call);
  void Refuse(Http2Call& call, const absl::Status& status);
  void RefuseHttp(Http2Call& call, std::string_view http_status);
  void SendAnswer(Http2Call& call);
  void SendHeadersOnly(Http2Call& call);
  void Watch(Http2Call& call);
  void Release(Http2Call& call);
  void Detach(Http2Call& call);
  void Flood();

  Http2Shard& shard_;
  nghttp2_session* session_ = nullptr;
  Http2Call* open_ = nullptr;  // the first of its open streams
  std::string output_;
  size_t output_sent_ = 0;
  size_t buffered_ = 0;
  double resets_left_ = kResetsMax;
  Clock::time_point resets_at_;
  bool greeted_ = false;
  bool draining_ = false;
  bool flooded_ = false;
};

}  // namespace sidecar
