#include "adapters/net/connect_race.h"

#include <algorithm>
#include <utility>

namespace sidecar {

std::vector<ConnectRace::Endpoint> ConnectRace::InTurn(const boost::asio::ip::tcp::resolver::results_type& results) {
  std::vector<Endpoint> preferred;  // of the family that the resolver puts first
  std::vector<Endpoint> others;
  for (const auto& result : results) {
    const Endpoint& endpoint = result.endpoint();
    const bool first_family = preferred.empty() || preferred.front().protocol() == endpoint.protocol();
    (first_family ? preferred : others).push_back(endpoint);
  }
  std::vector<Endpoint> out;
  for (size_t i = 0; i < std::max(preferred.size(), others.size()); ++i) {
    if (i < preferred.size()) out.push_back(preferred[i]);
    if (i < others.size()) out.push_back(others[i]);
  }
  if (out.size() > kAddressesMax) out.resize(kAddressesMax);
  return out;
}

void ConnectRace::Start(Done done) {
  done_ = std::move(done);
  Next();
}

void ConnectRace::Cancel() {
  done_ = nullptr;
  head_start_.cancel();
  attempts_.clear();
}

void ConnectRace::Next() {
  const size_t index = attempts_.size();
  ++under_way_;
  attempts_.emplace_back(executor_).async_connect(
      addresses_[index], [self = shared_from_this(), index](const Error& error) { self->OnConnected(index, error); });
  if (attempts_.size() == addresses_.size()) return;
  head_start_.expires_after(kHeadStart);
  head_start_.async_wait([weak = weak_from_this(), begun = attempts_.size()](const Error& error) {
    const auto self = weak.lock();
    // A cancelled wait may have been queued already: only the one of the last attempt counts.
    if (error || self == nullptr || self->done_ == nullptr || self->attempts_.size() != begun) return;
    self->Next();
  });
}

void ConnectRace::OnConnected(size_t index, const Error& error) {
  --under_way_;
  if (done_ == nullptr) return;
  if (!error) return Finish(error, std::move(attempts_[index]));
  if (attempts_.size() < addresses_.size()) return Next();
  if (under_way_ == 0) Finish(error, Socket(executor_));
}

void ConnectRace::Finish(const Error& error, Socket socket) {
  Done done = std::move(done_);
  Cancel();
  std::move(done)(error, std::move(socket));
}

}  // namespace sidecar
