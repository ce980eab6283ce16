#include "front/http2/wire.h"

#include "absl/strings/escaping.h"
#include "text/text.h"

namespace sidecar {

std::optional<std::chrono::nanoseconds> ParseGrpcTimeout(std::string_view text) {
  using std::chrono::nanoseconds;
  constexpr size_t kDigitsMax = 8;
  if (text.size() < 2 || text.size() > kDigitsMax + 1) return std::nullopt;
  const std::string_view digits = text.substr(0, text.size() - 1);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  const int64_t count = *ParseNumber<int64_t>(digits);
  // Hours of eight digits are more nanoseconds than there are: a year says as much.
  constexpr std::chrono::hours kLongest{24 * 365};
  const auto at_most = [&](auto unit) {
    return count >= kLongest / unit ? nanoseconds(kLongest) : nanoseconds(unit * count);
  };
  switch (text.back()) {
    case 'H':
      return at_most(std::chrono::hours(1));
    case 'M':
      return at_most(std::chrono::minutes(1));
    case 'S':
      return at_most(std::chrono::seconds(1));
    case 'm':
      return at_most(std::chrono::milliseconds(1));
    case 'u':
      return at_most(std::chrono::microseconds(1));
    case 'n':
      return at_most(nanoseconds(1));
    default:
      return std::nullopt;
  }
}

std::string PercentEncoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7E && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
    }
  }
  return out;
}

std::string Base64(std::string_view bytes) {
  std::string out = absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
  while (out.ends_with('=')) out.pop_back();
  return out;
}

}  // namespace sidecar
