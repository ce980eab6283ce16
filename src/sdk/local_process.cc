#include "sdk/local_process.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "text/text.h"

extern char** environ;

namespace stigg::sidecar::sdk {
namespace {

using ::sidecar::Error;
using ::sidecar::InvalidArgument;
using ::sidecar::StrCat;

constexpr std::string_view kReady = "Sidecar is ready";
constexpr int kConfigurationExit = 78;  // EX_CONFIG (src/app/exit_codes.h)
constexpr Millis kEndTimeout{12'000};   // its own is 10 s
constexpr size_t kErrorsKept = 4'096;
/// A port that was free may be taken before the process binds it; then others are tried.
constexpr int kStartsMax = 3;

/// Settings of this process's environment that are not the child's: where to listen is said here.
constexpr std::string_view kListening[] = {"PORT",          "GRPC_PORT",    "HTTP_PORT",          "GRPC_SOCKET",
                                           "TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE", "LISTEN_ADDRESS"};

int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  int port = 0;
  if (bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(probe);
  return port;
}

nlohmann::ordered_json JsonOf(const BooleanFallback& fallback) { return {{"hasAccess", fallback.has_access}}; }
nlohmann::ordered_json JsonOf(const NumericFallback& fallback) {
  nlohmann::ordered_json json = {{"hasAccess", fallback.has_access}};
  if (fallback.value.has_value()) json["value"] = *fallback.value;
  if (fallback.is_unlimited.has_value()) json["isUnlimited"] = *fallback.is_unlimited;
  return json;
}
nlohmann::ordered_json JsonOf(const MeteredFallback& fallback) {
  nlohmann::ordered_json json = {{"hasAccess", fallback.has_access}};
  if (fallback.usage_limit.has_value()) json["usageLimit"] = *fallback.usage_limit;
  if (fallback.is_unlimited.has_value()) json["isUnlimited"] = *fallback.is_unlimited;
  return json;
}
nlohmann::ordered_json JsonOf(const EnumFallback& fallback) {
  return {{"hasAccess", fallback.has_access}, {"enumValues", fallback.values}};
}

/// The environment of the child, as execve takes it.
std::vector<std::string> WholeEnvironment(const std::map<std::string, std::string>& settings) {
  std::vector<std::string> all;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable(*each);
    const std::string name(variable.substr(0, variable.find('=')));
    const bool listens = std::find(std::begin(kListening), std::end(kListening), name) != std::end(kListening);
    if (!listens && settings.find(name) == settings.end()) all.emplace_back(variable);
  }
  for (const auto& [name, value] : settings) all.push_back(StrCat(name, "=", value));
  return all;
}

bool IsPortTaken(std::string_view said) { return ::sidecar::Contains(said, strerror(EADDRINUSE)); }

struct Spawned {
  pid_t pid;
  int output;
  int errors;
};

absl::StatusOr<Spawned> Spawn(const std::string& program, const std::map<std::string, std::string>& settings) {
  std::array<int, 2> output{};
  std::array<int, 2> errors{};
  if (pipe2(output.data(), O_CLOEXEC) != 0)
    return Error(absl::StatusCode::kResourceExhausted, "pipe: ", strerror(errno));
  if (pipe2(errors.data(), O_CLOEXEC) != 0) {
    const int why = errno;
    close(output[0]);
    close(output[1]);
    return Error(absl::StatusCode::kResourceExhausted, "pipe: ", strerror(why));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  posix_spawn_file_actions_adddup2(&actions, errors[1], 2);
  // Signals that this thread blocks are not the child's; Ctrl-C at the terminal is for this process, which ends the
  // child.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

  std::vector<std::string> environment = WholeEnvironment(settings);
  std::vector<char*> pointers;
  pointers.reserve(environment.size() + 1);
  for (std::string& each : environment) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  std::string name = program;
  std::array<char*, 2> arguments{name.data(), nullptr};
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, name.c_str(), &actions, &attributes, arguments.data(), pointers.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(output[1]);
  close(errors[1]);
  if (failed == 0) return Spawned{.pid = pid, .output = output[0], .errors = errors[0]};
  close(output[0]);
  close(errors[0]);
  return Error(absl::StatusCode::kNotFound, "program: cannot start ", program, ": ", strerror(failed));
}

absl::Status CheckLocal(const LocalSidecar& local) {
  if (local.port < 0 || local.port > 65'535) return InvalidArgument("port: ", local.port, "; expected 0 to 65535");
  if (local.start_timeout < Millis(1)) {
    return InvalidArgument("start_timeout: ", local.start_timeout.count(), " ms; expected 1 or more");
  }
  if (local.redis.has_value() && local.redis->environment_prefix.empty()) {
    return InvalidArgument("redis.environment_prefix: must not be empty");
  }
  return absl::OkStatus();
}

}  // namespace

std::string FallbackJson(const std::map<std::string, Fallback>& fallbacks) {
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (const auto& [feature, fallback] : fallbacks) {
    all[feature] = std::visit([](const auto& any) { return JsonOf(any); }, fallback);
  }
  return all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::map<std::string, std::string> EnvironmentOf(const LocalSidecar& local) {
  std::map<std::string, std::string> settings;
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) settings[name] = value;
  };
  const auto yes_or_no = [&](const char* name, std::optional<bool> value) {
    if (value.has_value()) settings[name] = *value ? "1" : "0";
  };
  text("SERVER_API_KEY", local.api_key);
  text("API_URL", local.api_url);
  yes_or_no("EDGE_ENABLED", local.edge_enabled);
  text("EDGE_API_URL", local.edge_api_url);
  yes_or_no("WS_ENABLED", local.ws_enabled);
  text("WS_URL", local.ws_url);
  if (local.redis.has_value()) {
    const RedisOptions& redis = *local.redis;
    settings["REDIS_ENVIRONMENT_PREFIX"] = redis.environment_prefix;
    text("REDIS_HOST", redis.host);
    if (redis.port != 0) settings["REDIS_PORT"] = StrCat(redis.port);
    if (redis.db.has_value()) settings["REDIS_DB"] = StrCat(*redis.db);
    text("REDIS_USERNAME", redis.username);
    text("REDIS_PASSWORD", redis.password);
    if (redis.ttl_secs.has_value()) settings["REDIS_KEYS_TTL_IN_SECS"] = StrCat(*redis.ttl_secs);
  }
  if (!local.entitlements_fallback.empty()) {
    settings["ENTITLEMENTS_FALLBACK"] = FallbackJson(local.entitlements_fallback);
  }
  if (local.cache_max_size_bytes.has_value()) settings["CACHE_MAX_SIZE_BYTES"] = StrCat(*local.cache_max_size_bytes);
  // Nobody moves away from a sidecar of one's own, and it ends also when this process is killed.
  settings["DRAIN_SETTLE_MS"] = "0";
  settings["END_WITH_PARENT"] = "1";
  settings["HTTP_PORT"] = "0";
  for (const auto& [name, value] : local.environment) settings[name] = value;
  return settings;
}

absl::StatusOr<std::unique_ptr<LocalProcess>> LocalProcess::Start(const LocalSidecar& local) {
  if (absl::Status status = CheckLocal(local); !status.ok()) return status;
  std::map<std::string, std::string> settings = EnvironmentOf(local);
  settings["LISTEN_ADDRESS"] = "127.0.0.1";
  for (int start = 1;; ++start) {
    const int port = local.port != 0 ? local.port : FreePort();
    settings["PORT"] = StrCat(port);
    const absl::StatusOr<Spawned> spawned = Spawn(local.program, settings);
    if (!spawned.ok()) return spawned.status();
    std::unique_ptr<LocalProcess> process(new LocalProcess(spawned->pid, port, spawned->output, spawned->errors));
    absl::Status status = process->WaitUntilReady(local.start_timeout);
    if (status.ok()) return process;
    if (local.port != 0 || start == kStartsMax || !IsPortTaken(::sidecar::Message(status))) return status;
  }
}

LocalProcess::LocalProcess(pid_t pid, int port, int output, int errors)
    : pid_(pid), port_(port), reader_([this, output, errors] { Read(output, errors); }) {}

LocalProcess::~LocalProcess() {
  // An application that ignores SIGCHLD, or waits for any child, may have taken note of its end: the number may be
  // somebody else's by now.
  siginfo_t ended;
  const bool ours = reaped_ || waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0;
  // The group: the program may be a wrapper, and what is below it holds the pipes open too.
  if (ours && !reaped_) {
    kill(-pid_, SIGTERM);
    if (!Reap(kEndTimeout)) {
      kill(-pid_, SIGKILL);
      Reap(kEndTimeout);
    }
  }
  if (ours) kill(-pid_, SIGKILL);
  reader_.join();
}

bool LocalProcess::Reap(Millis timeout) {
  const absl::Time deadline = absl::Now() + absl::FromChrono(timeout);
  for (Millis pause(1);; pause = std::min(2 * pause, Millis(50))) {
    const pid_t ended = waitpid(pid_, &exit_status_, WNOHANG);
    // An application that ignores SIGCHLD leaves nothing to wait for.
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) return reaped_ = true;
    if (absl::Now() >= deadline) return false;
    absl::SleepFor(absl::FromChrono(pause));
  }
}

absl::Status LocalProcess::WaitUntilReady(Millis timeout) {
  std::string said;
  {
    absl::MutexLock lock(&mu_);
    const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return ready_ || ended_; };
    const bool in_time = mu_.AwaitWithTimeout(absl::Condition(&settled), absl::FromChrono(timeout));
    if (ready_) return absl::OkStatus();
    if (!in_time) {
      return Error(absl::StatusCode::kDeadlineExceeded, "the sidecar is not ready after ", timeout.count(),
                   " ms: ", errors_);
    }
    said = errors_;
  }
  if (Reap(kEndTimeout) && WIFEXITED(exit_status_)) {
    const int code = WEXITSTATUS(exit_status_);
    if (code == 127) return Error(absl::StatusCode::kNotFound, "program: it could not be started");
    const bool refused = code == kConfigurationExit && !IsPortTaken(said);
    return Error(refused ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kUnavailable,
                 "the sidecar ended with ", code, ": ", said);
  }
  return Error(absl::StatusCode::kUnavailable, "the sidecar ended before it was ready: ", said);
}

