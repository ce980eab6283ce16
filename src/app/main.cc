#include <csignal>
#include <string_view>

#include "app/verbs.h"

extern char** environ;

int main(int argc, char** argv) {
  // Before the first line is written: whoever reads our output may go away at any time.
  std::signal(SIGPIPE, SIG_IGN);
  sidecar::Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return sidecar::RunCommandLine(environment, sidecar::Arguments(argv + 1, argv + argc));
}
