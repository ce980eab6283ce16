#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>

#include "absl/functional/any_invocable.h"

namespace sidecar {

/// The threads that run cpprestsdk's I/O and continuations. They are ours, since a handler of
/// the library that throws ends the process on the library's own (docs/adr/0004).
class CpprestThreads {
 public:
  /// Starts the threads; the second and later calls do nothing. Call before anything else in
  /// the process uses cpprestsdk: it would start forty threads of its own.
  static void Start(size_t threads);

  /// Runs the function on one of the threads, never on the caller's. What it throws is logged.
  static void Post(absl::AnyInvocable<void() &&> fn);

  /// What they run.
  static boost::asio::io_context& context();

  /// Handlers that threw so far. What was pooled before the last of them is suspect: its
  /// connection may have gone back to the pool with half a response on it.
  static uint64_t failures();
};

}  // namespace sidecar