void LocalProcess::Read(int output, int errors) {
  // The application's signals are not for this thread; a standard error that nobody reads must not end it.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::array<pollfd, 2> sources{{{output, POLLIN, 0}, {errors, POLLIN, 0}}};
  while (sources[0].fd >= 0 || sources[1].fd >= 0) {
    if (poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) break;
    for (size_t i = 0; i < sources.size(); ++i) {
      if (sources[i].fd < 0 || sources[i].revents == 0) continue;
      std::array<char, 4096> buffer;
      const ssize_t size = read(sources[i].fd, buffer.data(), buffer.size());
      if (size > 0) {
        const std::string_view text(buffer.data(), static_cast<size_t>(size));
        i == 0 ? LookForReady(text) : PassOn(text);
      } else if (size == 0 || errno != EINTR) {
        close(sources[i].fd);
        sources[i].fd = -1;  // poll leaves it out
      }
    }
  }
  absl::MutexLock lock(&mu_);
  ended_ = true;
}

void LocalProcess::LookForReady(std::string_view output) {
  absl::MutexLock lock(&mu_);
  if (ready_) return;
  line_.append(output);
  for (size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1)) {
    if (std::string_view(line_).substr(0, end) == kReady) ready_ = true;
  }
}

void LocalProcess::PassOn(std::string_view errors) {
  // Where this process has no standard error any more, it is lost.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, errors.data(), errors.size());
  absl::MutexLock lock(&mu_);
  errors_.append(errors);
  if (errors_.size() > kErrorsKept) errors_.erase(0, errors_.size() - kErrorsKept);
}

}  // namespace stigg::sidecar::sdk
