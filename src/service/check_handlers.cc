// The six single checks and GetEntitlementV2.
#include <memory>
#include <vector>

#include "service/fast_request.h"
#include "service/read_path.h"
#include "service/validate.h"
#include "stigg/sidecar/v1/sidecar.pb.h"

namespace sidecar {
namespace {

namespace v1 = stigg::sidecar::v1;

/// A request taken apart. Points into the call's bytes, or into the message when it was
/// needed.
template <typename RequestMessage>
struct CheckState {
  using Message = RequestMessage;

  explicit CheckState(const ServiceContext& context) {
    if (!context.fallbacks.entries().empty()) check.configured = &context.fallbacks;
  }
  CheckState(const CheckState&) = delete;
  CheckState& operator=(const CheckState&) = delete;

  EntityKeyView key;
  Check check;
  FastRequest fast;
  std::optional<Message> message;
  std::optional<FallbackValue> per_call_fallback;
  std::vector<std::string_view> requested_values;
};

template <typename State>
absl::Status ReadKey(State& state) {
  SIDECAR_RETURN_IF_ERROR(CheckId("customer_id", state.message->customer_id()));
  SIDECAR_RETURN_IF_ERROR(CheckOptionalId("resource_id", state.message->resource_id()));
  state.key = {state.message->customer_id(), state.message->resource_id()};
  return absl::OkStatus();
}

template <typename State>
absl::Status ReadFeatureId(State& state) {
  SIDECAR_RETURN_IF_ERROR(CheckId("feature_id", state.message->feature_id()));
  state.check.id = state.message->feature_id();
  return absl::OkStatus();
}

template <typename State, typename Options>
absl::Status ReadRequestedUsage(State& state, const Options& options) {
  state.check.requested_usage_given = options.has_requested_usage();
  state.check.ask.requested_usage = options.requested_usage();
  return CheckRequestedUsage("options.requested_usage", options.requested_usage());
}

template <typename State, typename Options>
void ReadRequestedValues(State& state, const Options& options) {
  for (const std::string& value : options.requested_values()) state.requested_values.push_back(value);
  state.check.ask.requested_values = state.requested_values;
}

template <typename Fallback>
std::vector<std::string> EnumValues(const Fallback& fallback) {
  return {fallback.enum_values().begin(), fallback.enum_values().end()};
}

// What each RPC adds to customer and feature, and the shapes of its request and response.

struct BooleanRpc {
  using Message = v1::GetBooleanEntitlementRequest;
  static constexpr CheckForm kForm = CheckForm::kBoolean;
  static constexpr CheckRequestShape kRequest{};
  static constexpr CheckResponseShape kResponse = kBooleanResponse;

  static absl::Status ReadOptions(CheckState<Message>& state) {
    const auto& options = state.message->options();
    if (options.has_fallback()) state.per_call_fallback = FallbackValue{.has_access = options.fallback().has_access()};
    return ReadFeatureId(state);
  }
};

struct NumericRpc {
  using Message = v1::GetNumericEntitlementRequest;
  static constexpr CheckForm kForm = CheckForm::kNumeric;
  static constexpr CheckRequestShape kRequest{};
  static constexpr CheckResponseShape kResponse = kNumericResponse;

  static absl::Status ReadOptions(CheckState<Message>& state) {
    const auto& options = state.message->options();
    if (options.has_fallback()) {
      const auto& fallback = options.fallback();
      state.per_call_fallback = FallbackValue{.has_access = fallback.has_access()};
      if (fallback.has_value()) state.per_call_fallback->value = fallback.value();
      if (fallback.has_is_unlimited()) state.per_call_fallback->unlimited = fallback.is_unlimited();
    }
    return ReadFeatureId(state);
  }
};

struct MeteredRpc {
  using Message = v1::GetMeteredEntitlementRequest;
  static constexpr CheckForm kForm = CheckForm::kMetered;
  static constexpr CheckRequestShape kRequest{.requested_usage = 1};
  static constexpr CheckResponseShape kResponse = kMeteredResponse;

  static absl::Status ReadOptions(CheckState<Message>& state) {
    const auto& options = state.message->options();
    SIDECAR_RETURN_IF_ERROR(ReadRequestedUsage(state, options));
    if (options.has_fallback()) {
      const auto& fallback = options.fallback();
      SIDECAR_RETURN_IF_ERROR(CheckFinite("options.fallback.usage_limit", fallback.usage_limit()));
      state.per_call_fallback = FallbackValue{.has_access = fallback.has_access()};
      if (fallback.has_usage_limit()) state.per_call_fallback->usage_limit = fallback.usage_limit();
      if (fallback.has_is_unlimited()) state.per_call_fallback->unlimited = fallback.is_unlimited();
    }
    return ReadFeatureId(state);
  }
};

struct EnumRpc {
  using Message = v1::GetEnumEntitlementRequest;
  static constexpr CheckForm kForm = CheckForm::kEnum;
  static constexpr CheckRequestShape kRequest{.requested_values = 1};
  static constexpr CheckResponseShape kResponse = kEnumResponse;

