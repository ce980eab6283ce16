#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <future>

namespace sidecar {

/// SIGTERM and SIGINT: the first ends Wait, a second ends the process at once with code 1.
class Signals {
 public:
  explicit Signals(boost::asio::io_context& context);

  /// Blocks until the first signal; returns it.
  int Wait();

 private:
  boost::asio::signal_set signals_;
  std::promise<int> first_;
};

}  // namespace sidecar
