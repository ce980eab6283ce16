// The few calls of SQLite that the spool needs, with statuses instead of codes.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sidecar {

/// Of one thread at a time. A statement must not outlive its database.
class SqliteStatement {
 public:
  /// Position counts from 1.
  void Bind(int position, int64_t value);
  void Bind(int position, std::string_view value);

  /// True: there is a row. False: the statement is done. DATA_LOSS: the file is damaged;
  /// UNAVAILABLE: anything else that is wrong.
  absl::StatusOr<bool> Step();

  /// Steps to the end and makes the statement ready for the next use, whatever the outcome.
  absl::Status RunOnce();
  void Reset();

  /// Column counts from 0.
  int64_t Int(int column) const;
  std::string Text(int column) const;

 private:
  friend class SqliteDatabase;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteDatabase {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  /// Of one thread at a time.
  static absl::StatusOr<SqliteDatabase> Open(const std::string& path, Mode mode);

  absl::Status Run(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(const std::string& sql);
  /// First column of the first row.
  absl::StatusOr<int64_t> AskNumber(const std::string& sql);
  absl::StatusOr<std::string> AskText(const std::string& sql);

  /// Rows that the last statement inserted or deleted.
  int64_t changes() const { return sqlite3_changes(database_.get()); }
  bool in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace sidecar
