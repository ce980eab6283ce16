// The limit: an empty unary server on libnghttp2, without grpc-core. It reads what is there, answers every request of
// it with a constant, and writes all answers at once. No deadlines, no limits, no TLS: a measure, not a server.
// usage: limit_server [SOCKET]; prints "port N" and serves until it is killed, on a unix socket too if one is named.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "bench/constant_answer.h"

namespace {

/// A gRPC message: flag and length before it.
std::string Framed() {
  const std::string message = sidecar::bench::ConstantAnswer().SerializeAsString();
  const auto size = static_cast<uint32_t>(message.size());
  std::string framed{'\0', static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                     static_cast<char>(size)};
  return framed + message;
}

const std::string& Answer() {
  static const std::string answer = Framed();
  return answer;
}

nghttp2_nv Header(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

ssize_t ReadAnswer(nghttp2_session* session, int32_t stream, uint8_t* buffer, size_t, uint32_t* flags,
                   nghttp2_data_source*, void*) {
  std::memcpy(buffer, Answer().data(), Answer().size());
  *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
  const nghttp2_nv trailers[] = {Header("grpc-status", "0")};
  nghttp2_submit_trailer(session, stream, trailers, 1);
  return static_cast<ssize_t>(Answer().size());
}

int OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void*) {
  const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!ends || (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)) return 0;
  const nghttp2_nv headers[] = {Header(":status", "200"), Header("content-type", "application/grpc")};
  const nghttp2_data_provider body{.source = {}, .read_callback = ReadAnswer};
  return nghttp2_submit_response(session, frame->hd.stream_id, headers, 2, &body);
}

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_server_new(&session_, callbacks, nullptr);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 1);
  }
  ~Connection() {
    nghttp2_session_del(session_);
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// False when the peer has gone.
  bool Serve() {
    static std::array<uint8_t, 1 << 16> in;
    const ssize_t got = read(fd_, in.data(), in.size());
    if (got <= 0 || nghttp2_session_mem_recv(session_, in.data(), static_cast<size_t>(got)) < 0) return false;
    out_.clear();
    const uint8_t* bytes = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &bytes)) > 0;) {
      out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
    for (size_t sent = 0; sent < out_.size();) {  // the socket blocks: clients of benchmarks read
      const ssize_t wrote = write(fd_, out_.data() + sent, out_.size() - sent);
      if (wrote <= 0) return false;
      sent += static_cast<size_t>(wrote);
    }
    return true;
  }

 private:
  const int fd_;
  nghttp2_session* session_ = nullptr;
  std::string out_;
};

int Listen(int family, const sockaddr* address, socklen_t size) {
  const int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, address, size) != 0 || listen(fd, SOMAXCONN) != 0) {
    std::perror("limit_server");
    std::exit(1);
  }
  return fd;
}

int ListenTcp() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = Listen(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("port %d\n", ntohs(address.sin_port));
  return fd;
}

int ListenUnix(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  return Listen(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

void Watch(int poll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  const int poll = epoll_create1(0);
  const int unix_socket = argc > 1 ? ListenUnix(argv[1]) : -1;
  const int tcp = ListenTcp();
  std::fflush(stdout);
  Watch(poll, tcp);
  if (unix_socket >= 0) Watch(poll, unix_socket);
  std::unordered_map<int, std::unique_ptr<Connection>> connections;
  for (std::array<epoll_event, 64> events;;) {
    const int count = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == tcp || fd == unix_socket) {
        const int client = accept(fd, nullptr, nullptr);
        const int on = 1;
        if (fd == tcp) setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        connections.emplace(client, std::make_unique<Connection>(client));
        Watch(poll, client);
      } else if (!connections.at(fd)->Serve()) {
        connections.erase(fd);
      }
    }
  }
}
