#include "adapters/redis/redis_link.h"

#include <boost/asio/write.hpp>
#include <utility>

#include "adapters/net/tls_client.h"
#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// What an error of Redis says before its text, e.g. "NOAUTH".
std::string_view CodeOf(std::string_view error) { return error.substr(0, error.find(' ')); }

absl::Status Refused(std::string_view what, std::string_view error) {
  const std::string_view code = CodeOf(error);
  if (code == "NOAUTH" || code == "WRONGPASS" || code == "NOPERM") {
    return Error(absl::StatusCode::kUnauthenticated, what, ": ", error,
                 "; check REDIS_USERNAME, REDIS_PASSWORD and the user's ACL (docs/redis.md)");
  }
  if (code == "ERR" && Contains(error, "unknown command")) {
    return Error(absl::StatusCode::kFailedPrecondition, what, ": ", error, "; Redis 6 or newer is needed");
  }
  if (code == "NOPROTO") {
    return Error(absl::StatusCode::kFailedPrecondition, what, ": ", error, "; Redis 6 or newer is needed");
  }
  return Unavailable(what, ": ", error);
}

}  // namespace

void RedisLink::Start() {
  // Weak: the system's resolver cannot be interrupted, and may take half a minute.
  resolver_.async_resolve(
      settings_.address.host, std::to_string(settings_.address.port), tcp::resolver::numeric_service,
      [weak = weak_from_this()](const Error& error, const tcp::resolver::results_type& results) {
        const auto self = weak.lock();
        if (self == nullptr || self->events_ == nullptr) return;
        if (error)
          return self->Fail(Unavailable("cannot resolve ", self->settings_.address.host, ": ", error.message()));
        self->race_ = std::make_shared<ConnectRace>(self->resolver_.get_executor(), ConnectRace::InTurn(results));
        self->race_->Start([self](const Error& failed, Socket socket) {
          self->race_.reset();
          if (self->events_ == nullptr) return;
          if (failed) {
            return self->Fail(Unavailable("cannot connect to ", self->Where(), ": ", failed.message()));
          }
          self->socket_ = std::move(socket);
          self->OnConnected();
        });
      });
}

void RedisLink::OnConnected() {
  Error ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (!settings_.tls) return SayHello();
  tls_context_.emplace(asio::ssl::context::tls_client);
  absl::Status prepared = TrustAuthorities(*tls_context_, settings_.ca_file, "REDIS_TLS_CA_FILE");
  if (prepared.ok()) {
    tls_.emplace(socket_, *tls_context_);
    prepared = ExpectHost(tls_->native_handle(), settings_.address.host);
  }
  if (!prepared.ok()) return Fail(prepared);
  tls_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](const Error& error) {
    if (self->events_ == nullptr) return;
    if (error) return self->Fail(TlsFailure(self->tls_->native_handle(), self->settings_.address.host, error));
    self->SayHello();
  });
}

void RedisLink::SayHello() {
  ReadNext();
  RedisCommand hello{"HELLO", "3"};
  if (!settings_.password.empty()) {
    hello.insert(hello.end(),
                 {"AUTH", settings_.username.empty() ? "default" : settings_.username, settings_.password});
  }
  hello.insert(hello.end(), {"SETNAME", "stigg-sidecar"});
  Send(hello, [self = shared_from_this()](absl::StatusOr<RedisReply> reply) {
    if (self->events_ == nullptr || !reply.ok()) return;
    if (reply->is_error()) return self->Fail(Refused("HELLO", reply->text));
    self->OnHello(*reply);
  });
  if (settings_.db != 0) Expect({"SELECT", std::to_string(settings_.db)}, StrCat("REDIS_DB ", settings_.db));
  if (!settings_.tracked_prefixes.empty()) {
    RedisCommand tracking{"CLIENT", "TRACKING", "ON", "BCAST"};
    for (const std::string& prefix : settings_.tracked_prefixes) tracking.insert(tracking.end(), {"PREFIX", prefix});
    tracking.emplace_back("NOLOOP");
    Expect(tracking, "CLIENT TRACKING");
  }
  // Not PING: a Redis that cannot save itself refuses that, and answers reads.
  const std::string& key = settings_.probe_key;
  Send(key.empty() ? RedisCommand{"PING"} : RedisCommand{"EXISTS", key},
       [self = shared_from_this()](absl::StatusOr<RedisReply> reply) {
         if (self->events_ == nullptr || !reply.ok()) return;
         if (reply->is_error()) return self->Fail(Refused("the first command", reply->text));
         self->events_->OnLinkReady();
       });
}

