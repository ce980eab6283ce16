// The kinds of values that settings have. `Ref` finds the member in a Config, const or not.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "config/settings.h"
#include "config/url.h"
#include "text/text.h"

namespace sidecar {

/// The member of a Config as a Ref.
#define MEMBER(path) \
  [](auto& config) -> auto& { return config.path; }  // NOLINT(bugprone-macro-parentheses): no expression

template <typename Ref>
ValueCodec TextIf(Ref ref, bool (*accepts)(std::string_view)) {
  return {.parse =
              [ref, accepts](std::string_view value, Config& config) {
                if (accepts(value)) ref(config) = std::string(value);
                return accepts(value);
              },
          .show = [ref](const Config& config) { return ref(config); }};
}

template <typename Ref>
ValueCodec Text(Ref ref) {
  return TextIf(ref, [](std::string_view) { return true; });
}

template <typename Ref>
ValueCodec Bool(Ref ref) {
  return {.parse =
              [ref](std::string_view value, Config& config) {
                const std::string lower = ToLower(value);
                for (const std::string_view yes : {"1", "true", "yes", "on"}) {
                  if (lower == yes) return ref(config) = true;
                }
                for (const std::string_view no : {"0", "false", "no", "off"}) {
                  if (lower == no) return !(ref(config) = false);
                }
                return false;
              },
          .show = [ref](const Config& config) { return std::string(ref(config) ? "1" : "0"); }};
}

/// What Kubernetes injects for a Service of that name, where a number is expected.
std::vector<std::string> ExplainNumber(std::string_view value);

template <typename Ref>
ValueCodec Whole(Ref ref, int64_t min, int64_t max) {
  return {.parse =
              [ref, min, max](std::string_view value, Config& config) {
                const std::optional<int64_t> number = ParseNumber<int64_t>(value);
                if (!number.has_value() || *number < min || *number > max) return false;
                using Target = std::remove_reference_t<decltype(ref(config))>;
                ref(config) = static_cast<Target>(*number);
                return true;
              },
          .show = [ref](const Config& config) { return StrCat(ref(config)); },
          .explain = ExplainNumber};
}

template <typename Ref>
ValueCodec Duration(Ref ref, int64_t unit_ms, int64_t min, int64_t max) {
  return {.parse =
              [ref, unit_ms, min, max](std::string_view value, Config& config) {
                const std::optional<int64_t> number = ParseNumber<int64_t>(value);
                if (!number.has_value() || *number < min || *number > max) return false;
                ref(config) = Millis(*number * unit_ms);
                return true;
              },
          .show = [ref, unit_ms](const Config& config) { return StrCat(ref(config).count() / unit_ms); }};
}

template <typename Ref>
ValueCodec MillisFrom1(Ref ref) {
  return Duration(ref, 1, 1, 3'600'000);
}

std::vector<std::string> ExplainUrl(std::string_view value);

template <typename Ref>
ValueCodec Url(Ref ref, std::string_view plain_scheme, std::string_view tls_scheme) {
  return {.parse =
              [ref, plain_scheme, tls_scheme](std::string_view value, Config& config) {
                std::optional<std::string> base = ParseBaseUrl(value, plain_scheme, tls_scheme);
                if (!base.has_value()) return false;
                ref(config) = *std::move(base);
                return true;
              },
          .show = [ref](const Config& config) { return ref(config); },
          .explain = ExplainUrl};
}

/// Shown, and complained of, without user and password.
template <typename Ref>
ValueCodec Proxy(Ref ref) {
  return {.parse =
              [ref](std::string_view value, Config& config) {
                absl::StatusOr<std::string> proxy = ParseProxyUrl(value);
                if (!proxy.ok()) return false;
                ref(config) = *std::move(proxy);
                return true;
              },
          .show = [ref](const Config& config) { return WithoutUserInfo(ref(config)); },
          .explain = [](std::string_view value) -> std::vector<std::string> {
            return {std::string(Message(ParseProxyUrl(value).status()))};
          },
          .quote = ValueCodec::Quote::kNothing};
}

template <typename Ref>
ValueCodec PathWithSlash(Ref ref) {
  return {.parse =
              [ref](std::string_view value, Config& config) {
                for (const char c : value) {
                  if (IsControl(c) || c == ' ' || c == '?' || c == '#') return false;
                }
                ref(config) = value.starts_with("/") ? std::string(value) : "/" + std::string(value);
                return true;
              },
          .show = [ref](const Config& config) { return ref(config); }};
}

}  // namespace sidecar
