// The connection of our own front, against libnghttp2's client and against bytes that no library sends.
#include <nghttp2/nghttp2.h>
#include <zlib.h>

#include <map>
#include <string>
#include <vector>

#include "front/http2/connection.h"
#include "front/http2/shard.h"
#include "front/http2/wire.h"
#include "grpc/health/v1/health.pb.h"
#include "support/status_matchers.h"

namespace sidecar {
namespace {

using Clock = Http2Connection::Clock;

TEST(WireTest, TimeoutsHaveEightDigitsAndAUnit) {
  EXPECT_EQ(ParseGrpcTimeout("5S"), std::chrono::seconds(5));
  EXPECT_EQ(ParseGrpcTimeout("99999999H"), std::chrono::hours(24 * 365));
  EXPECT_EQ(ParseGrpcTimeout("0n"), std::chrono::nanoseconds(0));
  EXPECT_EQ(ParseGrpcTimeout("250m"), std::chrono::milliseconds(250));
  EXPECT_EQ(ParseGrpcTimeout("7u"), std::chrono::microseconds(7));
  EXPECT_EQ(ParseGrpcTimeout("2M"), std::chrono::minutes(2));
  for (const char* const bad : {"", "S", "5", "-1S", "123456789S", "1.5S", "5s", " 5S", "5S "}) {
    EXPECT_EQ(ParseGrpcTimeout(bad), std::nullopt) << bad;
  }
}

TEST(WireTest, MessagesArePercentEncoded) {
  EXPECT_EQ(PercentEncoded("plain text, 100%"), "plain text, 100%25");
  EXPECT_EQ(PercentEncoded("gr\xC3\xBC\xC3\x9F\n"), "gr%C3%BC%C3%9F%0A");
}

TEST(WireTest, BinaryValuesHaveNoPadding) {
  EXPECT_EQ(Base64("a"), "YQ");
  EXPECT_EQ(Base64("abc"), "YWJj");
}

/// A shard of one thread, with a clock of its own.
class TestShard : public Http2Shard {
 public:
  using Http2Shard::Http2Shard;
  void Finished(Http2Call& call) override {
    call.running = false;
    NoteEnded();
    if (call.connection != nullptr) return call.connection->Answer(call);
    GiveBack(&call);
    ++given_back;
  }
  void WantsToSend(Http2Connection&) override {}
  int given_back = 0;  ///< calls whose stream had gone
};

struct Reply {
  std::map<std::string, std::string> headers;
  std::string data;
  bool closed = false;
  uint32_t error = 0;
};

/// libnghttp2 as a client: what it saw of each stream.
class TestClient {
 public:
  TestClient() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* self) {
          static_cast<TestClient*>(self)->replies[frame->hd.stream_id].headers[std::string(
              reinterpret_cast<const char*>(name), name_size)] = {reinterpret_cast<const char*>(value), value_size};
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data, size_t size, void* self) {
          static_cast<TestClient*>(self)->replies[stream].data.append(reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t stream, uint32_t error, void* self) {
          Reply& reply = static_cast<TestClient*>(self)->replies[stream];
          reply.closed = true;
          reply.error = error;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if (frame->hd.type == NGHTTP2_GOAWAY) {
            static_cast<TestClient*>(self)->goaways.push_back(frame->goaway.last_stream_id);
            static_cast<TestClient*>(self)->goaway_error = frame->goaway.error_code;
          }
          return 0;
        });
    nghttp2_session_client_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~TestClient() { nghttp2_session_del(session); }

  using Headers = std::vector<std::pair<std::string, std::string>>;

