// What the ports say, as messages of a recording, and back.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "domain/fallback.h"
#include "ports/change_feed.h"
#include "ports/upstream_failure.h"
#include "ports/usage_sink.h"
#include "recording/recording.pb.h"
#include "recording/recording_file.h"
#include "recording/redaction.h"

namespace sidecar::recording {

namespace pb = stigg::sidecar::recording;

void Write(const EntityKey& key, pb::Key* out);
EntityKey Read(const pb::Key& key);

/// Texts of failures are left out: they may name customers.
void Write(const UpstreamFailure& failure, pb::Failure* out);
UpstreamFailure Read(const pb::Failure& failure);

/// With pseudonyms.
void Write(const UsageReceipt& receipt, const Redaction& redaction, pb::Receipt* out);
UsageReceipt Read(const pb::Receipt& receipt);

void Write(const UsagePush& push, const Redaction& redaction, pb::UsagePush* out);
UsagePush Read(const pb::UsagePush& push);

void Write(const BalancePush& push, const Redaction& redaction, pb::BalancePush* out);
BalancePush Read(const pb::BalancePush& push);

void Write(const FallbackTable& table, pb::Header* out);
FallbackTable ReadFallbacks(const pb::Header& header);

}  // namespace sidecar::recording