  static absl::Status ReadOptions(CheckState<Message>& state) {
    const auto& options = state.message->options();
    ReadRequestedValues(state, options);
    if (options.has_fallback()) {
      state.per_call_fallback =
          FallbackValue{.has_access = options.fallback().has_access(), .enum_values = EnumValues(options.fallback())};
    }
    return ReadFeatureId(state);
  }
};

/// GetEntitlementOptions, of GetEntitlement and GetEntitlementV2.
template <typename State>
absl::Status ReadGenericOptions(State& state) {
  const v1::GetEntitlementOptions& options = state.message->options();
  SIDECAR_RETURN_IF_ERROR(ReadRequestedUsage(state, options));
  ReadRequestedValues(state, options);
  if (!options.has_fallback()) return absl::OkStatus();
  const v1::GetEntitlementFallback& fallback = options.fallback();
  SIDECAR_RETURN_IF_ERROR(CheckFinite("options.fallback.usage_limit", fallback.usage_limit()));
  state.per_call_fallback = FallbackValue{.has_access = fallback.has_access()};
  if (fallback.has_value()) state.per_call_fallback->value = fallback.value();
  if (fallback.has_usage_limit()) state.per_call_fallback->usage_limit = fallback.usage_limit();
  if (fallback.has_is_unlimited()) state.per_call_fallback->unlimited = fallback.is_unlimited();
  if (fallback.enum_values_size() > 0) state.per_call_fallback->enum_values = EnumValues(fallback);
  return absl::OkStatus();
}

struct GenericRpc {
  using Message = v1::GetEntitlementRequest;
  static constexpr CheckForm kForm = CheckForm::kGeneric;
  static constexpr CheckRequestShape kRequest{.requested_usage = 2, .requested_values = 3};
  static constexpr CheckResponseShape kResponse = kGenericResponse;

  static absl::Status ReadOptions(CheckState<Message>& state) {
    SIDECAR_RETURN_IF_ERROR(ReadFeatureId(state));
    return ReadGenericOptions(state);
  }
};

struct V2Rpc {
  using Message = v1::GetEntitlementV2Request;
  static constexpr CheckForm kForm = CheckForm::kFeature;
  static constexpr CheckRequestShape kRequest{
      .resource_id = 2, .feature_id = 3, .currency_id = 4, .options = 5, .requested_usage = 2, .requested_values = 3};
  static constexpr CheckResponseShape kResponse = kGenericResponse;

  static absl::Status ReadOptions(CheckState<Message>& state) {
    const bool feature = !state.message->feature_id().empty();
    const bool currency = !state.message->currency_id().empty();
    if (feature == currency) {
      return absl::InvalidArgumentError(feature ? "feature_id, currency_id: both are set; expected exactly one"
                                                : "feature_id, currency_id: neither is set; expected exactly one");
    }
    SIDECAR_RETURN_IF_ERROR(ReadGenericOptions(state));
    if (feature) return ReadFeatureId(state);
    SIDECAR_RETURN_IF_ERROR(CheckId("currency_id", state.message->currency_id()));
    state.check.form = CheckForm::kCredit;
    state.check.id = state.message->currency_id();
    return absl::OkStatus();
  }
};

/// The static functions that ReadHandler asks for, for one RPC.
template <typename Rpc>
struct CheckReader {
  using State = CheckState<typename Rpc::Message>;

  static absl::Status Parse(std::string_view bytes, State& state) {
    state.check.form = Rpc::kForm;
    if (ReadFastRequest(bytes, Rpc::kRequest, state.fast)) {
      TakeFast(state);
      return absl::OkStatus();
    }
    SIDECAR_RETURN_IF_ERROR(ParseRequest(bytes, state.message.emplace()));
    SIDECAR_RETURN_IF_ERROR(ReadKey(state));
    SIDECAR_RETURN_IF_ERROR(Rpc::ReadOptions(state));
    if (state.per_call_fallback.has_value()) state.check.per_call_fallback = &*state.per_call_fallback;
    return absl::OkStatus();
  }