  static Headers Usual(std::string path = "/stigg.sidecar.v1.SidecarService/GetBooleanEntitlement") {
    return {{":method", "POST"},    {":scheme", "http"}, {":path", std::move(path)},
            {":authority", "test"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  }

  /// `body`: bytes of DATA. `ends`: with END_STREAM.
  int32_t Ask(const Headers& headers, std::string body, bool ends = true) {
    std::vector<nghttp2_nv> nv;
    for (const auto& [name, value] : headers) {
      nv.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                    NGHTTP2_NV_FLAG_NONE});
    }
    bodies_.push_back(std::make_unique<Body>(Body{std::move(body), 0, ends}));
    nghttp2_data_provider provider{};
    provider.source.ptr = bodies_.back().get();
    provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* buffer, size_t size, uint32_t* flags,
                                nghttp2_data_source* source, void*) -> ssize_t {
      auto& from = *static_cast<Body*>(source->ptr);
      const size_t part = std::min(size, from.bytes.size() - from.sent);
      from.bytes.copy(reinterpret_cast<char*>(buffer), part, from.sent);
      from.sent += part;
      if (part == 0 && !from.ends) return NGHTTP2_ERR_DEFERRED;
      if (from.sent == from.bytes.size() && from.ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(part);
    };
    return nghttp2_submit_request(session, nullptr, nv.data(), nv.size(), &provider, nullptr);
  }

