// GetEntitlements and GetEntitlementsStateV2.
#include <memory>
#include <vector>

#include "service/read_path.h"
#include "service/validate.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;

template <typename Message>
struct ListState {
  explicit ListState(const ServiceContext&) {}

  Message message;
  EntityKeyView key;
};

/// Writes GetEntitlementsResponse: what the customer is entitled to (section 13.6).
struct PlainList {
  using Message = v1::GetEntitlementsRequest;

  static bool Lists(const FeatureView& feature) { return IsListed(feature); }
  static constexpr bool kListsCredits = false;
  /// The element has no has_access: a fallback that denies has no place in it.
  static bool Lists(const FallbackValue& fallback) { return fallback.has_access; }

  static void WriteElement(const AnswerEncoder& encoder, const CheckAnswer& answer, ReverseWriter& out) {
    encoder.WriteListElement(answer, out);
  }
};

/// Writes GetEntitlementsStateV2Response: every entry with its own verdict (section 13.11).
struct StateList {
  using Message = v1::GetEntitlementsStateV2Request;

  static bool Lists(const FeatureView& feature) { return feature.kind() != EntitlementKind::kUnknown; }
  static constexpr bool kListsCredits = true;
  static bool Lists(const FallbackValue&) { return true; }

  static void WriteElement(const AnswerEncoder& encoder, const CheckAnswer& answer, ReverseWriter& out) {
    const size_t mark = out.Mark();
    encoder.WriteCheck(answer, Check{}, kGenericResponse, out);
    out.CloseMessage(1, mark);
  }
};

template <typename List>
struct ListReader {
  using State = ListState<typename List::Message>;

  static absl::Status Parse(std::string_view bytes, State& state) {
    SIDECAR_RETURN_IF_ERROR(ParseRequest(bytes, state.message));
    SIDECAR_RETURN_IF_ERROR(CheckId("customer_id", state.message.customer_id()));
    SIDECAR_RETURN_IF_ERROR(CheckOptionalId("resource_id", state.message.resource_id()));
    state.key = {state.message.customer_id(), state.message.resource_id()};
    return absl::OkStatus();
  }

  static EntityKeyView Key(const State& state) { return state.key; }
  static std::string_view FeatureId(const State&) { return {}; }

  static bool Expired(const State&, const Record& record, WallTime now) { return record.AnyExpired(now); }

  static Written Write(const ServiceContext& context, const AnswerEncoder& encoder, const State&, const Record* record,
                       const UsageOverlay* overlay, WallTime now, ReverseWriter& out) {
    if (record == nullptr) {
      WriteFallbacks(context.fallbacks, encoder, out);
      return {};
    }
    // Both responses carry the reason of an empty list as field 2. Back to front, as all is.
    if (record->empty() && record->denied_reason() != DeniedReason::kNone) {
      out.Uint(2, static_cast<uint64_t>(record->denied_reason()));
    }
    if (List::kListsCredits) WriteCredits(*record, encoder, now, out);
    WriteFeatures(*record, overlay, encoder, now, out);
    return {.known = true, .decision = std::nullopt};
  }

 private:
  // What is over is no answer any more: it is left out (section 13.13).

  static void WriteFeatures(const Record& record, const UsageOverlay* overlay, const AnswerEncoder& encoder,
                            WallTime now, ReverseWriter& out) {
    FeatureView feature;
    for (size_t i = record.feature_count(); i-- > 0;) {
      record.ReadFeature(i, feature);
      if (IsExpired(feature.valid_until, record.fetched_at_wall(), now) || !List::Lists(feature)) continue;
      if (overlay != nullptr) overlay->Raise(record, feature, now);
      List::WriteElement(encoder, DecideListed(feature, now), out);
    }
  }

  static void WriteCredits(const Record& record, const AnswerEncoder& encoder, WallTime now, ReverseWriter& out) {
    CreditView credit;
    for (size_t i = record.credit_count(); i-- > 0;) {
      record.ReadCredit(i, credit);
      if (IsExpired(credit.valid_until, record.fetched_at_wall(), now)) continue;
      List::WriteElement(encoder, DecideListed(credit), out);
    }
  }

  static void WriteFallbacks(const FallbackTable& fallbacks, const AnswerEncoder& encoder, ReverseWriter& out) {
    const auto& entries = fallbacks.entries();
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      if (!List::Lists(entry->value)) continue;
      List::WriteElement(encoder, ListedFallback(entry->feature_id, entry->value), out);
    }
  }
};

template <typename List>
Handler MakeListHandler(const ServiceContext& context) {
  return
      [handler = std::make_shared<const ReadHandler<ListReader<List>>>(context)](Call& call) { handler->Handle(call); };
}

}  // namespace

void AddListHandlers(const ServiceContext& context, Handlers& handlers) {
  handlers[static_cast<size_t>(Method::kGetEntitlements)] = MakeListHandler<PlainList>(context);
  handlers[static_cast<size_t>(Method::kGetEntitlementsStateV2)] = MakeListHandler<StateList>(context);
}

}  // namespace sidecar
