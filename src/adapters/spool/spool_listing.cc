#include "adapters/spool/spool_listing.h"

#include <utility>

#include "adapters/spool/spool_file.h"

namespace sidecar {
namespace {

SpoolKind KindFrom(int64_t number) { return number == 0 ? SpoolKind::kUsage : SpoolKind::kEvent; }

/// Calls `each` for every row.
absl::Status ForEachRow(const std::string& path, const std::string& sql,
                        const std::function<void(const SqliteStatement&)>& each) {
  absl::StatusOr<SqliteDatabase> database = OpenSpoolFileReadOnly(path);
  if (!database.ok()) return database.status();
  absl::StatusOr<SqliteStatement> statement = database->Prepare(sql);
  if (!statement.ok()) return statement.status();
  for (;;) {
    const absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    each(*statement);
  }
}

}  // namespace

absl::StatusOr<std::vector<SpoolListing>> ListSpool(const std::string& path) {
  std::vector<SpoolListing> listings;
  const absl::Status status = ForEachRow(path,
                                         "SELECT customer, kind, count(*), sum(bytes), min(spooled_at_ms) FROM records "
                                         "GROUP BY customer, kind ORDER BY 5, 1",
                                         [&](const SqliteStatement& row) {
                                           listings.push_back({.customer_id = row.Text(0),
                                                               .kind = KindFrom(row.Int(1)),
                                                               .records = static_cast<uint64_t>(row.Int(2)),
                                                               .bytes = static_cast<uint64_t>(row.Int(3)),
                                                               .oldest = WallTimeFromEpochMs(row.Int(4))});
                                         });
  if (!status.ok()) return status;
  return listings;
}

absl::Status ForEachDeadLetter(const std::string& path, const std::function<void(const DeadLetterListing&)>& each) {
  return ForEachRow(
      path, "SELECT sequence, customer, kind, spooled_at_ms, died_at_ms, reason, item FROM dead ORDER BY sequence",
      [&](const SqliteStatement& row) {
        each({.sequence = static_cast<uint64_t>(row.Int(0)),
              .customer_id = row.Text(1),
              .kind = KindFrom(row.Int(2)),
              .spooled_at = WallTimeFromEpochMs(row.Int(3)),
              .died_at = WallTimeFromEpochMs(row.Int(4)),
              .reason = row.Text(5),
              .item = row.Text(6)});
      });
}

}  // namespace sidecar
