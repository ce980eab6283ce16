#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "adapters/net/connect_race.h"
#include "adapters/redis/resp.h"

namespace sidecar {

struct RedisAddress {
  std::string host;
  uint16_t port = 6379;
  bool operator==(const RedisAddress&) const = default;
};

struct RedisLinkSettings {
  enum class Expects : uint8_t {
    kRedis,     ///< master or replica
    kMaster,    ///< as a Sentinel named it; it may have become a replica since
    kSentinel,  ///< which has no databases and no keys
  };

  RedisAddress address;
  Expects expects = Expects::kRedis;
  bool tls = false;
  std::string ca_file;
  std::string username;  ///< empty: the default user
  std::string password;  ///< empty: none. A secret.
  int db = 0;
  /// Read to know whether this Redis answers reads; empty for a Sentinel, which has no keys.
  std::string probe_key;
  /// Keys with these prefixes are tracked: changes by others arrive as pushes.
  std::vector<std::string> tracked_prefixes;
};

class RedisLinkEvents {
 public:
  virtual ~RedisLinkEvents() = default;
  /// Commands are answered from now on.
  virtual void OnLinkReady() = 0;
  virtual void OnLinkPush(RedisReply push) = 0;
  /// The end, once, before what waits is answered: whoever is answered finds it down.
  /// FAILED_PRECONDITION: this Redis cannot serve us (a cluster, or too old).
  /// UNAUTHENTICATED: it does not let us in. UNAVAILABLE: all else.
  virtual void OnLinkDown(const absl::Status& why) = 0;
};

/// One connection to Redis, from the look-up of its name to its end: RESP3, commands pipelined
/// and answered in order, pushes in between. On one io_context that one thread runs, and on
/// that thread only. Has no time limits: its owner has, and calls Close.
class RedisLink : public std::enable_shared_from_this<RedisLink> {
 public:
  /// Called once, on the io_context's thread: the reply, or UNAVAILABLE when the connection ended.
  using Done = absl::AnyInvocable<void(absl::StatusOr<RedisReply>) &&>;

  RedisLink(boost::asio::io_context& context, RedisLinkSettings settings, RedisLinkEvents& events)
      : settings_(std::move(settings)), events_(&events), resolver_(context), socket_(context) {}

  void Start();
  void Send(const RedisCommand& command, Done done);
  /// For commands that are answered by pushes.
  void SendWithoutReply(const RedisCommand& command) { Write(FormatCommand(command)); }
  /// Ends it; the events hear nothing more, and what waits is answered.
  void Close();

  size_t outstanding() const { return waiting_.size(); }

 private:
  using Error = boost::system::error_code;
  using Socket = boost::asio::ip::tcp::socket;

  void OnConnected();
  void SayHello();
  void Expect(const RedisCommand& command, std::string what);
  void OnHello(const RedisReply& reply);
  std::string Where() const;
  void ReadNext();
  void OnBytes(size_t size);
  void Write(const std::string& bytes);
  void WriteNext();
  void Fail(const absl::Status& why);
  void End(const absl::Status& why);
  template <typename Fn>
  void WithStream(Fn fn) {
    if (tls_.has_value()) {
      fn(*tls_);
    } else {
      fn(socket_);
    }
  }

  const RedisLinkSettings settings_;
  RedisLinkEvents* events_;  // nullptr: over
  boost::asio::ip::tcp::resolver resolver_;
  std::shared_ptr<ConnectRace> race_;
  Socket socket_;
  std::optional<boost::asio::ssl::context> tls_context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  RedisReader reader_;
  std::array<char, 16 << 10> buffer_{};
  std::string writing_;
  std::string to_write_;
  bool write_under_way_ = false;
  std::deque<Done> waiting_;
};

}  // namespace sidecar
