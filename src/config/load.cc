#include "config/load.h"

#include <algorithm>
#include <utility>

#include "adapters/json/fallback_codec.h"
#include "config/nearest_name.h"
#include "config/url.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::string_view kFileSuffix = "_FILE";

/// An empty variable means unset. White space around a value is an accident of quoting.
std::string_view ValueOf(const Environment& environment, std::string_view name) {
  const auto found = environment.find(std::string(name));
  return found == environment.end() ? std::string_view() : StripWhitespace(found->second);
}

/// Cuts a value short for a message and makes control characters visible.
std::string Seen(std::string_view value) {
  constexpr size_t kShown = 60;
  std::string shown;
  for (const char c : value.substr(0, kShown)) shown.push_back(IsControl(c) ? '?' : c);
  return StrCat("'", shown, value.size() > kShown ? "…" : "", "'");
}

/// What is known about mistakes that are made with this variable.
std::string Hint(const Setting& setting, std::string_view value) {
  if (setting.name == "ENTITLEMENTS_FALLBACK") {
    return StrCat(" (", Message(ParseFallbacks(value).status()), ")");
  }
  if (setting.name.ends_with("_PORT") && value.starts_with("tcp://")) {
    return " (Kubernetes injects this for a Service of that name: set enableServiceLinks: false on the pod)";
  }
  if (setting.name.ends_with("_URL") && Contains(setting.accepted, "://")) {
    if (!Contains(value, "://")) return " (the scheme is missing)";
    return " (without /graphql or /api at the end, user names or a query)";
  }
  return "";
}

class Loader {
 public:
  Loader(const Environment& environment, Purpose purpose, const FileReader& read_file)
      : environment_(environment), purpose_(purpose), read_file_(read_file) {}

  LoadedConfig Load() {
    if (purpose_ == Purpose::kDev) out_.config.listen_address = "127.0.0.1";
    for (const Setting& setting : Settings()) Apply(setting);
    ApplyLowerCaseProxies();
    DeriveUrls();
    CheckAcrossSettings();
    WarnAboutUnknownNames();
    return std::move(out_);
  }

 private:
  void Apply(const Setting& setting) {
    const std::string_view value = ValueOf(environment_, setting.name);
    if (setting.secret && ApplyFile(setting, !value.empty())) return;
    if (value.empty() || setting.parse(value, out_.config)) return;
    out_.violations.push_back(StrCat(setting.name, setting.secret ? "" : StrCat("=", Seen(value)),
                                     " is not accepted: expected ", setting.accepted, Hint(setting, value)));
  }

  /// True when the secret's file twin is set, whether or not it could be read.
  bool ApplyFile(const Setting& setting, bool given_by_value) {
    const std::string file_name = StrCat(setting.name, kFileSuffix);
    const std::string path(ValueOf(environment_, file_name));
    if (path.empty()) return false;
    if (given_by_value) {
      out_.violations.push_back(StrCat(setting.name, " and ", file_name, " are both set: keep one"));
      return true;
    }
    const absl::StatusOr<std::string> secret = ReadSecretFile(path, read_file_);
    if (!secret.ok()) {
      out_.violations.push_back(StrCat(file_name, "=", Seen(path), ": ", Message(secret.status()),
                                       "; expected a readable file with ", setting.accepted));
      return true;
    }
    setting.parse(*secret, out_.config);
    (setting.name == "SERVER_API_KEY" ? out_.config.server_api_key : out_.config.redis.password).file = path;
    return true;
  }

  /// The lower-case spelling that curl reads counts where the upper-case one is unset.
  void ApplyLowerCaseProxies() {
    const auto apply = [&](std::string_view name, std::string& target) {
      if (target.empty()) target = std::string(ValueOf(environment_, name));
    };
    apply("https_proxy", out_.config.https_proxy);
    apply("http_proxy", out_.config.http_proxy);
    apply("no_proxy", out_.config.no_proxy);
  }

  void DeriveUrls() {
    Config& config = out_.config;
    if (ValueOf(environment_, "API_URL").empty()) return;
    if (ValueOf(environment_, "EDGE_API_URL").empty()) config.edge_api_url = DeriveEdgeUrl(config.api_url);
    if (ValueOf(environment_, "WS_URL").empty()) config.ws_url = DeriveWsUrl(config.api_url);
  }

