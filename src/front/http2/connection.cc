#include "front/http2/connection.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "front/http2/routes.h"
#include "front/http2/shard.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kContentType = "application/grpc";
/// Payload of the PING between the two GOAWAYs: its answer tells that the client has read the first.
constexpr std::array<uint8_t, 8> kDrainPing{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

/// Both stay where they are until the frame is sent: literals.
nghttp2_nv Fixed(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

nghttp2_nv Copied(std::string_view name, std::string_view value) {
  nghttp2_nv header = Fixed(name, value);
  header.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
  return header;
}

/// The trailers of one answer, at most kMost.
class Trailers {
 public:
  explicit Trailers(const Http2Call& call) {
    static constexpr std::array<std::string_view, 17> kCodes{"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                                             "9", "10", "11", "12", "13", "14", "15", "16"};
    Add(Fixed("grpc-status", kCodes[static_cast<size_t>(call.code)]));
    if (!call.status_message.empty()) Add(Copied("grpc-message", call.status_message));
    if (!call.status_details.empty()) Add(Copied("grpc-status-details-bin", call.status_details));
    if (!call.source.empty()) {
      Add(Copied("x-entitlement-source", call.source));
      Add(Copied("x-entitlement-age-ms", call.age_ms));
    }
    if (call.durable) Add(Fixed("x-report-status", "durable"));
  }

  void Add(const nghttp2_nv& header) { headers_[count_++] = header; }
  const nghttp2_nv* data() const { return headers_.data(); }
  size_t size() const { return count_; }

 private:
  static constexpr size_t kMost = 12;
  std::array<nghttp2_nv, kMost> headers_{};
  size_t count_ = 0;
};

std::optional<GrpcEncoding> EncodingOf(std::string_view name) {
  if (name.empty() || name == "identity") return GrpcEncoding::kIdentity;
  if (name == "gzip") return GrpcEncoding::kGzip;
  if (name == "deflate") return GrpcEncoding::kDeflate;
  return std::nullopt;
}

}  // namespace

Http2Connection::Http2Connection(Http2Shard& shard, Clock::time_point now) : shard_(shard), resets_at_(now) {
  static const nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, OnBeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(made, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, OnClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, OnSent);
    return made;
  }();
  static const nghttp2_option* const options = [] {
    nghttp2_option* made = nullptr;
    nghttp2_option_new(&made);
    nghttp2_option_set_no_closed_streams(made, 1);  // closed ones are not kept for priorities
    // Its own limit, 33 a second, is less than what deadlines do to a busy client; ours is kResetsMax.
    nghttp2_option_set_stream_reset_rate_limit(made, UINT64_MAX, UINT64_MAX);
    return made;
  }();
  nghttp2_session_server_new2(&session_, callbacks, this, options);
  const FrontLimits& limits = shard_.shared().limits;
  constexpr int32_t kStreamWindow = 256 << 10;
  constexpr int32_t kConnectionWindow = 1 << 20;
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<uint32_t>(limits.streams_per_connection_max)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.metadata_bytes_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2Connection::~Http2Connection() {
  while (open_ != nullptr) Detach(*open_);
  nghttp2_session_del(session_);
}

bool Http2Connection::Receive(std::string_view bytes, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - resets_at_).count();
  resets_at_ = now;
  resets_left_ = std::min(kResetsMax, resets_left_ + seconds * kResetsPerSecond);
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken == NGHTTP2_ERR_FLOODED) Flood();  // of pings or settings: more acknowledgements wait than it keeps
  return taken >= 0 && !flooded_;
}

std::string_view Http2Connection::Output() {
  if (output_sent_ > 0 && output_sent_ == output_.size()) {
    output_.clear();
    output_sent_ = 0;
  }
  while (output_.size() - output_sent_ < kOutputBytes) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) break;
    output_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  return std::string_view(output_).substr(output_sent_);
}

void Http2Connection::Sent(size_t bytes) { output_sent_ += bytes; }

bool Http2Connection::finished() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0 &&
         output_sent_ == output_.size();
}

Http2Call* Http2Connection::CallOf(int32_t stream) const {
  return static_cast<Http2Call*>(nghttp2_session_get_stream_user_data(session_, stream));
}

// --- What the client sends.

int Http2Connection::OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* frame, void* self) {
  // Here, and not when the frame is whole: one for a stream that is closed already is never said to be.
  auto& connection = *static_cast<Http2Connection*>(self);
  if (frame->type == NGHTTP2_RST_STREAM && --connection.resets_left_ < 0) connection.Flood();
  return 0;
}

