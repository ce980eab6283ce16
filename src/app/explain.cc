// explain: why a running daemon answers a check as it does.
#include <algorithm>
#include <cstdio>

#include "adapters/json/json.h"
#include "adapters/system/files.h"
#include "app/configuration.h"
#include "app/exit_codes.h"
#include "app/local_http.h"
#include "app/options.h"
#include "app/target.h"
#include "app/verbs.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr std::chrono::seconds kExplainTimeout{15};

constexpr std::string_view kExplainUsage =
    "usage: stigg-sidecar explain CUSTOMER FEATURE [--resource R] [--requested N] [--values A,B] [--json]";

std::string TargetOf(const ParsedArguments& parsed) {
  std::string target = StrCat("/admin/explain?customer=", PercentEncode(parsed.positional[0]),
                              "&feature=", PercentEncode(parsed.positional[1]));
  for (const std::string_view name : {"resource", "requested", "values"}) {
    const std::string value = parsed.Option(StrCat("--", name));
    if (!value.empty()) StrAppend(&target, "&", name, "=", PercentEncode(value));
  }
  return target;
}

void ExplainLine(std::string_view label, const Json& value) {
  if (value.is_null()) return;
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  std::printf("%-12s%s\n", StrCat(label, ":").c_str(), text.c_str());
}

Json At(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? Json(nullptr) : *found;
}

int PrintExplanation(const std::string& body) {
  const absl::StatusOr<Json> json = ParseJson(body);
  if (!json.ok() || !json->is_object()) return kExitFailure;
  const Json answer = At(*json, "answer");
  ExplainLine("access", answer.is_object() && At(answer, "hasAccess") == true ? "yes" : "no");
  if (answer.is_object()) ExplainLine("reason", At(answer, "accessDeniedReason"));
  ExplainLine("rule", At(*json, "rule"));
  ExplainLine("would flip", At(*json, "wouldFlip"));
  ExplainLine("source", At(*json, "source"));
  ExplainLine("unknown", At(*json, "whyUnknown"));
  if (const Json freshness = At(*json, "freshness"); freshness.is_object()) {
    ExplainLine("fetched at", At(freshness, "fetchedAt"));
    ExplainLine("age", StrCat(At(freshness, "ageMs").dump(), " ms"));
    ExplainLine("suspect", At(freshness, "suspect") == true ? "yes: it is refreshed when it is next used" : "no");
  }
  std::printf("(--json shows the whole record)\n");
  return kExitOk;
}

/// What is wrong with the arguments; empty when nothing is.
std::string ExplainMistake(const absl::StatusOr<ParsedArguments>& parsed) {
  if (!parsed.ok()) return std::string(Message(parsed.status()));
  if (parsed->positional.size() != 2) return "expected CUSTOMER and FEATURE";
  return "";
}

}  // namespace

int Explain(const Environment& environment, Arguments arguments) {
  const bool json = std::erase(arguments, "--json") > 0;
  const absl::StatusOr<ParsedArguments> parsed = ParseArguments(arguments, {"--resource", "--requested", "--values"});
  if (const std::string mistake = ExplainMistake(parsed); !mistake.empty()) {
    std::fprintf(stderr, "stigg-sidecar: %s; %s\n", mistake.c_str(), std::string(kExplainUsage).c_str());
    return kExitUsage;
  }
  const LoadedConfig loaded = LoadConfig(environment, Purpose::kClient, ReadFile);
  if (!loaded.violations.empty()) return ReportViolations(loaded);
  const Config& config = loaded.config;
  if (config.http_port == 0) {
    std::fprintf(stderr, "stigg-sidecar: HTTP_PORT is 0: explain asks there\n");
    return kExitConfig;
  }
  std::string token;
  if (!config.admin_token_file.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(config.admin_token_file);
    if (text.ok()) token = std::string(StripWhitespace(*text));
  }
  LocalAnswer answer;
  std::string asked;
  for (const std::string& host : HostsToDial(config.listen_address)) {
    answer = AskLocally(host, config.http_port, TargetOf(*parsed), token, kExplainTimeout);
    StrAppend(&asked, asked.empty() ? "" : " and ", HostAndPort(host, config.http_port));
    if (answer.status != 0) break;
  }
  if (answer.status == 0) {
    std::fprintf(stderr, "stigg-sidecar: nobody answers on %s\n", asked.c_str());
    return kExitUnavailable;
  }
  if (answer.status != 200) {
    std::fprintf(stderr, "stigg-sidecar: HTTP %u from %s: %s", answer.status, asked.c_str(), answer.body.c_str());
    return kExitFailure;
  }
  if (!json) return PrintExplanation(answer.body);
  std::fwrite(answer.body.data(), 1, answer.body.size(), stdout);
  return kExitOk;
}

}  // namespace sidecar