  void CheckAcrossSettings() {
    const Config& config = out_.config;
    if (purpose_ == Purpose::kServe && !config.offline && config.server_api_key.value.empty() &&
        ValueOf(environment_, "SERVER_API_KEY_FILE").empty()) {
      out_.violations.push_back(
          "SERVER_API_KEY is not set: expected the server API key of the environment (Stigg console, Integrations, API "
          "keys). To try the sidecar without an account run `stigg-sidecar dev`, or set OFFLINE=1");
    }
    if (!config.offline_data_file.empty() && !config.offline) {
      out_.violations.push_back("OFFLINE_DATA_FILE is set without OFFLINE=1: set both or neither");
    }
    if (!config.extra_ca_file.empty() && purpose_ != Purpose::kClient) CheckCaFile(config.extra_ca_file);
    if (config.drain_settle > config.drain_timeout) {
      out_.violations.push_back(StrCat("DRAIN_SETTLE_MS=", config.drain_settle.count(),
                                       " is longer than DRAIN_TIMEOUT_MS=", config.drain_timeout.count(),
                                       ", which includes it"));
    }
    const std::string proxies[] = {config.https_proxy, config.http_proxy};
    for (const std::string& proxy : proxies) {
      if (!proxy.empty() && !proxy.starts_with("http://")) {
        out_.violations.push_back(
            "HTTPS_PROXY or HTTP_PROXY is not accepted: expected http://[user:password@]host:port");
        break;
      }
    }
    if (config.grpc_socket.size() > 107) {
      out_.violations.push_back(
          StrCat("GRPC_SOCKET has ", config.grpc_socket.size(), " bytes: expected a path of at most 107 bytes"));
    }
  }

  void CheckCaFile(const std::string& path) {
    const absl::StatusOr<std::string> text = read_file_(path);
    if (text.ok() && Contains(*text, "-----BEGIN CERTIFICATE-----")) return;
    out_.violations.push_back(StrCat("EXTRA_CA_FILE=", Seen(path), ": ",
                                     text.ok() ? "has no certificate" : Message(text.status()),
                                     "; expected a readable PEM file with certificates"));
  }

  void WarnAboutUnknownNames() {
    for (const auto& [name, value] : environment_) {
      if (value.empty() || !LooksLikeOurs(name)) continue;
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

std::string Summarize(const Environment& environment) {
  std::string out;
  for (const Setting& setting : Settings()) {
    const std::string_view value = ValueOf(environment, setting.name);
    const std::string_view file =
        setting.secret ? ValueOf(environment, StrCat(setting.name, kFileSuffix)) : std::string_view();
    if (!file.empty()) {
      StrAppend(&out, setting.name, kFileSuffix, "=", file, "\n");
    } else if (setting.secret) {
      StrAppend(&out, setting.name, value.empty() ? " (not set)\n" : " (set, not shown)\n");
    } else if (setting.name.ends_with("S_PROXY") || setting.name.ends_with("P_PROXY")) {
      // May carry a password.
      StrAppend(&out, setting.name, value.empty() ? " (not set)\n" : " (set, not shown)\n");
    } else if (value.empty()) {
      StrAppend(&out, setting.name, " (default: ", setting.default_text, ")\n");
    } else {
      StrAppend(&out, setting.name, "=", value, "\n");
    }
  }
  return out;
}

std::string HelpText() {
  std::string out;
  std::string_view group;
  for (const Setting& setting : Settings()) {
    if (setting.group != group) StrAppend(&out, "\n", setting.group, "\n");
    group = setting.group;
    StrAppend(&out, "  ", setting.name, "\n");
    if (!setting.help.empty()) StrAppend(&out, "      ", setting.help, "\n");
    StrAppend(&out, "      Accepts ", setting.accepted, ". Default: ", setting.default_text, ".\n");
    if (setting.secret) {
      StrAppend(&out, "      Or ", setting.name, kFileSuffix, ": a file with the value, re-read when it changes.\n");
    }
  }
  return out;
}

std::string MarkdownReference() {
  std::string out;
  std::string_view group;
  for (const Setting& setting : Settings()) {
    if (setting.group != group) {
      StrAppend(&out, group.empty() ? "" : "\n", "**", setting.group,
                "**\n\n| variable | default | accepts | meaning |\n|---|---|---|---|\n");
    }
    group = setting.group;
    StrAppend(&out, "| `", setting.name, "`", setting.secret ? StrCat(" or `", setting.name, "_FILE`") : "", " | ",
              setting.default_text, " | ", setting.accepted, " | ", setting.help, " |\n");
  }
  return out;
}

}  // namespace sidecar
