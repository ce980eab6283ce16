// A gRPC load generator for metered checks. Closed loop (a fixed number of calls in flight),
// or open loop at a rate, with latency counted from the intended start. Prints one line of
// JSON. Options: --target (HOST:PORT or unix:PATH) --pid --inflight --connections --threads
// --seconds --customers --zipf --rate --warmup --fill (every customer once, in order, instead)
// --silence (seconds without a call, then one on each connection, instead) --seed.
#include <grpcpp/alarm.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/histogram.h"
#include "stigg/sidecar/v1/sidecar.pb.h"
#include "text/text.h"

namespace sidecar::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr char kMethod[] = "/stigg.sidecar.v1.SidecarService/GetMeteredEntitlement";

struct Options {
  std::string target;
  int pid = 0;
  int inflight = 64;
  int connections = 4;
  int threads = 1;
  double seconds = 2;
  double warmup = 0.5;
  int customers = 1000;
  double zipf = 0;  ///< exponent; 0: uniform
  double rate = 0;  ///< calls a second over all threads; 0: closed loop
  bool fill = false;
  double silence = 0;  ///< seconds; 0: no
  int seed = 0;        ///< of whom it asks for
};

/// Serialised requests, one a customer and feature; the same for every thread.
class Requests {
 public:
  Requests(int customers, double zipf) {
    for (int i = 0; i < customers; ++i) {
      stigg::sidecar::v1::GetMeteredEntitlementRequest request;
      request.set_customer_id(fmt::format("customer-{:07d}", i));
      request.set_feature_id(fmt::format("feature-{:02d}", i % 20));
      request.mutable_options()->set_requested_usage(1);
      const std::string bytes = request.SerializeAsString();
      slices_.emplace_back(bytes);
    }
    double sum = 0;
    for (int i = 0; i < customers && zipf > 0; ++i) {
      sum += 1 / std::pow(i + 1, zipf);
      cumulative_.push_back(sum);
    }
  }

  size_t size() const { return slices_.size(); }
  grpc::ByteBuffer At(size_t index) const { return {&slices_[index], 1}; }

  grpc::ByteBuffer Pick(std::mt19937_64& random) const {
    size_t index = random() % slices_.size();
    if (!cumulative_.empty()) {
      const double at = std::uniform_real_distribution<double>(0, cumulative_.back())(random);
      index = static_cast<size_t>(std::lower_bound(cumulative_.begin(), cumulative_.end(), at) - cumulative_.begin());
    }
    return {&slices_[index], 1};
  }

 private:
  std::vector<grpc::Slice> slices_;
  std::vector<double> cumulative_;
};

struct Results {
  Histogram latency;
  uint64_t failures = 0;
};

/// One thread with its own queue and its share of the calls in flight.
class Worker {
 public:
  Worker(const Options& options, const Requests& requests, std::vector<std::shared_ptr<grpc::Channel>> channels,
         int seed)
      : options_(options), requests_(requests), random_(static_cast<uint64_t>(seed)) {
    for (const auto& channel : channels) stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
  }

  void Run(int inflight, const std::atomic<bool>& measuring, const std::atomic<bool>& stop) {
    calls_.resize(static_cast<size_t>(inflight));
    next_start_ = Clock::now();
    for (Call& call : calls_) Start(call, stop);
    void* tag = nullptr;
    bool ok = false;
    while (active_ > 0 && queue_.Next(&tag, &ok)) {
      Call& call = *static_cast<Call*>(tag);
      if (call.waiting) {  // its time has come
        call.waiting = false;
        Send(call);
        continue;
      }
      if (measuring) {
        results_.latency.Add(static_cast<uint64_t>((Clock::now() - call.started).count()));
        if (!call.status.ok()) ++results_.failures;
      }
      --active_;
      if (!stop) Start(call, stop);
    }
  }

  const Results& results() const { return results_; }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    std::unique_ptr<grpc::Alarm> alarm;
    grpc::ByteBuffer response;
    grpc::Status status;
    Clock::time_point started;
    bool waiting = false;
  };

  void Start(Call& call, const std::atomic<bool>& stop) {
    if (stop) return;
    ++active_;
    if (options_.rate <= 0) {
      call.started = Clock::now();
      return Send(call);
    }
    // Open loop: the intended start counts, whether or not a call was free for it.
    next_start_ += std::chrono::nanoseconds(static_cast<int64_t>(1e9 * options_.threads / options_.rate));
    call.started = next_start_;
    const auto wait = next_start_ - Clock::now();
    if (wait <= std::chrono::microseconds(50)) return Send(call);
    call.waiting = true;
    call.alarm = std::make_unique<grpc::Alarm>(&queue_, std::chrono::system_clock::now() + wait, &call);
  }

  void Send(Call& call) {
    call.context = std::make_unique<grpc::ClientContext>();
    call.reader = stubs_[next_stub_++ % stubs_.size()]->PrepareUnaryCall(call.context.get(), kMethod,
                                                                         requests_.Pick(random_), &queue_);
    call.reader->StartCall();
    call.reader->Finish(&call.response, &call.status, &call);
  }

  const Options& options_;
  const Requests& requests_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  grpc::CompletionQueue queue_;
  std::vector<Call> calls_;
  std::mt19937_64 random_;
  size_t next_stub_ = 0;
  size_t active_ = 0;
  Clock::time_point next_start_;
  Results results_;
};

