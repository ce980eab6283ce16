#pragma once

#include <boost/asio/io_context.hpp>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace sidecar {

/// Which address to ask for a host: "" when its name will do, else a literal address.
///
/// cpprestsdk tries the addresses of a name one after the other and has no limit of time for one of them: where the
/// first swallows packets, as over a broken IPv6, every exchange would end at its deadline. So a name with several
/// addresses is connected to here first, whichever answers; when that is not the one that the library would begin
/// with, it is told the address.
///
/// Ends within kLimit: UNAVAILABLE, DEADLINE_EXCEEDED. `done` runs on a thread of `context`, never before this returns.
void ChooseAddress(boost::asio::io_context& context, std::string host, std::string port,
                   absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done);

}  // namespace sidecar
