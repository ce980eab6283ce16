// Records and definitions as payloads of frames.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "adapters/snapshot/frame.h"
#include "adapters/snapshot/snapshot.pb.h"
#include "ports/snapshot_store.h"

namespace sidecar::snapshot {

/// Writes entries. One for each file: what was defined stays defined.
class EntryEncoder {
 public:
  /// Appends the frames of definitions that are new, then the entry's. False, and the latter is
  /// left out, when the entry is too large for a frame.
  bool Append(const SnapshotEntry& entry, std::string& out);

 private:
  uint32_t Index(const FeatureDefinition& definition, std::string& out);
  uint32_t Index(const CurrencyDefinition& definition, std::string& out);

  absl::flat_hash_map<FeatureDefinition, uint32_t> features_;
  absl::flat_hash_map<CurrencyDefinition, uint32_t> currencies_;
  stigg::sidecar::snapshot::Record message_;  // kept: its parts are used again
  std::string payload_;
};

/// Reads entries. One for each file, given its frames in order.
class EntryDecoder {
 public:
  /// Takes a definition's payload; false when it is none.
  bool AddFeature(std::string_view payload);
  bool AddCurrency(std::string_view payload);

  /// The entry of a record's payload; nullptr when it is none, or names a definition that was
  /// not given. Valid until the next call.
  const SnapshotEntry* Decode(std::string_view payload, bool hot);

 private:
  std::vector<FeatureDefinition> features_;
  std::vector<CurrencyDefinition> currencies_;
  stigg::sidecar::snapshot::Record message_;
  SnapshotEntry entry_;
};

}  // namespace sidecar::snapshot