  std::string Output() {
    std::string all;
    const uint8_t* bytes = nullptr;
    for (ssize_t size; (size = nghttp2_session_mem_send(session, &bytes)) > 0;) {
      all.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
    return all;
  }

  nghttp2_session* session = nullptr;
  std::map<int32_t, Reply> replies;
  std::vector<int32_t> goaways;
  uint32_t goaway_error = 0;

 private:
  struct Body {
    std::string bytes;
    size_t sent;
    bool ends;
  };
  std::vector<std::unique_ptr<Body>> bodies_;
};

std::string Framed(std::string_view message, bool compressed = false) {
  std::string out;
  AppendMessage(message, out);
  out[0] = compressed ? 1 : 0;
  return out;
}

std::string Gzipped(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class Http2Test : public ::testing::Test {
 protected:
  Http2Test() {
    for (Handler& handler : handlers_) {
      handler = [](Call& call) { call.Finish(call.request(), {}); };
    }
  }

  /// Bytes back and forth until nobody has any. False: the server has had enough.
  bool Talk(size_t piece = SIZE_MAX) {
    bool alive = true;
    for (bool quiet = false; !quiet && alive;) {
      quiet = true;
      const std::string asked = client_.Output();
      for (size_t at = 0; at < asked.size() && alive; at += std::min(piece, asked.size() - at)) {
        quiet = false;
        alive = connection_.Receive(std::string_view(asked).substr(at, piece), now_);
      }
      for (std::string_view out = connection_.Output(); !out.empty(); out = connection_.Output()) {
        quiet = false;
        nghttp2_session_mem_recv(client_.session, reinterpret_cast<const uint8_t*>(out.data()), out.size());
        connection_.Sent(out.size());
      }
    }
    return alive;
  }

  std::string StatusOf(int32_t stream) { return client_.replies[stream].headers["grpc-status"]; }

  Handlers handlers_;
  HealthState health_;
  FrontLimits limits_;
  std::array<RpcMetrics, kMethodCount> metrics_;
  TestShard shard_{{.handlers = handlers_, .health = health_, .limits = limits_, .books = {metrics_, nullptr}}};
  Clock::time_point now_{};
  Http2Connection connection_{shard_, now_};
  TestClient client_;
};

TEST_F(Http2Test, ACallIsAnsweredWithTrailers) {
  handlers_[static_cast<size_t>(Method::kGetBooleanEntitlement)] = [](Call& call) {
    EXPECT_EQ(call.Metadata("x-mine"), "value");
    EXPECT_TRUE(call.deadline().has_value());
    call.Finish("answer", {.source = AnswerOrigin::Source::kUpstream, .age = Millis(12)});
  };
  auto headers = TestClient::Usual();
  headers.emplace_back("x-mine", "value");
  headers.emplace_back("grpc-timeout", "5S");
  const int32_t stream = client_.Ask(headers, Framed("question"));
  EXPECT_TRUE(Talk());
  const Reply& reply = client_.replies[stream];
  EXPECT_EQ(reply.headers.at(":status"), "200");
  EXPECT_EQ(reply.headers.at("grpc-status"), "0");
  EXPECT_EQ(reply.headers.at("x-entitlement-source"), "upstream");
  EXPECT_EQ(reply.headers.at("x-entitlement-age-ms"), "12");
  EXPECT_EQ(reply.data, Framed("answer"));
  EXPECT_TRUE(reply.closed);
  EXPECT_EQ(reply.error, 0U);
  EXPECT_EQ(shard_.handled(), 1U);
  EXPECT_EQ(shard_.running(), 0U);
}

TEST_F(Http2Test, BytesMayComeOneByOne) {
  const int32_t stream = client_.Ask(TestClient::Usual(), Framed("question"));
  EXPECT_TRUE(Talk(1));
  EXPECT_EQ(client_.replies[stream].data, Framed("question"));
}

TEST_F(Http2Test, AFailureHasItsMessageAndDetails) {
  handlers_[static_cast<size_t>(Method::kGetBooleanEntitlement)] = [](Call& call) {
    call.Fail(absl::NotFoundError("nö"), "details");
  };
  const int32_t stream = client_.Ask(TestClient::Usual(), Framed(""));
  EXPECT_TRUE(Talk());
  auto& headers = client_.replies[stream].headers;
  EXPECT_EQ(headers["grpc-status"], "5");
  EXPECT_EQ(headers["grpc-message"], "n%C3%B6");
  EXPECT_EQ(headers["grpc-status-details-bin"], "ZGV0YWlscw");
}

TEST_F(Http2Test, WhatIsNoCallIsRefused) {
  const auto with = [](std::string_view name, std::string value) {
    auto headers = TestClient::Usual();
    for (auto& header : headers) {
      if (header.first == name) header.second = value;
    }
    return headers;
  };
  const int32_t get = client_.Ask(with(":method", "GET"), "");
  const int32_t html = client_.Ask(with("content-type", "text/html"), "");
  const int32_t unknown = client_.Ask(with(":path", "/stigg.sidecar.v1.SidecarService/Nothing"), Framed(""));
  const int32_t empty = client_.Ask(TestClient::Usual(), "");
  const int32_t half = client_.Ask(TestClient::Usual(), Framed("question").substr(0, 8));
  const int32_t flag = client_.Ask(TestClient::Usual(), "\x07" + Framed("question").substr(1));
  EXPECT_TRUE(Talk());
  EXPECT_EQ(client_.replies[get].headers[":status"], "405");
  EXPECT_EQ(client_.replies[html].headers[":status"], "415");
  EXPECT_EQ(StatusOf(unknown), "12");
  EXPECT_EQ(StatusOf(empty), "13");
  EXPECT_EQ(StatusOf(half), "13");
  EXPECT_EQ(StatusOf(flag), "13");
  EXPECT_EQ(shard_.handled(), 0U);
}

TEST_F(Http2Test, TooMuchMetadataIsRefused) {
  auto headers = TestClient::Usual();
  headers.emplace_back("x-large", std::string(17'000, 'x'));
  const int32_t large = client_.Ask(headers, Framed(""));
  const int32_t other = client_.Ask(TestClient::Usual(), Framed(""));
  EXPECT_TRUE(Talk());
  EXPECT_EQ(StatusOf(large), "8");
  EXPECT_EQ(StatusOf(other), "0");
}

TEST_F(Http2Test, AMessageThatIsTooLargeIsRefusedBeforeItIsRead) {
  std::string head = Framed("");
  head[1] = 0x01;  // 16 MiB
  const int32_t large = client_.Ask(TestClient::Usual(), head + std::string(100'000, 'x'), /*ends=*/false);
  EXPECT_TRUE(Talk());
  EXPECT_EQ(StatusOf(large), "8");
  EXPECT_TRUE(client_.replies[large].closed);
}

TEST_F(Http2Test, CompressedRequestsAreRead) {
  const auto with = [](std::string encoding) {
    auto headers = TestClient::Usual();
    headers.emplace_back("grpc-encoding", std::move(encoding));
    return headers;
  };
  const int32_t gzip = client_.Ask(with("gzip"), Framed(Gzipped("question"), true));
  const int32_t plain = client_.Ask(with("gzip"), Framed("question"));
  const int32_t bomb = client_.Ask(with("gzip"), Framed(Gzipped(std::string(5 << 20, 'x')), true));
  const int32_t cut = client_.Ask(with("gzip"), Framed(Gzipped("question").substr(0, 15), true));
  const int32_t unsaid = client_.Ask(TestClient::Usual(), Framed(Gzipped("question"), true));
  const int32_t unknown = client_.Ask(with("zstd"), Framed("question"));
  EXPECT_TRUE(Talk());
  EXPECT_EQ(client_.replies[gzip].data, Framed("question"));
  EXPECT_EQ(client_.replies[plain].data, Framed("question"));
  EXPECT_EQ(StatusOf(bomb), "8");
  EXPECT_EQ(StatusOf(cut), "13");
  EXPECT_EQ(StatusOf(unsaid), "13");
  EXPECT_EQ(StatusOf(unknown), "12");
}

TEST_F(Http2Test, LargeAnswersKeepToTheClientsWindow) {
  const std::string large(3 << 20, 'x');
  handlers_[static_cast<size_t>(Method::kGetBooleanEntitlement)] = [&](Call& call) { call.Finish(large, {}); };
  const int32_t stream = client_.Ask(TestClient::Usual(), Framed(""));
  EXPECT_TRUE(Talk());
  EXPECT_EQ(client_.replies[stream].data.size(), large.size() + 5);
  EXPECT_EQ(StatusOf(stream), "0");
}

TEST_F(Http2Test, AReadersSilenceHoldsLittle) {
  handlers_[static_cast<size_t>(Method::kGetBooleanEntitlement)] = [](Call& call) {
    call.Finish(std::string(60'000, 'x'), {});
  };
  for (int i = 0; i < 50; ++i) client_.Ask(TestClient::Usual(), Framed(""));
  ASSERT_TRUE(connection_.Receive(client_.Output(), now_));
  // Nothing is taken: what is made ready stays within the window of the connection.
  EXPECT_LT(connection_.Output().size(), size_t{200'000});
}

TEST_F(Http2Test, ACallWhoseStreamHasGoneIsFinishedForNobody) {
  Call* held = nullptr;
  handlers_[static_cast<size_t>(Method::kGetBooleanEntitlement)] = [&](Call& call) { held = &call; };
  const int32_t stream = client_.Ask(TestClient::Usual(), Framed("question"));
  EXPECT_TRUE(Talk());
  ASSERT_NE(held, nullptr);
  nghttp2_submit_rst_stream(client_.session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  EXPECT_TRUE(Talk());
  EXPECT_EQ(held->request(), "question");
  EXPECT_EQ(shard_.running(), 1U);
  held->Finish("answer", {});
  EXPECT_EQ(shard_.running(), 0U);
  EXPECT_EQ(shard_.given_back, 1);
}

TEST_F(Http2Test, ResetsWithoutEndEndTheConnection) {
  bool alive = true;
  int resets = 0;
  for (; alive && resets < 20'000; ++resets) {
    const int32_t stream = client_.Ask(TestClient::Usual(), Framed(""));
    ASSERT_TRUE(Talk());
    nghttp2_submit_rst_stream(client_.session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
    // The stream is closed: libnghttp2 sends no reset for it, so it is written by hand.
    std::string reset("\0\0\4\3\0", 5);
    for (int shift = 24; shift >= 0; shift -= 8) reset += static_cast<char>(stream >> shift);
    alive = connection_.Receive(reset + std::string("\0\0\0\10", 4), now_);
  }
  EXPECT_FALSE(alive);
  EXPECT_GE(resets, static_cast<int>(Http2Connection::kResetsMax / 2));  // the client sends one each, too
  EXPECT_EQ(shard_.floods(), 1U);
  Talk();
  EXPECT_EQ(client_.goaway_error, static_cast<uint32_t>(NGHTTP2_ENHANCE_YOUR_CALM));
}

TEST_F(Http2Test, ResetsNowAndThenDoNot) {
  for (int i = 0; i < 20'000; ++i) {
    const int32_t stream = client_.Ask(TestClient::Usual(), Framed("").substr(0, 3), /*ends=*/false);
    ASSERT_TRUE(Talk());
    nghttp2_submit_rst_stream(client_.session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
    now_ += std::chrono::milliseconds(1);
    ASSERT_TRUE(Talk()) << i;
  }
}

TEST_F(Http2Test, PingsAndSettingsWithoutEndEndTheConnection) {
  ASSERT_TRUE(Talk());
  std::string pings;
  for (int i = 0; i < 2'000; ++i) pings += std::string("\0\0\10\6\0\0\0\0\0", 9) + "01234567";
  EXPECT_FALSE(connection_.Receive(pings, now_));
  EXPECT_EQ(shard_.floods(), 1U);
}

TEST_F(Http2Test, HeadersWithoutEndEndTheConnection) {
  ASSERT_TRUE(Talk());
  // HEADERS without END_HEADERS, then CONTINUATION for ever.
  std::string endless("\0\0\1\1\0\0\0\0\1\x82", 10);
  for (int i = 0; i < 10'000; ++i) endless += std::string("\0\0\0\11\0\0\0\0\1", 9);
  const bool alive = connection_.Receive(endless, now_);
  Talk();
  EXPECT_TRUE(!alive || connection_.finished());
}

TEST_F(Http2Test, RequestsThatAreNeverWholeAreBounded) {
  const std::string half = Framed(std::string(1 << 20, 'x')).substr(0, 1 << 20);
  std::vector<int32_t> streams;
  for (int i = 0; i < 40; ++i) streams.push_back(client_.Ask(TestClient::Usual(), half, /*ends=*/false));
  EXPECT_TRUE(Talk());
  int refused = 0;
  for (const int32_t stream : streams) refused += StatusOf(stream) == "8" ? 1 : 0;
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 40);
}

TEST_F(Http2Test, ADrainLosesNoCall) {
  Call* held = nullptr;
  handlers_[static_cast<size_t>(Method::kGetBooleanEntitlement)] = [&](Call& call) { held = &call; };
  const int32_t running = client_.Ask(TestClient::Usual(), Framed("first"));
  EXPECT_TRUE(Talk());
  connection_.Drain();
  // Sent before the client has read of it.
  const int32_t late =
      client_.Ask(TestClient::Usual("/stigg.sidecar.v1.SidecarService/GetNumericEntitlement"), Framed("late"));
  EXPECT_TRUE(connection_.Receive(client_.Output(), now_));
  EXPECT_TRUE(Talk());
  EXPECT_EQ(client_.replies[late].data, Framed("late"));
  EXPECT_EQ(client_.goaways, (std::vector<int32_t>{INT32_MAX, late}));
  EXPECT_FALSE(connection_.finished());
  held->Finish("answer", {});
  EXPECT_TRUE(Talk());
  EXPECT_EQ(client_.replies[running].data, Framed("answer"));
  EXPECT_TRUE(connection_.finished());
}

TEST_F(Http2Test, HealthIsCheckedAndWatched) {
  grpc::health::v1::HealthCheckRequest request;
  const std::string all = Framed(request.SerializeAsString());
  request.set_service("unheard-of");
  const std::string unknown = Framed(request.SerializeAsString());
  const int32_t check = client_.Ask(TestClient::Usual("/grpc.health.v1.Health/Check"), all);
  const int32_t not_found = client_.Ask(TestClient::Usual("/grpc.health.v1.Health/Check"), unknown);
  const int32_t watch = client_.Ask(TestClient::Usual("/grpc.health.v1.Health/Watch"), all);
  const int32_t watch_unknown = client_.Ask(TestClient::Usual("/grpc.health.v1.Health/Watch"), unknown);
  EXPECT_TRUE(Talk());
  EXPECT_EQ(client_.replies[check].data, Framed("\x08\x01"));
  EXPECT_EQ(StatusOf(check), "0");
  EXPECT_EQ(StatusOf(not_found), "5");
  EXPECT_EQ(client_.replies[watch].data, Framed("\x08\x01"));
  EXPECT_EQ(client_.replies[watch_unknown].data, Framed("\x08\x03"));
  health_.Enter(HealthState::Phase::kDraining);
  connection_.OnPhase();
  EXPECT_TRUE(Talk());
  EXPECT_EQ(client_.replies[watch].data, Framed("\x08\x01") + Framed("\x08\x02"));
  EXPECT_FALSE(client_.replies[watch].closed);
  health_.Enter(HealthState::Phase::kEnded);
  connection_.OnPhase();
  EXPECT_TRUE(Talk());
  EXPECT_EQ(StatusOf(watch), "14");
  EXPECT_EQ(StatusOf(watch_unknown), "14");
  EXPECT_EQ(shard_.watchers, 0U);
}

TEST_F(Http2Test, WhatIsNotHttp2IsNoConnection) {
  EXPECT_FALSE(connection_.Receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n", now_));
}

}  // namespace
}  // namespace sidecar
