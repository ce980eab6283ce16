#include "adapters/spool/sqlite.h"

#include <cstring>

#include "text/text.h"

namespace sidecar {
namespace {

/// How long another process (`spool ls`) may hold us up.
constexpr int kBusyTimeoutMs = 2'000;

absl::Status StatusOf(sqlite3* database, int code) {
  const int primary = code & 0xFF;
  const int system = sqlite3_system_errno(database);
  std::string text = StrCat(sqlite3_errmsg(database), " (SQLite code ", code);
  if (primary != SQLITE_CORRUPT && primary != SQLITE_NOTADB && system != 0) {
    StrAppend(&text, ", ", std::strerror(system));
  }
  text += ")";
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) return absl::DataLossError(text);
  return absl::UnavailableError(text);
}

}  // namespace

void SqliteStatement::Bind(int position, int64_t value) { sqlite3_bind_int64(statement_.get(), position, value); }

void SqliteStatement::Bind(int position, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), position, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

absl::StatusOr<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return StatusOf(sqlite3_db_handle(statement_.get()), code);
}

absl::Status SqliteStatement::RunOnce() {
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = Step();
  Reset();
  return more.status();
}

void SqliteStatement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

int64_t SqliteStatement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string SqliteStatement::Text(int column) const {
  const auto* const bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (bytes == nullptr) return "";
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

absl::StatusOr<SqliteDatabase> SqliteDatabase::Open(const std::string& path, Mode mode) {
  SqliteDatabase database;
  sqlite3* handle = nullptr;
  const int how = mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, how | SQLITE_OPEN_NOMUTEX, nullptr);
  database.database_.reset(handle);
  if (handle == nullptr) return absl::UnavailableError("out of memory");
  if (code != SQLITE_OK) return StatusOf(handle, code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return database;
}

absl::Status SqliteDatabase::Run(const std::string& sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : StatusOf(database_.get(), code);
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(const std::string& sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.c_str(), static_cast<int>(sql.size()) + 1, &handle, nullptr);
  SqliteStatement statement;
  statement.statement_.reset(handle);
  if (code != SQLITE_OK) return StatusOf(database_.get(), code);
  return statement;
}

absl::StatusOr<int64_t> SqliteDatabase::AskNumber(const std::string& sql) {
  absl::StatusOr<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Int(0) : 0;
}

absl::StatusOr<std::string> SqliteDatabase::AskText(const std::string& sql) {
  absl::StatusOr<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Text(0) : std::string();
}

}  // namespace sidecar
