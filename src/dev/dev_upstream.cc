#include "dev/dev_upstream.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <utility>

#include "adapters/json/json.h"
#include "adapters/system/files.h"
#include "text/text.h"

namespace sidecar::dev {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds kWatchEvery{250};

/// Changes whenever the file does; 0 while there is none.
int64_t StampOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec + info.st_size + static_cast<int64_t>(info.st_ino);
}

ServerResponse PrettyResponse(int status, const Json& body) { return {.status = status, .body = DumpIndented(body)}; }

}  // namespace

absl::StatusOr<WorldData> LoadWorld(const std::string& path) {
  if (path.empty()) return ParseWorld(BuiltInWorld(), "built-in");
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return InvalidArgument(path, ": ", Message(text.status()));
  return ParseWorld(*text, path);
}

absl::StatusOr<std::unique_ptr<DevUpstream>> DevUpstream::Start(const Options& options, Clock& clock) {
  absl::StatusOr<WorldData> data = LoadWorld(options.data_file);
  if (!data.ok()) return data.status();
  auto upstream = std::unique_ptr<DevUpstream>(new DevUpstream(options, *std::move(data), clock));
  if (absl::Status status = upstream->Listen(); !status.ok()) return status;
  return upstream;
}

DevUpstream::DevUpstream(const Options& options, WorldData data, Clock& clock)
    : options_(options),
      world_(std::move(data), clock),
      api_(world_),
      push_(world_, faults_, options.push),
      io_("dev-upstream"),
      server_(std::make_unique<HttpServer>(
          io_.context(), [this](const ServerRequest& request, Respond respond) { Handle(request, std::move(respond)); },
          HttpServer::Limits{.body_bytes_max = 16 << 20})),
      acceptor_(io_.context()),
      watch_timer_(io_.context()) {
  // The world changes on the io thread only: in Handle and in WatchDataFile.
  world_.Listen([this](const Push& push) { push_.OnChange(push); });
}

DevUpstream::~DevUpstream() { io_.Stop(); }

absl::Status DevUpstream::Listen() {
  error_code error;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(options_.address, error), options_.port);
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Unavailable("cannot listen on ", options_.address, " port ", options_.port, ": ", error.message());
  Accept();
  if (!options_.data_file.empty()) {
    data_file_stamp_ = StampOf(options_.data_file);
    WatchDataFile();
  }
  return absl::OkStatus();
}

std::string DevUpstream::url() const {
  const asio::ip::tcp::endpoint bound = acceptor_.local_endpoint();
  const asio::ip::address address = bound.address();
  const std::string host = address.is_unspecified() ? (address.is_v6() ? "::1" : "127.0.0.1") : address.to_string();
  return address.is_v6() ? StrCat("http://[", host, "]:", bound.port()) : StrCat("http://", host, ":", bound.port());
}

void DevUpstream::Accept() {
  acceptor_.async_accept([this](const error_code& error, asio::ip::tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      error_code ignored;
      socket.set_option(asio::ip::tcp::no_delay(true), ignored);
      server_->Serve(std::move(socket), "");
    }
    Accept();
  });
}

void DevUpstream::Handle(const ServerRequest& request, Respond respond) {
  if (request.path.starts_with("/_dev/")) return std::move(respond)(Control(request));
  if (request.path == "/graphql" && PushHub::AsksForWebSocket(request)) {
    return std::move(respond)(push_.Upgrade(request));
  }
  const Channel channel = request.path == "/graphql" ? Channel::kGraphql : Channel::kEdge;
  ++(channel == Channel::kGraphql ? graphql_requests_ : edge_requests_);
  Serve(channel, request, std::move(respond));
}

