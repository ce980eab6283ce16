#include "ports/http_transport.h"
#include "text/text.h"

namespace sidecar {

const std::string* HttpResponse::Header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (EqualsIgnoreCase(known, name)) return &value;
  }
  return nullptr;
}

}  // namespace sidecar
