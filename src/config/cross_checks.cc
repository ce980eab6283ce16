#include "config/cross_checks.h"

#include "text/text.h"

namespace sidecar {
namespace {

class CrossChecks {
 public:
  CrossChecks(const Environment& environment, Purpose purpose, LoadedConfig& loaded)
      : environment_(environment), purpose_(purpose), config_(loaded.config), loaded_(loaded) {}

  void Run() {
    CheckPorts();
    CheckPaths();
    if (purpose_ == Purpose::kClient) return;
    CheckKey();
    CheckOffline();
    CheckDrain();
    CheckSentinels();
    CheckTls();
    CheckRecording();
    CheckShadow();
  }

 private:
  template <typename... Args>
  void Violate(const Args&... args) {
    loaded_.violations.push_back(StrCat(args...));
  }
  bool IsSet(std::string_view name) const { return !ValueOf(environment_, name).empty(); }

  void CheckPorts() {
    CheckPair("PORT", config_.port, "GRPC_PORT", config_.grpc_port);
    if (config_.http_port_given) {
      CheckPair("PORT", config_.port, "HTTP_PORT", config_.http_port);
      CheckPair("GRPC_PORT", config_.grpc_port, "HTTP_PORT", config_.http_port);
    } else if (config_.http_port == config_.port || config_.http_port == config_.grpc_port) {
      // Left at its default it gives way (design section 3): PORT answers the probes too.
      loaded_.warnings.push_back(StrCat("HTTP_PORT=", config_.http_port,
                                        ", its default, is the port of gRPC: metrics are not served; set HTTP_PORT to "
                                        "another port, or to 0"));
    }
  }

  void CheckPair(std::string_view name, uint16_t port, std::string_view other_name, uint16_t other) {
    if (port == 0 || port != other) return;
    Violate(name, "=", port, " and ", other_name, "=", other, " are the same: expected two ports; set ", other_name,
            " to another port, or to 0");
  }

  void CheckShadow() {
    if (IsOurOwn(config_.shadow_target)) {
      Violate("SHADOW_TARGET=", config_.shadow_target,
              " is where this sidecar listens: it would agree with itself; expected another one");
    }
    if (!config_.shadow_target.empty()) return;
    for (const std::string_view name : {"SHADOW_SAMPLE_PERCENT", "SHADOW_TIMEOUT_MS", "SHADOW_IGNORE_FIELDS"}) {
      if (IsSet(name)) Violate(name, " is set without SHADOW_TARGET: set both or neither");
    }
  }

