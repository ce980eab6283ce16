#include "config/summary.h"

#include "text/text.h"

namespace sidecar {
namespace {

std::string_view NameOf(Origin::Kind kind) {
  switch (kind) {
    case Origin::Kind::kSet:
      return "set";
    case Origin::Kind::kDerived:
      return "derived";
    case Origin::Kind::kDefault:
      break;
  }
  return "default";
}

}  // namespace

std::vector<std::string> Summarize(const LoadedConfig& loaded) {
  std::vector<std::string> lines;
  for (const Setting& setting : Settings()) {
    const auto found = loaded.origins.find(setting.name);
    const Origin origin = found == loaded.origins.end() ? Origin{} : found->second;
    std::string value = setting.codec.show(loaded.config);
    if (setting.secret && !value.empty()) value = "***";
    const std::string_view joint = origin.kind == Origin::Kind::kDefault ? ": " : " ";
    lines.push_back(WithoutControls(StrCat(setting.name, "=", value, " (", NameOf(origin.kind),
                                           origin.note.empty() ? "" : joint, origin.note, ")")));
  }
  return lines;
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
      StrAppend(&out, "      Or ", setting.name, "_FILE: a file with the value, re-read when it changes.\n");
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

std::string WithoutControls(std::string_view text) {
  std::string out;
  for (const char c : text) out.push_back(IsControl(c) ? '?' : c);
  return out;
}

}  // namespace sidecar
