// One connection out of several addresses.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace sidecar {

/// Connects to whichever of a host's addresses answers first, so that one that swallows packets costs a
/// moment and not the time limit ("Happy Eyeballs": RFC 8305, sections 4 and 5). The next address is begun
/// when one fails, or has not answered for kHeadStart; families take turns. Everything happens on one
/// executor that runs one handler at a time. Has no limit of its own: the owner cancels.
class ConnectRace : public std::enable_shared_from_this<ConnectRace> {
 public:
  using Endpoint = boost::asio::ip::tcp::endpoint;
  using Socket = boost::asio::ip::tcp::socket;
  using Error = boost::system::error_code;
  /// The connected socket; with an error (of the last address that failed), one that is not open.
  using Done = absl::AnyInvocable<void(const Error&, Socket) &&>;

  static constexpr size_t kAddressesMax = 8;
  static constexpr std::chrono::milliseconds kHeadStart{250};

  /// In the order to try them: the resolver's, families in turn, at most kAddressesMax.
  static std::vector<Endpoint> InTurn(const boost::asio::ip::tcp::resolver::results_type& results);

  /// `addresses`: at least one.
  ConnectRace(const boost::asio::any_io_executor& executor, std::vector<Endpoint> addresses)
      : executor_(executor), addresses_(std::move(addresses)), head_start_(executor) {}

  /// Once. `done` is not called before Start returns, nor after Cancel.
  void Start(Done done);
  void Cancel();

 private:
  void Next();
  void OnConnected(size_t index, const Error& error);
  void Finish(const Error& error, Socket socket);

  const boost::asio::any_io_executor executor_;
  const std::vector<Endpoint> addresses_;
  Done done_;  // nullptr: over
  boost::asio::steady_timer head_start_;
  std::deque<Socket> attempts_;  // by index in addresses_; those not begun are not there
  size_t under_way_ = 0;
};

}  // namespace sidecar