  /// As far as the text shows it.
  bool IsOurOwn(std::string_view target) const {
    if (target.starts_with("unix:")) return !config_.grpc_socket.empty() && target.substr(5) == config_.grpc_socket;
    const size_t colon = target.rfind(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view port = target.substr(colon + 1);
    const auto is_port = [port](uint16_t own) { return own != 0 && ParseNumber<uint16_t>(port) == own; };
    if (!is_port(config_.port) && !is_port(config_.grpc_port)) return false;
    std::string_view host = target.substr(0, colon);
    if (host.starts_with("[") && host.ends_with("]")) host = host.substr(1, host.size() - 2);
    const std::string_view listen = config_.listen_address;
    if (host == listen) return true;
    const auto is_loopback = [](std::string_view address) { return address == "127.0.0.1" || address == "::1"; };
    if (host == "localhost") return is_loopback(listen) || listen == "::" || listen == "0.0.0.0";
    return is_loopback(host) && (listen == "::" || listen == "0.0.0.0");
  }

  /// What a replay could not repeat (docs/adr/0026).
  void CheckRecording() {
    if (config_.record_path.empty()) {
      if (IsSet("RECORD_MAX_BYTES")) Violate("RECORD_MAX_BYTES is set without RECORD_PATH: set both or neither");
      return;
    }
    if (!config_.redis.environment_prefix.empty()) {
      Violate(
          "RECORD_PATH with REDIS_ENVIRONMENT_PREFIX: what Redis answers is not recorded; expected one of them "
          "unset (record a replica that runs without Redis)");
    }
    if (config_.usage_overlay) {
      Violate("RECORD_PATH with USAGE_OVERLAY: a replay shows no usage early; expected one of them unset");
    }
    if (!config_.snapshot_path.empty()) {
      loaded_.warnings.push_back(
          "RECORD_PATH is set: the snapshot is written and not restored, since a recording begins with an empty cache");
    }
  }

  void CheckPaths() {
    const std::string& health = config_.health_path;
    const std::string& ready = config_.ready_path;
    if (health == ready) {
      Violate("HEALTH_ENDPOINT_URL=", health, " and READY_ENDPOINT_URL=", ready, " are the same: expected two paths");
    }
    constexpr std::string_view kMetrics = "/metrics";
    if (health == kMetrics) Violate("HEALTH_ENDPOINT_URL=/metrics is taken: expected another path than /metrics");
    if (ready == kMetrics) Violate("READY_ENDPOINT_URL=/metrics is taken: expected another path than /metrics");
  }

  void CheckKey() {
    if (purpose_ == Purpose::kServe && !config_.offline && config_.server_api_key.value.empty() &&
        !IsSet("SERVER_API_KEY_FILE")) {
      Violate(
          "SERVER_API_KEY is not set: expected the server API key of the environment (Stigg console, Integrations, API "
          "keys). To try the sidecar without an account run `stigg-sidecar dev`, or set OFFLINE=1");
    }
  }

  void CheckOffline() {
    const bool has_file = !config_.offline_data_file.empty();
    if (purpose_ == Purpose::kDev) {
      if (config_.offline) {
        Violate("OFFLINE=1 contradicts `dev`, which has an upstream of its own: expected it unset, or `serve`");
      }
      if (has_file) Violate("OFFLINE_DATA_FILE is not read by `dev`: expected it unset, and `dev --data FILE`");
    } else if (has_file && !config_.offline) {
      Violate("OFFLINE_DATA_FILE is set without OFFLINE=1: set both or neither");
    }
  }

  void CheckDrain() {
    if (config_.drain_settle <= config_.drain_timeout) return;
    Violate("DRAIN_SETTLE_MS=", config_.drain_settle.count(),
            " is longer than DRAIN_TIMEOUT_MS=", config_.drain_timeout.count(), ", which includes it");
  }

  /// To ignore half of it would serve plaintext to somebody who asked for TLS.
  void CheckTls() {
    const TlsConfig& tls = config_.tls;
    if (tls.cert_file.empty() != tls.key_file.empty()) {
      Violate("TLS_CERT_FILE and TLS_KEY_FILE belong together: ",
              tls.cert_file.empty() ? "TLS_CERT_FILE" : "TLS_KEY_FILE", " is not set; set both or neither");
    } else if (!tls.client_ca_file.empty() && tls.cert_file.empty()) {
      Violate("TLS_CLIENT_CA_FILE is set without TLS_CERT_FILE and TLS_KEY_FILE: set all three, or none");
    }
  }

  void CheckSentinels() {
    const bool has_name = !config_.redis.master_name.empty();
    const bool has_sentinels = !config_.redis.sentinels.empty();
    if (has_sentinels && !has_name) {
      Violate(
          "REDIS_SENTINELS is set without REDIS_MASTER_NAME: expected what the Sentinels call the master, often "
          "mymaster");
    }
    if (has_name && !has_sentinels) {
      Violate("REDIS_MASTER_NAME is set without REDIS_SENTINELS: set both or neither");
    }
    if (has_sentinels && (IsSet("REDIS_HOST") || IsSet("REDIS_PORT"))) {
      loaded_.warnings.emplace_back(
          "REDIS_HOST and REDIS_PORT are not used: REDIS_SENTINELS say where the master is; unset the ones or the "
          "other");
    }
  }

  const Environment& environment_;
  const Purpose purpose_;
  const Config& config_;
  LoadedConfig& loaded_;
};

}  // namespace

void CheckAcrossSettings(const Environment& environment, Purpose purpose, LoadedConfig& loaded) {
  CrossChecks(environment, purpose, loaded).Run();
}

}  // namespace sidecar
