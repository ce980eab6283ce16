#include "adapters/spool/sqlite_spool_store.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "adapters/spool/spool_codec.h"
#include "text/text.h"

namespace sidecar {
namespace {

constexpr char kThreadName[] = "sidecar-spool";

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteSpoolStore>> SqliteSpoolStore::Open(const Options& options, Clock& clock) {
  absl::StatusOr<SpoolLock> lock = SpoolLock::Take(options.path);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<SqliteDatabase> database = OpenSpoolFile(options.path);
  if (!database.ok()) return database.status();
  std::unique_ptr<SqliteSpoolStore> store(new SqliteSpoolStore(options, clock, *std::move(lock), *std::move(database)));
  if (absl::Status status = store->Prepare(); !status.ok()) return status;
  return store;
}

SqliteSpoolStore::SqliteSpoolStore(const Options& options, Clock& clock, SpoolLock lock, SqliteDatabase database)
    : options_(options), clock_(clock), lock_(std::move(lock)), database_(std::move(database)) {}

SqliteSpoolStore::~SqliteSpoolStore() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status SqliteSpoolStore::Prepare() {
  const std::pair<SqliteStatement*, const char*> wanted[] = {
      {&statements_.insert,
       "INSERT INTO records (sequence, kind, customer, spooled_at_ms, bytes, item) VALUES (?, ?, ?, ?, ?, ?)"},
      {&statements_.read, "SELECT kind, item FROM records WHERE sequence = ?"},
      {&statements_.remove, "DELETE FROM records WHERE sequence = ?"},
      {&statements_.bury,
       "INSERT INTO dead SELECT sequence, kind, customer, spooled_at_ms, bytes + length(?2), item, ?3, ?2 FROM records "
       "WHERE sequence = ?1 RETURNING bytes"},
      {&statements_.oldest_dead, "SELECT sequence, bytes FROM dead ORDER BY sequence LIMIT 1"},
      {&statements_.forget_dead, "DELETE FROM dead WHERE sequence = ?"},
  };
  for (const auto& [statement, sql] : wanted) {
    absl::StatusOr<SqliteStatement> prepared = database_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  const absl::StatusOr<int64_t> dead_bytes = database_.AskNumber("SELECT coalesce(sum(bytes), 0) FROM dead");
  if (!dead_bytes.ok()) return dead_bytes.status();
  dead_bytes_ = static_cast<uint64_t>(*dead_bytes);
  return absl::OkStatus();
}

absl::StatusOr<SpoolIndex> SqliteSpoolStore::TakeIndex() {
  SpoolIndex index;
  absl::StatusOr<SqliteStatement> statement =
      database_.Prepare("SELECT sequence, kind, customer, spooled_at_ms, bytes FROM records ORDER BY sequence");
  if (!statement.ok()) return statement.status();
  for (;;) {
    const absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    index.entries.push_back({.sequence = static_cast<uint64_t>(statement->Int(0)),
                             .kind = statement->Int(1) == 0 ? SpoolKind::kUsage : SpoolKind::kEvent,
                             .customer_id = statement->Text(2),
                             .spooled_at = WallTimeFromEpochMs(statement->Int(3)),
                             .bytes = static_cast<uint64_t>(statement->Int(4))});
  }
  const absl::StatusOr<int64_t> last = database_.AskNumber(
      "SELECT max(coalesce((SELECT max(sequence) FROM records), 0), coalesce((SELECT max(sequence) FROM dead), 0))");
  if (!last.ok()) return last.status();
  index.next_sequence = static_cast<uint64_t>(*last) + 1;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), kThreadName);
    Run();
  });
  return index;
}

void SqliteSpoolStore::Append(Records records, AppendDone done) {
  Enqueue(AppendJob{std::move(records), std::move(done)});
}

void SqliteSpoolStore::Read(std::vector<uint64_t> sequences, ReadDone done) {
  Enqueue(ReadJob{std::move(sequences), std::move(done)});
}

void SqliteSpoolStore::Settle(std::vector<uint64_t> delivered, std::vector<DeadLetter> dead, SettleDone done) {
  Enqueue(SettleJob{std::move(delivered), std::move(dead), std::move(done)});
}

uint64_t SqliteSpoolStore::commits() const {
  absl::MutexLock lock(&mu_);
  return commits_;
}

void SqliteSpoolStore::Enqueue(Job job) {
  absl::MutexLock lock(&mu_);
  jobs_.push_back(std::move(job));
}

void SqliteSpoolStore::Run() {
  for (;;) {
    std::deque<Job> jobs;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &SqliteSpoolStore::HasWork));
      if (jobs_.empty()) return;  // stopping
      jobs.swap(jobs_);
    }
    RunGroup(jobs);
  }
}

void SqliteSpoolStore::RunGroup(std::deque<Job>& jobs) {
  const absl::Status written = Write(jobs);
  if (written.ok() == failing_) {
    failing_ = !written.ok();
    if (failing_) spdlog::error("the spool cannot be written: {}", OneLine(Message(written)));
    if (!failing_) spdlog::warn("the spool can be written again");
  }
  for (Job& job : jobs) {
    if (auto* const append = std::get_if<AppendJob>(&job)) {
      std::move(append->done)(written);
    } else if (auto* const settle = std::get_if<SettleJob>(&job)) {
      if (written.ok()) {
        std::move(settle->done)(settle->forgotten);
      } else {
        std::move(settle->done)(written);
      }
    } else {
      auto& read = std::get<ReadJob>(job);
      std::move(read.done)(ReadItems(read.sequences));
    }
  }
}

