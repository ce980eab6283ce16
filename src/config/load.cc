#include "config/load.h"

#include <utility>

#include "config/cross_checks.h"
#include "config/nearest_name.h"
#include "config/summary.h"
#include "config/url.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kFileSuffix = "_FILE";

std::string Quote(std::string_view value, size_t shown) {
  return StrCat("'", WithoutControls(value.substr(0, shown)), value.size() > shown ? "…" : "", "'");
}

class Loader {
 public:
  Loader(const Environment& environment, Purpose purpose, const FileReader& read_file)
      : environment_(environment), purpose_(purpose), read_file_(read_file) {}

  LoadedConfig Load() {
    if (purpose_ == Purpose::kDev) out_.config.listen_address = "127.0.0.1";
    for (const Setting& setting : Settings()) Apply(setting);
    DeriveUrls();
    CheckAcrossSettings(environment_, purpose_, out_);
    if (purpose_ == Purpose::kClient) {
      out_.warnings.clear();
    } else {
      WarnAboutUnknownNames();
    }
    return std::move(out_);
  }

 private:
  void Apply(const Setting& setting) {
    std::string_view name = setting.name;
    std::string_view value = ValueOf(environment_, name);
    if (value.empty() && !setting.alias.empty()) {
      name = setting.alias;
      value = ValueOf(environment_, name);
    }
    if (setting.secret && ApplyFile(setting, !value.empty())) return;
    if (value.empty()) return;
    if (setting.codec.parse(value, out_.config)) {
      Note(setting, name == setting.name ? "" : StrCat("as ", name));
    } else {
      Refuse(setting, name, value);
    }
  }

  void Note(const Setting& setting, std::string note) {
    out_.origins[setting.name] = {.kind = Origin::Kind::kSet, .note = std::move(note)};
  }

  void Violate(const Setting& setting, std::string violation) {
    if (purpose_ == Purpose::kClient && setting.group != kListenersGroup) return;
    out_.violations.push_back(std::move(violation));
  }

  void Refuse(const Setting& setting, std::string_view name, std::string_view value) {
    using Quoted = ValueCodec::Quote;
    const ValueCodec& codec = setting.codec;
    const std::vector<std::string> mistakes = codec.explain ? codec.explain(value) : std::vector<std::string>();
    if (codec.quote == Quoted::kMistakesOnly) {
      for (const std::string& mistake : mistakes) {
        Violate(setting, StrCat(name, " is not accepted: ", WithoutControls(mistake)));
      }
      return;
    }
    const bool hidden = setting.secret || codec.quote == Quoted::kNothing;
    Violate(setting, StrCat(name, hidden ? "" : StrCat("=", Seen(value)), " is not accepted: expected ",
                            setting.accepted, mistakes.empty() ? "" : StrCat(" (", Join(mistakes, "; "), ")")));
  }

  /// True when the secret's file twin is set, whether or not it could be read.
  bool ApplyFile(const Setting& setting, bool given_by_value) {
    const std::string file_name = StrCat(setting.name, kFileSuffix);
    const std::string path(ValueOf(environment_, file_name));
    if (path.empty()) return false;
    if (given_by_value) {
      Violate(setting, StrCat(setting.name, " and ", file_name, " are both set: keep one"));
      return true;
    }
    const absl::StatusOr<std::string> secret = ReadSecretFile(path, read_file_);
    if (!secret.ok()) {
      Violate(setting, StrCat(file_name, "=", SeenPath(path), ": ", Message(secret.status()),
                              "; expected a readable file with ", setting.accepted));
      return true;
    }
    setting.codec.parse(*secret, out_.config);
    SecretOf(setting).file = path;
    Note(setting, StrCat("as ", file_name, "=", path));
    return true;
  }

  Secret& SecretOf(const Setting& setting) {
    RedisConfig& redis = out_.config.redis;
    if (setting.name == "REDIS_PASSWORD") return redis.password;
    if (setting.name == "REDIS_SENTINEL_PASSWORD") return redis.sentinel_password;
    return out_.config.server_api_key;
  }

  void DeriveUrls() {
    Config& config = out_.config;
    const auto derive = [&](std::string_view name, std::string& url, std::string (*from)(std::string_view)) {
      if (out_.origins.contains(name)) return;
      url = from(config.api_url);
      out_.origins[name] = {.kind = Origin::Kind::kDerived, .note = "from API_URL"};
    };
    if (!out_.origins.contains("API_URL")) return;
    derive("EDGE_API_URL", config.edge_api_url, DeriveEdgeUrl);
    derive("WS_URL", config.ws_url, DeriveWsUrl);
  }

  void WarnAboutUnknownNames() {
    for (const auto& [name, value] : environment_) {
      if (ValueOf(environment_, name).empty() || !LooksLikeOurs(name, value)) continue;
      const std::string nearest = NearestName(name);
      out_.warnings.push_back(
          StrCat(name, " is not a setting", nearest.empty() ? "" : StrCat("; did you mean ", nearest, "?")));
    }
  }

  const Environment& environment_;
  const Purpose purpose_;
  const FileReader& read_file_;
  LoadedConfig out_;
};

}  // namespace

LoadedConfig LoadConfig(const Environment& environment, Purpose purpose, const FileReader& read_file) {
  return Loader(environment, purpose, read_file).Load();
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path, const FileReader& read_file) {
  absl::StatusOr<std::string> text = read_file(path);
  if (!text.ok()) return text;
  std::string secret(StripWhitespace(*text));
  if (secret.empty()) return absl::InvalidArgumentError("the file is empty");
  return secret;
}

std::string Seen(std::string_view value) {
  constexpr size_t kMax = 60;
  // What stands before '@' in a URL may be a password, also when the URL is wrong.
  const size_t at = value.rfind('@');
  if (at == std::string_view::npos) return Quote(value, kMax);
  const size_t scheme = value.find("://");
  const size_t begin = scheme < at ? scheme + 3 : 0;
  return Quote(StrCat(value.substr(0, begin), "***", value.substr(at)), kMax);
}

std::string SeenPath(std::string_view path) { return Quote(path, 1'000); }

}  // namespace sidecar