void DevUpstream::Serve(Channel channel, const ServerRequest& request, Respond respond) {
  using Kind = Fault::Kind;
  using Break = ServerResponse::Fault;
  const std::optional<Fault> fault = faults_.Take(channel);
  const auto answer = [&] { return channel == Channel::kGraphql ? api_.Graphql(request) : api_.Edge(request); };
  if (!fault.has_value()) return std::move(respond)(answer());
  ServerResponse response;
  switch (fault->kind) {
    case Kind::kDelay: {
      auto timer = std::make_shared<asio::steady_timer>(io_.context(), fault->delay);
      timer->async_wait([timer, response = answer(), respond = std::move(respond)](const error_code&) mutable {
        std::move(respond)(std::move(response));
      });
      return;
    }
    case Kind::kStatus:
      response = {.status = fault->status, .body = "{}"};
      if (fault->retry_after_secs > 0) response.headers.emplace_back("Retry-After", StrCat(fault->retry_after_secs));
      break;
    case Kind::kClose:
      response.fault = Break::kClose;
      break;
    case Kind::kCloseAfter:
      response = answer();
      response.fault = Break::kClose;
      break;
    case Kind::kReset:
      response.fault = Break::kReset;
      break;
    case Kind::kHalfBody:
      response = answer();
      response.fault = Break::kHalfBody;
      break;
    case Kind::kBadJson:
      response = {.body = "{\"data\":"};
      break;
    case Kind::kSilent:
      response.fault = Break::kSilence;
      break;
    case Kind::kRefuse:
    case Kind::kError:
      break;  // of WebSockets only: never taken here
  }
  std::move(respond)(std::move(response));
}

ServerResponse DevUpstream::Control(const ServerRequest& request) {
  if (request.path == "/_dev/faults") return ControlFaults(request);
  if (request.path == "/_dev/push" && request.method == "POST") return ControlPush(request);
  if (request.path == "/_dev/subscribers" && request.method == "GET") return PrettyResponse(200, push_.Describe());
  if (request.path == "/_dev/requests" && request.method == "GET") {
    return PrettyResponse(200, {{"edge", edge_requests_.load()}, {"graphql", graphql_requests_.load()}});
  }
  return PrettyResponse(404, {{"error",
                               "known are GET, POST and DELETE /_dev/faults, GET /_dev/requests, GET /_dev/subscribers "
                               "and POST /_dev/push"}});
}

ServerResponse DevUpstream::ControlFaults(const ServerRequest& request) {
  if (request.method == "DELETE") {
    faults_.Clear();
  } else if (request.method == "POST") {
    const absl::StatusOr<Json> json = ParseJson(request.body);
    const absl::StatusOr<Fault> fault = json.ok() ? Faults::Parse(*json) : json.status();
    if (!fault.ok()) return PrettyResponse(400, {{"error", std::string(Message(fault.status()))}});
    faults_.Add(*fault);
    push_.ApplyFaults();
  } else if (request.method != "GET") {
    return PrettyResponse(405, {{"error", "known are GET, POST and DELETE"}});
  }
  return PrettyResponse(200, faults_.List());
}

ServerResponse DevUpstream::ControlPush(const ServerRequest& request) {
  const absl::StatusOr<Json> json = ParseJson(request.body);
  absl::Status error = json.status();
  if (json.ok()) {
    JsonObject reader(*json, "", error);
    const std::string name = reader.TextOrEmpty("subscription");
    const std::optional<Subscription> subscription = SubscriptionNamed(name);
    if (!subscription.has_value()) {
      std::vector<std::string_view> known;
      known.reserve(std::size(kSubscriptions));
      for (const Subscription each : kSubscriptions) known.push_back(RootField(each));
      reader.Fail("subscription", StrCat("'", name, "' is not known; expected one of ", Join(known, ", ")));
    }
    if (!reader.Has("payload")) reader.Fail("payload", "is missing; expected the payload of a `next` message");
    if (error.ok()) return PrettyResponse(200, {{"subscriptions", push_.Publish(*subscription, (*json)["payload"])}});
  }
  return PrettyResponse(400, {{"error", std::string(Message(error))}});
}

void DevUpstream::WatchDataFile() {
  watch_timer_.expires_after(kWatchEvery);
  watch_timer_.async_wait([this](const error_code& error) {
    if (error) return;
    const int64_t stamp = StampOf(options_.data_file);
    if (stamp != 0 && stamp != data_file_stamp_) {
      data_file_stamp_ = stamp;
      absl::StatusOr<WorldData> data = LoadWorld(options_.data_file);
      if (data.ok()) {
        world_.Replace(*std::move(data));
        spdlog::warn("{} was read again", options_.data_file);
      } else {
        spdlog::error("the data file is kept as it was:\n{}", Message(data.status()));
      }
    }
    WatchDataFile();
  });
}

}  // namespace sidecar::dev