absl::Status SqliteSpoolStore::Write(std::deque<Job>& jobs) {
  bool begun = false;
  const uint64_t dead_bytes_before = dead_bytes_;
  absl::Status status;
  for (Job& job : jobs) {
    if (std::holds_alternative<ReadJob>(job)) continue;
    if (!begun) status = database_.Run("BEGIN IMMEDIATE");
    begun = true;
    if (status.ok()) status = WriteOne(job);
    if (!status.ok()) break;
  }
  if (!begun) return failing_ ? absl::UnavailableError("no write was tried") : absl::OkStatus();
  if (status.ok()) status = database_.Run("COMMIT");
  if (!status.ok()) {
    dead_bytes_ = dead_bytes_before;
    if (database_.in_transaction()) (void)database_.Run("ROLLBACK");
    return status;
  }
  absl::MutexLock lock(&mu_);
  ++commits_;
  return status;
}

absl::Status SqliteSpoolStore::WriteOne(Job& job) {
  if (auto* const append = std::get_if<AppendJob>(&job)) {
    for (const SpoolRecord& record : *append->records) {
      if (absl::Status status = Insert(record); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  auto& settle = std::get<SettleJob>(job);
  settle.forgotten = 0;
  for (const uint64_t sequence : settle.delivered) {
    statements_.remove.Bind(1, static_cast<int64_t>(sequence));
    if (absl::Status status = statements_.remove.RunOnce(); !status.ok()) return status;
  }
  for (const DeadLetter& letter : settle.dead) {
    if (absl::Status status = Bury(letter); !status.ok()) return status;
  }
  if (!settle.dead.empty()) {
    spdlog::warn("{} spooled report(s) will not be delivered: {}; see `stigg-sidecar spool dead`", settle.dead.size(),
                 OneLine(settle.dead.front().reason));
  }
  return MakeRoom(settle.forgotten);
}

absl::Status SqliteSpoolStore::Insert(const SpoolRecord& record) {
  SqliteStatement& insert = statements_.insert;
  const std::string& customer =
      std::visit([](const auto& report) -> const std::string& { return report.key.customer_id; }, record.item);
  insert.Bind(1, static_cast<int64_t>(record.sequence));
  insert.Bind(2, static_cast<int64_t>(KindOf(record.item)));
  insert.Bind(3, std::string_view(customer));
  insert.Bind(4, ToEpochMs(record.spooled_at));
  insert.Bind(5, static_cast<int64_t>(record.bytes));
  insert.Bind(6, std::string_view(EncodeSpoolItem(record.item)));
  return insert.RunOnce();
}

absl::Status SqliteSpoolStore::Bury(const DeadLetter& letter) {
  SqliteStatement& bury = statements_.bury;
  bury.Bind(1, static_cast<int64_t>(letter.sequence));
  bury.Bind(2, std::string_view(letter.reason));
  bury.Bind(3, ToEpochMs(clock_.WallNow()));
  const absl::StatusOr<bool> row = bury.Step();
  const bool held = row.ok() && *row;
  if (held) dead_bytes_ += static_cast<uint64_t>(bury.Int(0));
  absl::Status buried = held ? bury.RunOnce() : row.status();
  bury.Reset();
  if (!buried.ok() || !held) return buried;
  statements_.remove.Bind(1, static_cast<int64_t>(letter.sequence));
  return statements_.remove.RunOnce();
}

absl::Status SqliteSpoolStore::MakeRoom(uint64_t& forgotten) {
  while (dead_bytes_ > options_.dead_bytes_max) {
    const absl::StatusOr<bool> row = statements_.oldest_dead.Step();
    const int64_t sequence = row.ok() && *row ? statements_.oldest_dead.Int(0) : 0;
    const auto bytes = static_cast<uint64_t>(row.ok() && *row ? statements_.oldest_dead.Int(1) : 0);
    statements_.oldest_dead.Reset();
    if (!row.ok()) return row.status();
    if (!*row) break;
    statements_.forget_dead.Bind(1, sequence);
    if (absl::Status status = statements_.forget_dead.RunOnce(); !status.ok()) return status;
    dead_bytes_ -= std::min(dead_bytes_, bytes);
    ++forgotten;
  }
  return absl::OkStatus();
}

absl::StatusOr<SpoolStore::Items> SqliteSpoolStore::ReadItems(const std::vector<uint64_t>& sequences) {
  Items items;
  items.reserve(sequences.size());
  for (const uint64_t sequence : sequences) {
    SqliteStatement& read = statements_.read;
    read.Bind(1, static_cast<int64_t>(sequence));
    const absl::StatusOr<bool> row = read.Step();
    std::optional<SpoolItem>& item = items.emplace_back();
    if (row.ok() && *row) {
      const SpoolKind kind = read.Int(0) == 0 ? SpoolKind::kUsage : SpoolKind::kEvent;
      absl::StatusOr<SpoolItem> decoded = DecodeSpoolItem(kind, read.Text(1));
      if (decoded.ok()) item = *std::move(decoded);
    }
    read.Reset();
    if (!row.ok()) return row.status();
  }
  return items;
}

}  // namespace sidecar
