#include "sim/reporting.h"

#include <algorithm>
#include <utility>

#include "stigg/sidecar/v1/sidecar.pb.h"
#include "text/text.h"

namespace sidecar::sim {

namespace v1 = stigg::sidecar::v1;
using testing::FakeCall;

namespace {

constexpr uint64_t kDiskBytes = 12'000;
constexpr Millis kAgeMax{8 * 60'000};
constexpr uint64_t kCustomers = 4;

const std::string& KeyOf(const SpoolItem& item) {
  return std::visit([](const auto& report) -> const std::string& { return report.idempotency_key; }, item);
}

}  // namespace

/// The disk as one process sees it: slow, failing at times, and silent once the process is dead.
class Reporting::LifeStore : public SpoolStore {
  template <typename Done>
  auto WhileAlive(Done done) {
    return [alive = alive_, done = std::move(done)](auto&& result) mutable {
      if (*alive) std::move(done)(std::forward<decltype(result)>(result));
    };
  }

 public:
  LifeStore(Reporting& world, std::shared_ptr<const bool> alive) : world_(world), alive_(std::move(alive)) {}

  absl::StatusOr<SpoolIndex> TakeIndex() override { return world_.disk_.TakeIndex(); }
  void Append(Records records, AppendDone done) override {
    if (!*alive_) return;
    world_.disk_.Append(std::move(records), WhileAlive(std::move(done)));
    Schedule();
  }
  void Read(std::vector<uint64_t> sequences, ReadDone done) override {
    if (!*alive_) return;
    world_.disk_.Read(std::move(sequences), WhileAlive(std::move(done)));
    Schedule();
  }
  void Settle(std::vector<uint64_t> delivered, std::vector<DeadLetter> dead, SettleDone done) override {
    if (!*alive_) return;
    for (const DeadLetter& letter : dead) {
      const auto held = world_.disk_.held.find(letter.sequence);
      if (held != world_.disk_.held.end()) world_.letters_[letter.sequence] = KeyOf(held->second.item);
    }
    world_.disk_.Settle(std::move(delivered), std::move(dead), WhileAlive(std::move(done)));
    Schedule();
  }

 private:
  /// One operation after the other, each after a while.
  void Schedule() {
    const Millis delay = world_.dice_.Delay(world_.dice_.Chance(world_.disk_failing_) ? 3'000 : 10);
    world_.time_.At(world_.time_.Now() + delay, [&world = world_, alive = alive_] {
      if (*alive) world.DiskActs();
    });
  }

  Reporting& world_;
  const std::shared_ptr<const bool> alive_;
};

/// The way to the cloud: what was sent arrives, also when the process has died meanwhile.
class Reporting::LifeSink : public UsageSink {
 public:
  LifeSink(CloudSink& cloud, std::shared_ptr<const bool> alive) : cloud_(cloud), alive_(std::move(alive)) {}

  void ReportUsage(std::vector<UsageReport> reports, MonoTime deadline, UsageDone done) override {
    if (!*alive_) return;
    cloud_.ReportUsage(std::move(reports), deadline, [alive = alive_, done = std::move(done)](auto result) mutable {
      if (*alive) std::move(done)(std::move(result));
    });
  }
  void ReportEvents(std::vector<UsageEvent> events, MonoTime deadline, EventsDone done) override {
    if (!*alive_) return;
    cloud_.ReportEvents(std::move(events), deadline, [alive = alive_, done = std::move(done)](auto result) mutable {
      if (*alive) std::move(done)(std::move(result));
    });
  }

 private:
  CloudSink& cloud_;
  const std::shared_ptr<const bool> alive_;
};

struct Reporting::Life {
  explicit Life(Reporting& world)
      : store(world, alive),
        sink(world.cloud_, alive),
        spool({store, sink, world.time_, world.time_, world.random_, world.metrics_},
              [&world](const UsageReceipt& receipt) { world.door_.Apply(receipt); },
              {.bytes_max = kDiskBytes, .age_max = kAgeMax, .batch = {.usages_max = 5, .events_max = 7}}),
        reporter(sink, world.door_, &spool) {}

