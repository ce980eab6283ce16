#include "adapters/snapshot/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "text/text.h"

namespace sidecar::snapshot {
namespace {

constexpr std::string_view kBadSuffix = ".bad-";
constexpr size_t kBadFilesMax = 3;

absl::Status Failure(std::string_view what, std::string_view path) {
  const int error = errno;
  const auto code = error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable;
  return Error(code, what, " ", path, ": ", std::strerror(error));
}

std::string DirectoryOf(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

/// 20261121T100000.123Z: sorts by time.
std::string Stamp(WallTime now) {
  const int64_t ms = ToEpochMs(now);
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const size_t size = std::strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &utc);
  return fmt::format("{}.{:03}Z", std::string_view(text, size), ms % 1000);
}

void RemoveOldBadFiles(const std::string& path) {
  const std::string prefix = std::filesystem::path(path).filename().string() + std::string(kBadSuffix);
  std::vector<std::filesystem::path> bad;
  std::error_code error;
  std::filesystem::directory_iterator entries(DirectoryOf(path), error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (entries->path().filename().string().starts_with(prefix)) bad.push_back(entries->path());
  }
  std::sort(bad.begin(), bad.end());
  for (size_t i = 0; i + kBadFilesMax < bad.size(); ++i) std::filesystem::remove(bad[i], error);
}

}  // namespace

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

File::~File() {
  if (open()) close(fd_);
}

absl::StatusOr<File> Open(const std::string& path, int flags, mode_t mode) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return Failure("cannot open", path);
  return File(fd);
}

absl::Status WriteAll(const File& file, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(file.fd(), data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unavailable("cannot write: ", std::strerror(errno));
    data.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status Sync(const File& file) {
  if (fsync(file.fd()) != 0) return Unavailable("cannot write: ", std::strerror(errno));
  posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  return absl::OkStatus();
}

absl::Status Rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return Failure("cannot rename to", to);
  return absl::OkStatus();
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  const absl::StatusOr<File> opened = Open(directory, O_RDONLY | O_DIRECTORY);
  if (!opened.ok()) return opened.status();
  if (fsync(opened->fd()) != 0) return Failure("cannot sync", directory);
  return absl::OkStatus();
}

absl::StatusOr<File> Lock(const std::string& path) {
  absl::StatusOr<File> file = Open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!file.ok()) return file;
  if (flock(file->fd(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno == EWOULDBLOCK) return absl::AbortedError(StrCat("another process holds ", path));
  return Failure("cannot lock", path);
}

absl::StatusOr<std::string> SetAside(const std::string& path, WallTime now) {
  std::string name = StrCat(path, kBadSuffix, Stamp(now));
  if (absl::Status status = Rename(path, name); !status.ok()) return status;
  RemoveOldBadFiles(path);
  return name;
}

}  // namespace sidecar::snapshot
