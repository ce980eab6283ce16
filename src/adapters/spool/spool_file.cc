#include "adapters/spool/spool_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "text/text.h"

namespace sidecar {
namespace {

/// "stgg": marks the database as ours.
constexpr int64_t kApplicationId = 0x73746767;
/// Of the tables. One that is newer is not ours to touch.
constexpr int64_t kFormat = 1;

constexpr std::string_view kTables = R"(
  CREATE TABLE records (sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, customer TEXT NOT NULL,
                        spooled_at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, item TEXT NOT NULL);
  CREATE TABLE dead (sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, customer TEXT NOT NULL,
                     spooled_at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, item TEXT NOT NULL,
                     died_at_ms INTEGER NOT NULL, reason TEXT NOT NULL);)";

std::string ErrnoText() { return std::strerror(errno); }

/// The file itself, readable for nobody else: it names customers. SQLite gives its side
/// files the same mode.
absl::Status MakeFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unavailable(path, ": ", ErrnoText());
  close(fd);
  return absl::OkStatus();
}

absl::Status MakeTables(SqliteDatabase& database) {
  return database.Run(StrCat("BEGIN IMMEDIATE; PRAGMA application_id=", kApplicationId,
                             "; PRAGMA user_version=", kFormat, ";", kTables, "COMMIT;"));
}

/// OK: ours, and sound. DATA_LOSS: damaged or newer.
absl::Status Check(SqliteDatabase& database) {
  const absl::StatusOr<int64_t> tables = database.AskNumber("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  const absl::StatusOr<int64_t> application = database.AskNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*tables == 0) return MakeTables(database);
  if (*application != kApplicationId) return absl::InvalidArgumentError("is a database of something else");
  const absl::StatusOr<int64_t> format = database.AskNumber("PRAGMA user_version");
  if (!format.ok()) return format.status();
  if (*format != kFormat) return Error(absl::StatusCode::kDataLoss, "has format ", *format, ", not ", kFormat);
  const absl::StatusOr<std::string> sound = database.AskText("PRAGMA quick_check(1)");
  if (!sound.ok()) return sound.status();
  if (*sound != "ok") return Error(absl::StatusCode::kDataLoss, ReplaceAll(*sound, "\n", " "));
  return absl::OkStatus();
}

absl::StatusOr<SqliteDatabase> OpenAndCheck(const std::string& path) {
  absl::StatusOr<SqliteDatabase> database = SqliteDatabase::Open(path, SqliteDatabase::Mode::kReadWrite);
  if (!database.ok()) return database;
  if (absl::Status status = Check(*database); !status.ok()) return status;
  // FULL: a commit is on the disk before it is acknowledged.
  if (absl::Status status = database->Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"); !status.ok()) {
    return status;
  }
  return database;
}

/// Renames the database and its side files, so that nothing is lost and a new one can begin.
absl::StatusOr<std::string> Quarantine(const std::string& path) {
  constexpr int kNamesMax = 1000;
  std::string aside;
  int n = 0;
  do {
    if (++n > kNamesMax) return absl::UnavailableError("too many damaged spools beside it");
    aside = StrCat(path, ".damaged-", n);
  } while (access(aside.c_str(), F_OK) == 0);
  for (const std::string_view side : {"-wal", "-shm"}) {
    const std::string from = StrCat(path, side);
    if (std::rename(from.c_str(), StrCat(aside, side).c_str()) != 0 && errno != ENOENT) {
      return Unavailable(from, ": ", ErrnoText());
    }
  }
  if (std::rename(path.c_str(), aside.c_str()) != 0) return Unavailable(path, ": ", ErrnoText());
  return aside;
}

}  // namespace

absl::StatusOr<SpoolLock> SpoolLock::Take(const std::string& spool_path) {
  const std::string path = spool_path + ".lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unavailable(path, ": ", ErrnoText());
  SpoolLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Unavailable(path, ": ", ErrnoText());
    char holder[16] = "";
    const ssize_t size = pread(fd, holder, sizeof(holder) - 1, 0);
    return Error(absl::StatusCode::kAlreadyExists, spool_path, ": in use by process ",
                 StripWhitespace(std::string_view(holder, size > 0 ? static_cast<size_t>(size) : 0)));
  }
  const std::string pid = StrCat(getpid(), "\n");
  // Only for the message above: that it cannot be written is no reason to stop.
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

SpoolLock::SpoolLock(SpoolLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

SpoolLock::~SpoolLock() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<SqliteDatabase> OpenSpoolFile(const std::string& path) {
  if (absl::Status status = MakeFile(path); !status.ok()) return status;
  absl::StatusOr<SqliteDatabase> database = OpenAndCheck(path);
  if (absl::IsDataLoss(database.status())) {
    const std::string why(Message(database.status()));
    const absl::StatusOr<std::string> aside = Quarantine(path);
    if (!aside.ok()) return Unavailable("damaged (", why, "), and cannot be put aside: ", Message(aside.status()));
    spdlog::error("the spool {} cannot be read ({}): kept as {}, a new one is begun", path, why, *aside);
    if (absl::Status status = MakeFile(path); !status.ok()) return status;
    database = OpenAndCheck(path);
  }
  if (!database.ok()) return Error(database.status().code(), path, ": ", Message(database.status()));
  return database;
}

absl::StatusOr<SqliteDatabase> OpenSpoolFileReadOnly(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0) {
    return Error(errno == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable, path, ": ",
                 ErrnoText());
  }
  absl::StatusOr<SqliteDatabase> database = SqliteDatabase::Open(path, SqliteDatabase::Mode::kReadOnly);
  if (!database.ok()) return database;
  const absl::StatusOr<int64_t> application = database->AskNumber("PRAGMA application_id");
  if (!application.ok()) return Error(application.status().code(), path, ": ", Message(application.status()));
  if (*application != kApplicationId) return InvalidArgument(path, ": is not a spool");
  return database;
}

}  // namespace sidecar
