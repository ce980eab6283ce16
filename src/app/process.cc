#include "app/process.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <future>
#include <memory>

#include "adapters/log/logging.h"
#include "app/configuration.h"
#include "app/exit_codes.h"

/// Of builds that count what is run (scripts/coverage); not there in others.
extern "C" [[gnu::weak]] int __llvm_profile_write_file();  // NOLINT(bugprone-reserved-identifier)

namespace sidecar {

namespace {

LogFormat FormatOf(LogFormatSetting setting) {
  switch (setting) {
    case LogFormatSetting::kText:
      return LogFormat::kText;
    case LogFormatSetting::kJson:
      return LogFormat::kJson;
    case LogFormatSetting::kAuto:
      break;
  }
  return LogFormat::kAuto;
}

}  // namespace

void BeginProcess(const LoadedConfig& loaded) {
  StartLogging(loaded.config.log_level, FormatOf(loaded.config.log_format));
  for (const std::string& warning : loaded.warnings) spdlog::warn("{}", warning);
  for (const std::string& line : EffectiveConfiguration(loaded)) spdlog::info("configuration: {}", line);
}

void EndProcess(int code) {
  StopLogging();
  std::fflush(nullptr);
  if (__llvm_profile_write_file != nullptr) __llvm_profile_write_file();
  _exit(code);
}

void EndUnstarted(const absl::Status& why) {
  std::fprintf(stderr, "stigg-sidecar: %s\n", std::string(why.message()).c_str());
  EndProcess(absl::IsInvalidArgument(why) ? kExitConfig : kExitFailure);
}

void AwaitStop(absl::FunctionRef<void(absl::AnyInvocable<void() &&>)> stop) {
  auto stopped = std::make_shared<std::promise<void>>();
  stop([stopped] { stopped->set_value(); });
  constexpr std::chrono::seconds kPatience{2};
  stopped->get_future().wait_for(kPatience);
}

}  // namespace sidecar
