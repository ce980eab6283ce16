// Names that were probably meant as settings, and names that were not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace sidecar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Warnings(Environment environment) {
  environment.try_emplace("SERVER_API_KEY", "key");
  return LoadConfig(environment, Purpose::kServe, [](const std::string&) { return absl::NotFoundError("no"); })
      .warnings;
}

struct Typo {
  const char* name;
  const char* meant;
};

TEST(TyposTest, TheNearestNameIsTold) {
  const Typo typos[] = {
      {"REPORT_TIMEOUTMS", "REPORT_TIMEOUT_MS"},
      {"LISTEN_ADRESS", "LISTEN_ADDRESS"},
      {"LISTEN_ADDR", "LISTEN_ADDRESS"},
      {"START_GRACE", "START_GRACE_MS"},
      {"EXTRA_CA", "EXTRA_CA_FILE"},
      {"EXTRA_CAFILE", "EXTRA_CA_FILE"},
      {"APIURL", "API_URL"},
      {"API_KEY", "SERVER_API_KEY"},
      {"STIGG_API_KEY", "SERVER_API_KEY"},
      {"STIGG_SERVER_API_KEY", "SERVER_API_KEY"},
      {"LOG_LEVLE", "LOG_LEVEL"},
      {"LOGLEVEL", "LOG_LEVEL"},
      {"HTTP_PROT", "HTTP_PORT"},
      {"HTTPS_PROXI", "HTTPS_PROXY"},
      {"NO_PROXYS", "NO_PROXY"},
      {"SERVER_API_KEY_FIL", "SERVER_API_KEY_FILE"},
      {"REDIS_ENVIROMENT_PREFIX", "REDIS_ENVIRONMENT_PREFIX"},
      {"REDIS_HOTS", "REDIS_HOST"},
      {"CACHE_SIZE_BYTES", "CACHE_MAX_SIZE_BYTES"},
      {"EDGE_ENABLE", "EDGE_ENABLED"},
      {"TLS_CERTFILE", "TLS_CERT_FILE"},
      {"DRAIN_TIMEOUT", "DRAIN_TIMEOUT_MS"},
  };
  for (const Typo& typo : typos) {
    EXPECT_THAT(Warnings({{typo.name, "x"}}),
                ElementsAre(std::string(typo.name) + " is not a setting; did you mean " + typo.meant + "?"))
        << typo.name;
  }
}

TEST(TyposTest, AnOrdinaryEnvironmentGivesNone) {
  const char* const names[] = {
      "PATH",
      "HOME",
      "PWD",
      "OLDPWD",
      "LANG",
      "LC_ALL",
      "HOSTNAME",
      "TERM",
      "SHLVL",
      "LOGNAME",
      "MAIL",
      "SHELL",
      "USER",
      "EDITOR",
      "PAGER",
      "TZ",
      "TMPDIR",
      "DISPLAY",
      "HOST",
      "PORTAL",
      "API_TOKEN",
      "APP_URL",
      "DB_URL",
      "FTP_PROXY",
      "ALL_PROXY",
      "HTTP_HOST",
      "GRPC_VERBOSITY",
      "GRPC_TRACE",
      "NODE_ENV",
      "REPORT",
      "EXPORT",
      "PORT0",
      "LISTEN_FDS",
      "LISTEN_PID",
      "SSL_CERT_FILE",
      "LS_COLORS",
      "LOG_DIR",
      "USERNAME",
      "PASSWORD",
      "_",
      "DEBUG",
      "INVOCATION_ID",
      "VIRTUAL_ENV",
      "PYTHONPATH",
      "JAVA_HOME",
      "DATABASE_URL",
      "SSH_AUTH_SOCK",
      "XDG_RUNTIME_DIR",
      "WINDOWID",
  };
  for (const char* const name : names) EXPECT_THAT(Warnings({{name, "x"}}), IsEmpty()) << name;
}

TEST(TyposTest, WhatKubernetesInjectsForServicesIsNone) {
  const std::pair<const char*, const char*> links[] = {
      {"KUBERNETES_SERVICE_HOST", "10.96.0.1"},
      {"KUBERNETES_SERVICE_PORT", "443"},
      {"KUBERNETES_SERVICE_PORT_HTTPS", "443"},
      {"KUBERNETES_PORT", "tcp://10.96.0.1:443"},
      {"KUBERNETES_PORT_443_TCP", "tcp://10.96.0.1:443"},
      {"KUBERNETES_PORT_443_TCP_ADDR", "10.96.0.1"},
      {"REDIS_SERVICE_HOST", "10.0.0.1"},
      {"REDIS_PORT_6379_TCP_ADDR", "10.0.0.1"},
      {"REDIS_CACHE_PORT", "tcp://10.0.0.1:6379"},
      {"HTTPS_PORT", "tcp://10.0.0.1:443"},
      {"WS_SERVICE_HOST", "10.0.0.1"},
  };
  for (const auto& [name, value] : links) EXPECT_THAT(Warnings({{name, value}}), IsEmpty()) << name;
}

TEST(TyposTest, AnEmptyVariableIsNone) { EXPECT_THAT(Warnings({{"REDIS_HOTS", ""}}), IsEmpty()); }

}  // namespace
}  // namespace sidecar
