#include "front/http2/loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "text/text.h"

namespace sidecar {
namespace {

/// How often connections are looked at that have not begun as HTTP/2 must.
constexpr int kSilenceLookMs = 1000;

thread_local const Http2Loop* current = nullptr;

}  // namespace

class Http2Loop::Peer final : public Http2Connection {
 public:
  Peer(Http2Loop& loop, int descriptor, Clock::time_point now)
      : Http2Connection(loop, now), fd(descriptor), since(now) {}
  ~Peer() override { close(fd); }

  const int fd;
  const Clock::time_point since;
  bool to_write = false;  ///< in to_write_
  bool clogged = false;   ///< it does not read: nothing of it is read either, until it does
  bool ended = false;
};

Http2Loop::Http2Loop(const Http2Shared& shared)
    : Http2Shard(shared),
      poll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      buffer_(static_cast<size_t>(shared.limits.read_bytes_max)) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  epoll_ctl(poll_, EPOLL_CTL_ADD, wake_, &event);
}

Http2Loop::~Http2Loop() {
  Tell(&Http2Loop::stop_);
  if (thread_.joinable()) thread_.join();
  for (const Given& given : given_) close(given.fd);
  close(poll_);
  close(wake_);
}

void Http2Loop::Start(size_t index) {
  thread_ = std::thread([this, index] {
    pthread_setname_np(pthread_self(), StrCat("http2-", index).c_str());
    current = this;
    Run();
  });
}

// --- From any thread.

void Http2Loop::Wake() {
  if (std::exchange(woken_, true)) return;
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
}

void Http2Loop::Tell(bool Http2Loop::*what) {
  absl::MutexLock lock(&mu_);
  this->*what = true;
  Wake();
}

void Http2Loop::Give(int fd, std::string_view already_read) {
  count_.fetch_add(1, std::memory_order_relaxed);
  absl::MutexLock lock(&mu_);
  given_.push_back({fd, std::string(already_read)});
  Wake();
}

void Http2Loop::Finished(Http2Call& call) {
  if (current == this) return Settle(call);
  absl::MutexLock lock(&mu_);
  finished_.push_back(&call);
  Wake();
}

// --- The thread.

void Http2Loop::Run() {
  std::array<epoll_event, 256> events;
  while (!stopped_) {
    const int count =
        epoll_wait(poll_, events.data(), static_cast<int>(events.size()), silent_ > 0 ? kSilenceLookMs : -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      auto* const peer = static_cast<Peer*>(event.data.ptr);
      if (peer == nullptr) {
        TakeInbox();
      } else if (!peer->ended) {
        if ((event.events & EPOLLOUT) != 0) WantsToSend(*peer);
        if ((event.events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) Read(*peer);
      }
    }
    WriteAll();
    if (silent_ > 0) EndSilentOnes();
    for (Peer* const peer : ended_peers_) peers_.erase(peer);
    ended_peers_.clear();
  }
  peers_.clear();
  for (Peer* const peer : ended_peers_) peers_.erase(peer);
}

void Http2Loop::TakeInbox() {
  uint64_t ignored = 0;
  (void)!read(wake_, &ignored, sizeof(ignored));
  std::vector<Given> given;
  std::vector<Http2Call*> finished;
  bool drain = false;
  bool phase = false;
  {
    absl::MutexLock lock(&mu_);
    woken_ = false;
    given.swap(given_);
    finished.swap(finished_);
    drain = std::exchange(drain_, false);
    phase = std::exchange(phase_, false);
    stopped_ = stop_;
  }
  for (const Given& each : given) Begin(each);
  for (Http2Call* const call : finished) Settle(*call);
  draining_ |= drain;
  for (const auto& [peer, owned] : peers_) {
    if (phase) peer->OnPhase();
    if (drain) peer->Drain();
  }
}

void Http2Loop::Settle(Http2Call& call) {
  call.running = false;
  NoteEnded();
  if (call.connection != nullptr) {
    call.connection->Answer(call);
  } else {
    GiveBack(&call);
  }
}

void Http2Loop::Begin(const Given& given) {
  const int on = 1;
  setsockopt(given.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));  // a peer that vanished is found, in hours
  const auto now = Http2Connection::Clock::now();
  auto owned = std::make_unique<Peer>(*this, given.fd, now);
  Peer& peer = *owned;
  peers_.emplace(&peer, std::move(owned));
  ++silent_;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &peer}};
  if (epoll_ctl(poll_, EPOLL_CTL_ADD, peer.fd, &event) != 0) return End(peer);
  WantsToSend(peer);
  if (!given.already_read.empty() && !peer.Receive(given.already_read, now)) {
    Write(peer);
    return End(peer);
  }
  if (draining_) peer.Drain();
}

void Http2Loop::Read(Peer& peer) {
  const ssize_t size = recv(peer.fd, buffer_.data(), buffer_.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return End(peer);
  if (peer.Receive({buffer_.data(), static_cast<size_t>(size)}, Http2Connection::Clock::now())) {
    return WantsToSend(peer);  // acknowledgements, windows
  }
  Write(peer);  // why
  End(peer);
}

void Http2Loop::WantsToSend(Http2Connection& connection) {
  auto& peer = static_cast<Peer&>(connection);
  if (std::exchange(peer.to_write, true)) return;
  to_write_.push_back(&peer);
}

void Http2Loop::WriteAll() {
  for (size_t i = 0; i < to_write_.size(); ++i) {  // writing may add others
    Peer& peer = *to_write_[i];
    peer.to_write = false;
    if (!peer.ended) Write(peer);
  }
  to_write_.clear();
}

void Http2Loop::Write(Peer& peer) {
  for (std::string_view bytes = peer.Output(); !bytes.empty(); bytes = peer.Output()) {
    const ssize_t sent = send(peer.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return Expect(peer, /*room_to_write=*/true);
    if (sent < 0) return End(peer);
    peer.Sent(static_cast<size_t>(sent));
  }
  if (peer.finished()) return End(peer);
  Expect(peer, /*room_to_write=*/false);
}

void Http2Loop::Expect(Peer& peer, bool room_to_write) {
  if (std::exchange(peer.clogged, room_to_write) == room_to_write) return;
  epoll_event event{.events = static_cast<uint32_t>(room_to_write ? EPOLLOUT : EPOLLIN), .data = {.ptr = &peer}};
  epoll_ctl(poll_, EPOLL_CTL_MOD, peer.fd, &event);
}

void Http2Loop::EndSilentOnes() {
  const auto now = Http2Connection::Clock::now();
  silent_ = 0;
  for (const auto& [peer, owned] : peers_) {
    if (peer->ended || peer->greeted()) continue;
    if (now - peer->since < shared().limits.handshake_max) {
      ++silent_;
    } else {
      End(*peer);
    }
  }
}

/// At the end of the turn: events of it may still be waiting.
void Http2Loop::End(Peer& peer) {
  if (std::exchange(peer.ended, true)) return;
  epoll_ctl(poll_, EPOLL_CTL_DEL, peer.fd, nullptr);
  count_.fetch_sub(1, std::memory_order_relaxed);
  ended_peers_.push_back(&peer);
}

}  // namespace sidecar