/// A command of the handshake that must succeed.
void RedisLink::Expect(const RedisCommand& command, std::string what) {
  Send(command, [self = shared_from_this(), what = std::move(what)](absl::StatusOr<RedisReply> reply) {
    if (self->events_ == nullptr || !reply.ok() || !reply->is_error()) return;
    self->Fail(Refused(what, reply->text));
  });
}

void RedisLink::OnHello(const RedisReply& reply) {
  using Expects = RedisLinkSettings::Expects;
  const auto is = [&](std::string_view member, std::string_view value) {
    const RedisReply* const found = reply.Find(member);
    return found != nullptr && found->text == value;
  };
  const bool sentinel = is("mode", "sentinel");
  if (is("mode", "cluster")) {
    return Fail(absl::FailedPreconditionError(
        "this is a Redis Cluster, which is not supported: the keys carry no hash tags. Set REDIS_HOST to a Redis that "
        "is not clustered (docs/redis.md)"));
  }
  if (settings_.expects == Expects::kSentinel) {
    if (!sentinel) Fail(Unavailable(Where(), ", of REDIS_SENTINELS, is a Redis and no Sentinel"));
    return;
  }
  if (sentinel) {
    return Fail(absl::FailedPreconditionError(
        "this is a Sentinel, which has no keys: name it in REDIS_SENTINELS, and its master in REDIS_MASTER_NAME"));
  }
  if (settings_.expects == Expects::kMaster && !is("role", "master")) {
    Fail(Unavailable(Where(), " is not the master, though Sentinel says so"));
  }
}

std::string RedisLink::Where() const { return StrCat(settings_.address.host, ":", settings_.address.port); }

void RedisLink::ReadNext() {
  WithStream([this](auto& stream) {
    stream.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](const Error& error, size_t size) {
      if (self->events_ == nullptr) return;
      if (error) return self->Fail(Unavailable("the connection broke off: ", error.message()));
      self->OnBytes(size);
    });
  });
}

void RedisLink::OnBytes(size_t size) {
  reader_.Feed({buffer_.data(), size});
  while (events_ != nullptr) {
    absl::StatusOr<std::optional<RedisReply>> reply = reader_.Next();
    if (!reply.ok()) return Fail(Unavailable(Message(reply.status())));
    if (!reply->has_value()) return ReadNext();
    if ((*reply)->type == RedisReply::Type::kPush) {
      events_->OnLinkPush(**std::move(reply));
      continue;
    }
    if (waiting_.empty()) return Fail(absl::UnavailableError("a reply that nothing asked for"));
    Done done = std::move(waiting_.front());
    waiting_.pop_front();
    std::move(done)(**std::move(reply));
  }
}

void RedisLink::Send(const RedisCommand& command, Done done) {
  if (events_ == nullptr) return std::move(done)(absl::UnavailableError("not connected"));
  waiting_.push_back(std::move(done));
  Write(FormatCommand(command));
}

void RedisLink::Write(const std::string& bytes) {
  to_write_.append(bytes);
  if (!write_under_way_) WriteNext();
}

void RedisLink::WriteNext() {
  if (events_ == nullptr || to_write_.empty()) return;
  write_under_way_ = true;
  writing_.clear();
  writing_.swap(to_write_);
  WithStream([this](auto& stream) {
    asio::async_write(stream, asio::buffer(writing_), [self = shared_from_this()](const Error& error, size_t) {
      self->write_under_way_ = false;
      if (self->events_ == nullptr) return;
      if (error) return self->Fail(Unavailable("the connection broke off: ", error.message()));
      self->WriteNext();
    });
  });
}

void RedisLink::Close() { End(absl::UnavailableError("the connection was closed")); }

void RedisLink::Fail(const absl::Status& why) {
  RedisLinkEvents* const events = events_;
  if (events == nullptr) return;
  events_ = nullptr;
  events->OnLinkDown(why);
  End(why);
}

void RedisLink::End(const absl::Status& why) {
  events_ = nullptr;
  resolver_.cancel();
  if (race_ != nullptr) race_->Cancel();
  Error ignored;
  socket_.close(ignored);
  for (Done& done : std::exchange(waiting_, {})) std::move(done)(why);
}

}  // namespace sidecar
