#include "adapters/system/files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace sidecar {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  constexpr off_t kBytesMax = 16 << 20;
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    const std::string reason = std::strerror(errno);
    if (errno == ENOENT) return absl::NotFoundError("no such file");
    return errno == EACCES ? absl::PermissionDeniedError(reason) : absl::UnavailableError(reason);
  }
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError("not a regular file");
  if (info.st_size > kBytesMax) return absl::InvalidArgumentError("larger than 16 MiB");
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::PermissionDeniedError(std::strerror(errno));
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

}  // namespace sidecar