  static EntityKeyView Key(const State& state) { return state.key; }
  static std::string_view FeatureId(const State& state) { return state.check.id; }

  static bool Expired(const State& state, const Record& record, WallTime now) {
    const Found found(state, record);
    return IsExpired(found.valid_until(), record.fetched_at_wall(), now);
  }

  static Written Write(const ServiceContext&, const AnswerEncoder& encoder, const State& state, const Record* record,
                       const UsageOverlay* overlay, WallTime now, ReverseWriter& out) {
    if (record != nullptr) {
      Found found(state, *record);
      if (!IsExpired(found.valid_until(), record->fetched_at_wall(), now)) {
        if (overlay != nullptr) found.Raise(*overlay, *record, now);
        const bool granted = Emit(encoder, state, Decide(state.check, found.facts(*record), now), out);
        return {.known = true, .decision = DecisionOf(state, granted)};
      }
    }
    const bool granted = Emit(encoder, state, AnswerFromFallback(state.check), out);
    return {.known = false, .decision = DecisionOf(state, granted)};
  }

 private:
  static void TakeFast(State& state) {
    const FastRequest& fast = state.fast;
    const bool credit = !fast.currency_id.empty();
    state.key = {fast.customer_id, fast.resource_id};
    if (credit) state.check.form = CheckForm::kCredit;
    state.check.id = credit ? fast.currency_id : fast.feature_id;
    state.check.ask = {.requested_usage = fast.requested_usage,
                       .requested_values = {fast.requested_values.data(), fast.requested_values.size()}};
    state.check.requested_usage_given = fast.requested_usage_given;
  }

  /// The thing asked for, if the record has it.
  class Found {
   public:
    Found(const State& state, const Record& record) : is_credit_(state.check.form == CheckForm::kCredit) {
      const int index = is_credit_ ? record.FindCredit(state.check.id) : record.FindFeature(state.check.id);
      if (index < 0) return;
      there_ = true;
      if (is_credit_) {
        record.ReadCredit(static_cast<size_t>(index), credit_);
      } else {
        record.ReadFeature(static_cast<size_t>(index), feature_);
      }
    }

    std::optional<WallTime> valid_until() const {
      if (!there_) return std::nullopt;
      return is_credit_ ? credit_.valid_until : feature_.valid_until;
    }

    /// Adds usage that the record does not have yet.
    void Raise(const UsageOverlay& overlay, const Record& record, WallTime now) {
      if (there_ && !is_credit_) overlay.Raise(record, feature_, now);
    }

    Facts facts(const Record& record) const {
      return {.record_empty = record.empty(),
              .record_reason = record.denied_reason(),
              .feature = there_ && !is_credit_ ? &feature_ : nullptr,
              .credit = there_ && is_credit_ ? &credit_ : nullptr};
    }

   private:
    const bool is_credit_;
    bool there_ = false;
    FeatureView feature_;
    CreditView credit_;
  };

  static Written::Decision DecisionOf(const State& state, bool granted) {
    return {.type = static_cast<size_t>(state.check.form), .granted = granted};
  }

  static bool Emit(const AnswerEncoder& encoder, const State& state, const CheckAnswer& answer, ReverseWriter& out) {
    const size_t mark = out.Mark();
    encoder.WriteCheck(answer, state.check, Rpc::kResponse, out);
    // GetEntitlementV2Response wraps what the others spell out.
    if (Rpc::kForm == CheckForm::kFeature) out.CloseMessage(1, mark);
    return answer.has_access;
  }
};

template <typename Rpc>
Handler MakeCheckHandler(const ServiceContext& context) {
  return
      [handler = std::make_shared<const ReadHandler<CheckReader<Rpc>>>(context)](Call& call) { handler->Handle(call); };
}

}  // namespace

void AddCheckHandlers(const ServiceContext& context, Handlers& handlers) {
  const auto at = [&](Method method) -> Handler& { return handlers[static_cast<size_t>(method)]; };
  at(Method::kGetBooleanEntitlement) = MakeCheckHandler<BooleanRpc>(context);
  at(Method::kGetNumericEntitlement) = MakeCheckHandler<NumericRpc>(context);
  at(Method::kGetMeteredEntitlement) = MakeCheckHandler<MeteredRpc>(context);
  at(Method::kGetEnumEntitlement) = MakeCheckHandler<EnumRpc>(context);
  at(Method::kGetEntitlement) = MakeCheckHandler<GenericRpc>(context);
  at(Method::kGetEntitlementV2) = MakeCheckHandler<V2Rpc>(context);
}

}  // namespace sidecar