int Http2Connection::OnBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  Http2Call* const call = connection.shard_.TakeCall();
  call->Begin(connection, frame->hd.stream_id);
  call->previous = nullptr;
  call->next = connection.open_;
  if (call->next != nullptr) call->next->previous = call;
  connection.open_ = call;
  nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
  return 0;
}

int Http2Connection::OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                              const uint8_t* value, size_t value_size, uint8_t, void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  Http2Call* const call = connection.CallOf(frame->hd.stream_id);
  if (call == nullptr || call->refused || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  const auto text = [](const uint8_t* at, size_t size) {
    return std::string_view(reinterpret_cast<const char*>(at), size);
  };
  const auto most = static_cast<size_t>(connection.shard_.shared().limits.metadata_bytes_max);
  if (!call->headers.Add(text(name, name_size), text(value, value_size), most)) call->refused = true;
  return 0;
}

int Http2Connection::OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
      connection.greeted_ = true;
      return 0;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && connection.draining_ &&
          std::memcmp(frame->ping.opaque_data, kDrainPing.data(), kDrainPing.size()) == 0) {
        // The client knows by now: what it sent before it knew has arrived.
        nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session),
                              NGHTTP2_NO_ERROR, nullptr, 0);
      }
      return 0;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      break;
    default:
      return 0;
  }
  Http2Call* const call = connection.CallOf(frame->hd.stream_id);
  if (call == nullptr) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    connection.OnRequestHeaders(*call);
  }
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && !call->over) connection.OnEnd(*call);
  return 0;
}

int Http2Connection::OnData(nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data, size_t size, void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  Http2Call* const call = connection.CallOf(stream);
  if (call != nullptr && !call->over) connection.OnBytes(*call, {reinterpret_cast<const char*>(data), size});
  return 0;
}

int Http2Connection::OnSent(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
  if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.last_stream_id == INT32_MAX) {
    nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, kDrainPing.data());
  }
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  const Http2Call* const call = static_cast<Http2Connection*>(self)->CallOf(frame->hd.stream_id);
  // The client may stop sending what nobody reads. Not before: a reset drops what waits to be sent.
  if (call != nullptr && call->unread) {
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
  }
  return 0;
}

int Http2Connection::OnClose(nghttp2_session*, int32_t stream, uint32_t, void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  if (Http2Call* const call = connection.CallOf(stream)) connection.Detach(*call);
  return 0;
}

void Http2Connection::Release(Http2Call& call) { buffered_ -= std::exchange(call.counted, 0); }

void Http2Connection::Detach(Http2Call& call) {
  if (call.previous != nullptr) call.previous->next = call.next;
  if (call.next != nullptr) call.next->previous = call.previous;
  if (open_ == &call) open_ = call.next;
  call.connection = nullptr;
  Release(call);
  if (call.kind != StreamKind::kUnary && call.responded) --shard_.watchers;
  if (!call.running) shard_.GiveBack(&call);  // else when its handler has ended it
}

void Http2Connection::OnRequestHeaders(Http2Call& call) {
  call.reader.Reset(GrpcEncoding::kIdentity, static_cast<size_t>(shard_.shared().limits.message_bytes_max));
  const RequestHeaders& headers = call.headers;
  if (call.refused) {
    return Refuse(call, absl::ResourceExhaustedError("received initial metadata size exceeds limit"));
  }
  if (headers.method != "POST") return RefuseHttp(call, "405");
  if (!headers.content_type.starts_with(kContentType)) return RefuseHttp(call, "415");
  const Route* const route = FindRoute(headers.path);
  if (route == nullptr) return Refuse(call, absl::UnimplementedError(StrCat("unknown method ", headers.path)));
  const std::optional<GrpcEncoding> encoding = EncodingOf(headers.encoding);
  if (!encoding.has_value()) {
    return Refuse(call, absl::UnimplementedError(
                            StrCat("grpc-encoding ", headers.encoding, "; accepted are identity, gzip and deflate")));
  }
  if (route->kind != StreamKind::kUnary && shard_.shared().health.phase() == HealthState::Phase::kEnded) {
    return Refuse(call, absl::UnavailableError("shutting down"));
  }
  call.reader.Reset(*encoding, static_cast<size_t>(shard_.shared().limits.message_bytes_max));
  call.kind = route->kind;
  call.method = route->method;
  if (!headers.timeout.empty()) call.SetDeadline(headers.timeout);
}

