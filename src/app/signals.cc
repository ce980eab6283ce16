#include "app/signals.h"

#include <unistd.h>

#include "app/exit_codes.h"

namespace sidecar {

Signals::Signals(boost::asio::io_context& context) : signals_(context, SIGTERM, SIGINT) {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    first_.set_value(signal);
    signals_.async_wait([](const boost::system::error_code& second_error, int) {
      if (!second_error) _exit(kExitFailure);
    });
  });
}

int Signals::Wait() { return first_.get_future().get(); }

}  // namespace sidecar
