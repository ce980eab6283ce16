// The tier between memory and upstream that replicas share.
#pragma once

#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "domain/entitlement.h"
#include "domain/entity_key.h"
#include "domain/time.h"
#include "ports/usage_sink.h"

namespace sidecar {

struct SharedRecord {
  CustomerEntitlements entitlements;
  /// Time since it was last known to be current; nullopt: somebody keeps it current, and has
  /// done so since it was written.
  std::optional<Millis> age;
};

/// Thread-safe. Nobody ever waits for it longer than its own, short, time limit.
class SharedStore {
 public:
  virtual ~SharedStore() = default;

  using ReadDone = absl::AnyInvocable<void(absl::StatusOr<SharedRecord>) &&>;

  /// False: a read would fail at once; when it is true again, all that memory holds has been doubted.
  /// Cheap: asked on every read of a suspect record.
  virtual bool available() const = 0;

  enum class Intent : uint8_t {
    kLook,   ///< to know what is there
    kFetch,  ///< and to fetch it if it is not: waits a little if somebody else is at it
  };
  /// `done` is called once, from any thread. NOT_FOUND: it is not there; to kFetch: whoever asked
  /// is the one to fetch it, and FetchEnded must follow. Otherwise: the store cannot say.
  virtual void Read(const EntityKey& key, Intent intent, ReadDone done) = 0;

  /// Keeps what a fetch brought that began at `started`, unless what is there is newer.
  virtual void Write(const EntityKey& key, const CustomerEntitlements& value, MonoTime started) = 0;

  /// The fetch that Read's NOT_FOUND was followed by has ended, and its result was written:
  /// those who wait for it may look.
  virtual void FetchEnded(const EntityKey& key, bool ok) = 0;

  /// Keeps what upstream said of usage that it counted, if the record is there.
  virtual void Apply(const UsageReceipt& receipt) = 0;
};

}  // namespace sidecar
