#include "adapters/http/address_choice.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "adapters/net/connect_race.h"
#include "text/text.h"

namespace sidecar {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// Of the look-up and the connections together: the resolver's own limit is up to half a minute.
constexpr std::chrono::seconds kLimit{10};

class Choice : public std::enable_shared_from_this<Choice> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;

  Choice(asio::io_context& context, std::string host, std::string port, Done done)
      : strand_(asio::make_strand(context)),
        host_(std::move(host)),
        port_(std::move(port)),
        done_(std::move(done)),
        resolver_(strand_),
        limit_(strand_) {}

  void Start() {
    limit_.expires_after(kLimit);
    limit_.async_wait([self = shared_from_this()](const error_code& error) {
      if (error) return;
      self->Finish(
          Error(absl::StatusCode::kDeadlineExceeded, "no address of ", self->host_, " within ", kLimit.count(), " s"));
    });
    // Weak: the system's resolver cannot be interrupted.
    resolver_.async_resolve(
        host_, port_, tcp::resolver::numeric_service,
        [weak = weak_from_this()](const error_code& error, const tcp::resolver::results_type& results) {
          if (const auto self = weak.lock()) self->OnResolved(error, results);
        });
  }

 private:
  void OnResolved(const error_code& error, const tcp::resolver::results_type& results) {
    if (done_ == nullptr) return;
    if (error) return Finish(Unavailable("cannot resolve ", host_, ": ", error.message()));
    const std::vector<tcp::endpoint> addresses = ConnectRace::InTurn(results);
    if (addresses.size() == 1) return Finish(std::string());
    race_ = std::make_shared<ConnectRace>(strand_, addresses);
    race_->Start([self = shared_from_this(), first = addresses.front()](const error_code& failed, tcp::socket socket) {
      self->OnConnected(failed, socket, first);
    });
  }

  void OnConnected(const error_code& error, const tcp::socket& socket, const tcp::endpoint& first) {
    if (error) return Finish(Unavailable("cannot connect to ", host_, ":", port_, ": ", error.message()));
    error_code gone;
    const tcp::endpoint reached = socket.remote_endpoint(gone);
    Finish(gone || reached == first ? std::string() : reached.address().to_string());
  }

  void Finish(absl::StatusOr<std::string> result) {
    if (done_ == nullptr) return;
    limit_.cancel();
    resolver_.cancel();
    if (race_ != nullptr) race_->Cancel();
    Done done = std::move(done_);
    done_ = nullptr;
    std::move(done)(std::move(result));
  }

  const asio::any_io_executor strand_;  // the context may be run by several threads
  const std::string host_;
  const std::string port_;
  Done done_;  // nullptr: over
  tcp::resolver resolver_;
  asio::steady_timer limit_;
  std::shared_ptr<ConnectRace> race_;
};

}  // namespace

void ChooseAddress(asio::io_context& context, std::string host, std::string port, Choice::Done done) {
  const auto choice = std::make_shared<Choice>(context, std::move(host), std::move(port), std::move(done));
  choice->Start();
}

}  // namespace sidecar