  const std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  LifeStore store;
  LifeSink sink;
  Spool spool;
  UsageReporter reporter;
};

Reporting::Reporting(Dice& dice, testing::SimTime& time, RecordDoor& door, Metrics& metrics,
                     MakeHandlersWith make_handlers, Violated violated)
    : dice_(dice),
      time_(time),
      door_(door),
      metrics_(metrics),
      make_handlers_(std::move(make_handlers)),
      violated_(std::move(violated)),
      cloud_(dice, time, [this](const SpoolItem& item) { OnCounted(item); }) {
  disk_.at_once = false;
  Start();
}

Reporting::~Reporting() = default;

void Reporting::Start() {
  lives_.push_back(std::make_unique<Life>(*this));
  if (absl::Status status = lives_.back()->spool.Start(); !status.ok()) violated_("the spool does not start");
  handlers_.push_back(make_handlers_(lives_.back()->reporter));
}

void Reporting::Crash() {
  Life& dying = *lives_.back();
  // The disk had done some of what it was asked for, in order.
  for (uint64_t n = dice_.Pick(disk_.waiting.size() + 1); n > 0; --n) DiskActs();
  *dying.alive = false;
  dying.spool.Stop();
  disk_.waiting.clear();
  NoteAnswers();
  for (Entry& entry : entries_) {
    if (entry.call != nullptr) abandoned_.push_back(std::move(entry.call));
  }
  Start();
}

void Reporting::DiskActs() {
  if (disk_.waiting.empty()) return;
  disk_.failure = dice_.Chance(disk_failing_) ? absl::UnavailableError("the disk fails") : absl::OkStatus();
  auto next = std::move(disk_.waiting.front());
  disk_.waiting.pop_front();
  std::move(next)();
  uint64_t bytes = 0;
  for (const auto& [sequence, record] : disk_.held) bytes += record.bytes;
  if (bytes > kDiskBytes) violated_(StrCat("the disk holds ", bytes, " bytes of at most ", kDiskBytes));
}

void Reporting::SetFaults(double sink, double disk) {
  cloud_.failing = sink;
  disk_failing_ = disk;
}

void Reporting::Report() {
  NoteAnswers();
  const uint64_t number = entries_.size() + 1;
  Entry& entry = entries_.emplace_back();
  entry.kind = dice_.Chance(0.5) ? SpoolKind::kUsage : SpoolKind::kEvent;
  entry.customer = StrCat("c", dice_.Pick(kCustomers));
  entry.started = ++step_;
  entry.by = time_.Now() + kTimeout;
  Method method = Method::kReportUsage;
  if (entry.kind == SpoolKind::kUsage) {
    v1::ReportUsageRequest request;
    request.set_customer_id(entry.customer);
    request.set_feature_id(StrCat("report-", number));
    entry.poison = dice_.Chance(0.02);
    request.set_value(entry.poison ? CloudSink::kPoison : 1);
    entry.call = std::make_unique<FakeCall>(request.SerializeAsString());
    if (dice_.Chance(0.8)) entry.call->metadata["x-accept-durable"] = "1";
  } else {
    method = Method::kReportEvents;
    v1::ReportEventsRequest request;
    auto& event = *request.add_events();
    event.set_event_name(StrCat("report-", number));
    event.set_customer_id(entry.customer);
    entry.key = StrCat("key-", number);
    event.set_idempotency_key(entry.key);
    entry.call = std::make_unique<FakeCall>(request.SerializeAsString());
  }
  if (dice_.Chance(0.5)) {
    const Millis within = Millis(20) + dice_.Delay(3'000);
    entry.call->call_deadline = time_.Now() + within;
    entry.by = std::min(entry.by, time_.Now() + within);
  }
  handlers()[static_cast<size_t>(method)](*entry.call);
}

Reporting::Entry* Reporting::Find(const SpoolItem& item) {
  const std::string& subject = std::holds_alternative<UsageReport>(item) ? std::get<UsageReport>(item).feature_id
                                                                         : std::get<UsageEvent>(item).event_name;
  return &entries_.at(*ParseNumber<uint64_t>(std::string_view(subject).substr(std::string_view("report-").size())) - 1);
}

void Reporting::OnCounted(const SpoolItem& item) {
  Entry& entry = *Find(item);
  ++step_;
  if (entry.counted) violated_(StrCat("a report was counted under ", entry.key, " and ", KeyOf(item)));
  entry.counted = true;
  entry.key = KeyOf(item);
  const bool spooled =
      std::ranges::any_of(disk_.held, [&](const auto& held) { return KeyOf(held.second.item) == entry.key; });
  // Without a disk, events go the ordinary way, past those that wait.
  if (entry.kind == SpoolKind::kEvent && !spooled) return;
  for (const Entry& earlier : entries_) {
    const bool before = earlier.durable && earlier.acknowledged < entry.started && earlier.kind == entry.kind &&
                        earlier.customer == entry.customer;
    const auto given_up = [&] {
      return earlier.poison || std::ranges::any_of(letters_, [&](const auto& l) { return l.second == earlier.key; });
    };
    if (before && !earlier.counted && !given_up()) {
      violated_(StrCat(KeyOf(item), " of ", entry.customer, " overtook ", earlier.key));
    }
  }
}

bool Reporting::Buried(const Entry& entry) const {
  return std::ranges::any_of(disk_.dead, [&](const DeadLetter& letter) {
    const auto found = letters_.find(letter.sequence);
    return found != letters_.end() && found->second == entry.key;
  });
}

void Reporting::NoteAnswers() {
  for (Entry& entry : entries_) NoteAnswer(entry);
}

void Reporting::NoteAnswer(Entry& entry) {
  if (entry.call == nullptr || entry.call->ends == 0) return;
  if (entry.call->ends > 1) violated_("a report was answered twice");
  if (entry.call->status.ok()) {
    entry.acknowledged = ++step_;
    entry.durable = entry.call->origin.durable;
    if (entry.kind == SpoolKind::kUsage) {
      v1::ReportUsageResponse response;
      response.ParseFromString(entry.call->response);
      if (!entry.key.empty() && entry.key != response.measurement_id()) violated_("a report has two keys");
      entry.key = response.measurement_id();
    }
  }
  abandoned_.push_back(std::move(entry.call));  // a second answer would still be seen
}

void Reporting::Check(bool at_end) {
  NoteAnswers();
  for (const Entry& entry : entries_) {
    if (entry.call != nullptr && (at_end || time_.Now() > entry.by)) violated_("a report was not answered in time");
    if (at_end && entry.acknowledged > 0 && !entry.counted && !Buried(entry)) {
      violated_(StrCat("the report ", entry.key, " was acknowledged and is lost"));
    }
  }
  if (!at_end) return;
  for (const auto& call : abandoned_) {
    if (call->ends > 1) violated_("a report was answered twice");
  }
  if (!disk_.held.empty()) violated_(StrCat(disk_.held.size(), " reports are still held"));
}

}  // namespace sidecar::sim