int64_t RssKib(int pid) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return std::strtoll(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

/// One call and no other; its latency, or nullopt when it failed.
std::optional<std::chrono::nanoseconds> CallOnce(grpc::GenericStub& stub, const grpc::ByteBuffer& request) {
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto start = Clock::now();
  const auto reader = stub.PrepareUnaryCall(&context, kMethod, request, &queue);
  reader->StartCall();
  reader->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) return std::nullopt;
  return Clock::now() - start;
}

/// How long the first call takes on connections that were silent.
int MeasureSilence(const Options& options, const Requests& requests, const Channels& channels) {
  Histogram latency;
  uint64_t failures = 0;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs;
  for (const auto& channel : channels) stubs.push_back(std::make_unique<grpc::GenericStub>(channel));
  for (int round = 0; round < 4; ++round) {  // the first connects
    for (auto& stub : stubs) {
      const auto took = CallOnce(*stub, requests.At(0));
      if (!took.has_value()) ++failures;
      if (took.has_value() && round > 0) latency.Add(static_cast<uint64_t>(took->count()));
      if (round > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // each is a first call of its own
    }
    if (round < 3) std::this_thread::sleep_for(std::chrono::duration<double>(options.silence));
  }
  fmt::print("{{\"failures\":{},\"calls\":{},\"p50_us\":{:.1f},\"p90_us\":{:.1f},\"max_us\":{:.1f}}}\n", failures,
             latency.count(), latency.QuantileUs(0.5), latency.QuantileUs(0.9), latency.QuantileUs(1));
  return 0;
}

/// Asks for every customer once: afterwards all are hits.
int Fill(const Options& options, const Requests& requests, const Channels& channels) {
  std::atomic<size_t> next{0};
  std::atomic<uint64_t> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < options.inflight; ++i) {
    threads.emplace_back([&, i] {
      grpc::GenericStub stub(channels[static_cast<size_t>(i) % channels.size()]);
      for (size_t at = next++; at < requests.size(); at = next++) {
        if (!CallOnce(stub, requests.At(at)).has_value()) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  fmt::print("{{\"failures\":{},\"calls\":{},\"rss_kib\":{}}}\n", failures.load(), requests.size(),
             RssKib(options.pid));
  return 0;
}

/// User and system seconds that the process has used.
double CpuSeconds(int pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(in, text);
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Pairs of share and µs, denser toward the end, for plots.
std::string Quantiles(const Histogram& latency) {
  std::string text;
  for (int step = 0; step <= 80; ++step) {
    const double share = 1 - std::pow(10, -step / 20.0);
    text += fmt::format("{}[{:.6f},{:.1f}]", step == 0 ? "" : ",", share, latency.QuantileUs(share));
  }
  return text;
}

Options ParseOptions(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  Options options;
  const auto number = [&](const char* name, auto& into) {
    if (given.contains(name))
      into = static_cast<std::decay_t<decltype(into)>>(std::strtod(given[name].c_str(), nullptr));
  };
  options.target = given["--target"];
  number("--pid", options.pid);
  number("--inflight", options.inflight);
  number("--connections", options.connections);
  number("--threads", options.threads);
  number("--seconds", options.seconds);
  number("--warmup", options.warmup);
  number("--customers", options.customers);
  number("--zipf", options.zipf);
  number("--rate", options.rate);
  number("--silence", options.silence);
  number("--seed", options.seed);
  options.fill = given.contains("--fill");
  return options;
}

int Main(int argc, char** argv) {
  const Options options = ParseOptions(argc, argv);
  if (options.target.empty()) {
    std::fprintf(stderr, "usage: load_generator --target HOST:PORT [--name value]…; see the top of its source\n");
    return 2;
  }
  const Requests requests(options.customers, options.zipf);
  Channels channels;
  for (int i = 0; i < options.connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // or all would share one connection
    channels.push_back(grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments));
  }
  if (options.silence > 0) return MeasureSilence(options, requests, channels);
  if (options.fill) return Fill(options, requests, channels);
  std::atomic<bool> measuring{false};
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) {
    workers.push_back(std::make_unique<Worker>(options, requests, channels, 1000 * options.seed + i + 1));
    const int share = options.inflight / options.threads + (i < options.inflight % options.threads ? 1 : 0);
    threads.emplace_back([&, share, worker = workers.back().get()] { worker->Run(share, measuring, stop); });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(options.warmup));
  const double cpu_before = CpuSeconds(options.pid);
  const auto start = Clock::now();
  measuring = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  measuring = false;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double cpu = CpuSeconds(options.pid) - cpu_before;
  const int64_t rss = RssKib(options.pid);
  stop = true;
  for (std::thread& thread : threads) thread.join();

  Results all;
  for (const auto& worker : workers) {
    all.latency.Merge(worker->results().latency);
    all.failures += worker->results().failures;
  }
  const auto count = static_cast<double>(all.latency.count());
  fmt::print(
      "{{\"requests\":{},\"failures\":{},\"rps\":{:.0f},\"p50_us\":{:.1f},\"p99_us\":{:.1f},\"p999_us\":{:.1f},"
      "\"cpu_s_per_1m\":{:.3f},\"rss_kib\":{},\"quantiles\":[{}]}}\n",
      all.latency.count(), all.failures, count / seconds, all.latency.QuantileUs(0.5), all.latency.QuantileUs(0.99),
      all.latency.QuantileUs(0.999), count > 0 ? cpu * 1e6 / count : 0, rss, Quantiles(all.latency));
  return 0;
}

}  // namespace
}  // namespace sidecar::bench

int main(int argc, char** argv) { return sidecar::bench::Main(argc, argv); }