void Http2Connection::OnBytes(Http2Call& call, std::string_view bytes) {
  absl::Status status = call.reader.Take(bytes);
  while (status.ok() && call.reader.ready() && call.kind != StreamKind::kUnary && !call.over) {
    OnMessage(call);
    status = call.reader.Next();
  }
  buffered_ += call.reader.buffered();
  buffered_ -= std::exchange(call.counted, call.reader.buffered());
  if (status.ok() && buffered_ > kBufferedMax) {
    status = absl::ResourceExhaustedError("the requests of this connection take too much memory");
  }
  if (!status.ok() && !call.over) Refuse(call, status);
}

void Http2Connection::OnEnd(Http2Call& call) {
  call.over = true;
  if (call.kind == StreamKind::kUnary) {
    if (!call.reader.ready()) return Refuse(call, absl::InternalError("the request has no message, or half of one"));
    Release(call);
    call.Arrived();
    shard_.NoteArrived();
    return shard_.shared().handlers[static_cast<size_t>(call.method)](call);
  }
  if (!call.reader.at_boundary()) return Refuse(call, absl::InternalError("the stream ends within a message"));
  if (call.kind == StreamKind::kHealthWatch) return;  // until the client leaves
  if (call.kind == StreamKind::kHealthCheck && !call.responded) {
    return Refuse(call, absl::InternalError("the request has no message"));
  }
  call.SetEnd(0, "", "");
  SendAnswer(call);
}

// --- What is answered.

void Http2Connection::Answer(Http2Call& call) { SendAnswer(call); }

void Http2Connection::Refuse(Http2Call& call, const absl::Status& status) {
  call.SetEnd(static_cast<int>(status.code()), Message(status), "");
  call.unread = !call.over;
  call.over = true;
  SendAnswer(call);
}

void Http2Connection::RefuseHttp(Http2Call& call, std::string_view http_status) {
  call.over = call.complete = call.responded = true;
  const nghttp2_nv headers[] = {Copied(":status", http_status)};
  nghttp2_submit_response(session_, call.stream_id, headers, 1, nullptr);
  shard_.WantsToSend(*this);
}

void Http2Connection::SendAnswer(Http2Call& call) {
  shard_.WantsToSend(*this);
  if (call.complete && call.out.empty() && !call.responded) return SendHeadersOnly(call);
  if (call.responded) {
    if (std::exchange(call.waiting, false)) nghttp2_session_resume_data(session_, call.stream_id);
    return;
  }
  call.responded = true;
  if (call.kind != StreamKind::kUnary) ++shard_.watchers;
  const nghttp2_nv headers[] = {Fixed(":status", "200"), Fixed("content-type", kContentType),
                                Fixed("grpc-accept-encoding", "identity, deflate, gzip")};
  nghttp2_data_provider body{};
  body.source.ptr = &call;
  body.read_callback = ReadAnswer;
  nghttp2_submit_response(session_, call.stream_id, headers, std::size(headers), &body);
}

void Http2Connection::SendHeadersOnly(Http2Call& call) {
  call.responded = true;
  if (call.kind != StreamKind::kUnary) ++shard_.watchers;
  Trailers trailers(call);
  std::array<nghttp2_nv, 16> headers;
  headers[0] = Fixed(":status", "200");
  headers[1] = Fixed("content-type", kContentType);
  std::copy_n(trailers.data(), trailers.size(), headers.begin() + 2);
  nghttp2_submit_response(session_, call.stream_id, headers.data(), trailers.size() + 2, nullptr);
}

ssize_t Http2Connection::ReadAnswer(nghttp2_session* session, int32_t, uint8_t* buffer, size_t size, uint32_t* flags,
                                    nghttp2_data_source* source, void*) {
  auto& call = *static_cast<Http2Call*>(source->ptr);
  const size_t part = std::min(size, call.out.size() - call.sent);
  std::copy_n(call.out.data() + call.sent, part, buffer);
  call.sent += part;
  if (call.sent == call.out.size()) {
    if (!call.complete) {
      call.out.clear();
      call.sent = 0;
      call.waiting = true;
      if (part == 0) return NGHTTP2_ERR_DEFERRED;
      call.waiting = false;
      return static_cast<ssize_t>(part);
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const Trailers trailers(call);
    nghttp2_submit_trailer(session, call.stream_id, trailers.data(), trailers.size());
  }
  return static_cast<ssize_t>(part);
}

// --- The end.

void Http2Connection::Flood() {
  if (std::exchange(flooded_, true)) return;
  shard_.NoteFlood();
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  shard_.WantsToSend(*this);
}

void Http2Connection::Drain() {
  if (std::exchange(draining_, true)) return;
  nghttp2_submit_shutdown_notice(session_);  // and a PING behind it
  shard_.WantsToSend(*this);
}

}  // namespace sidecar
