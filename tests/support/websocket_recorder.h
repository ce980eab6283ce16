// A WebSocket client for tests: connects on its own I/O thread and writes down what happens.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "adapters/net/io_thread.h"
#include "adapters/websocket/beast_connector.h"

namespace sidecar::testing {

class RecordingClient : public WebSocketEvents {
 public:
  explicit RecordingClient(BeastConnector::Settings settings) : connector_(io_.context(), std::move(settings)) {}
  ~RecordingClient() override {
    Drop();
    io_.Stop();
  }

  void Connect(const std::string& url) {
    OnIo([&] { socket_ = connector_.Connect(url, "graphql-transport-ws", *this); });
  }
  void Send(const std::string& text) {
    OnIo([&] { socket_->Send(text); });
  }
  void Close(uint16_t with, const std::string& why) {
    OnIo([&] { socket_->Close(with, why); });
  }
  void Drop() {
    OnIo([&] { socket_.reset(); });
  }
  /// Runs on the I/O thread and waits for it.
  template <typename Fn>
  void OnIo(Fn fn) {
    std::promise<void> ran;
    boost::asio::post(io_.context(), [&] {
      fn();
      ran.set_value();
    });
    ran.get_future().wait();
  }

  /// Waits until the predicate holds; false after 20 seconds.
  template <typename Predicate>
  bool Wait(Predicate predicate) {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, std::chrono::seconds(20), predicate);
  }
  bool WaitOpened() {
    return Wait([this] { return opened > 0 || ends > 0; }) && opened == 1;
  }
  bool WaitEnded() {
    return Wait([this] { return ends > 0; });
  }
  bool WaitMessages(size_t count) {
    return Wait([this, count] { return messages.size() >= count; });
  }

  void OnOpened() override {
    Note([this] { ++opened; });
    After(drop_when_opened);
    if (throw_when_opened) throw std::runtime_error("of the owner");
  }
  void OnMessage(std::string_view message) override {
    Note([&] { messages.emplace_back(message); });
    After(drop_when_message);
  }
  void OnClosed(uint16_t with, std::string_view why) override {
    if (drop_when_ended) socket_.reset();
    Note([&] {
      ++ends;
      code = with;
      reason = std::string(why);
    });
  }
  void OnFailed(const absl::Status& why) override {
    if (drop_when_ended) socket_.reset();
    Note([&] {
      ++ends;
      failure = why;
    });
  }

  // What happened; guarded by the waits.
  int opened = 0;
  std::vector<std::string> messages;
  int ends = 0;
  uint16_t code = 0;
  std::string reason;
  absl::Status failure;

  // What to do about it, set before Connect.
  bool drop_when_opened = false;
  bool drop_when_message = false;
  bool drop_when_ended = false;
  bool throw_when_opened = false;

 private:
  template <typename Fn>
  void Note(Fn fn) {
    const std::lock_guard lock(mu_);
    fn();
    changed_.notify_all();
  }
  void After(bool drop) {
    if (drop) socket_.reset();
  }

  IoThread io_{"test-io"};
  BeastConnector connector_;
  std::unique_ptr<WebSocket> socket_;  // I/O thread only
  std::mutex mu_;
  std::condition_variable changed_;
};

}  // namespace sidecar::testing
