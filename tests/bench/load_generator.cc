// A gRPC load generator for metered checks. Closed loop (a fixed number of calls in flight),
// or open loop at a rate, with latency counted from the intended start. Prints one line of
// JSON. Options: --target --pid --inflight --connections --threads --seconds --customers
// --zipf --rate --warmup.
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

int64_t RssKib(int pid) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return std::strtoll(line.c_str() + 6, nullptr, 10);
  }
  return 0;
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
  return options;
}

int Main(int argc, char** argv) {
  const Options options = ParseOptions(argc, argv);
  if (options.target.empty()) {
    std::fprintf(stderr, "usage: load_generator --target HOST:PORT [--name value]…; see the top of its source\n");
    return 2;
  }
  const Requests requests(options.customers, options.zipf);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < options.connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // or all would share one connection
    channels.push_back(grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments));
  }
  std::atomic<bool> measuring{false};
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) {
    workers.push_back(std::make_unique<Worker>(options, requests, channels, i + 1));
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
      "\"cpu_s_per_1m\":{:.3f},\"rss_kib\":{}}}\n",
      all.latency.count(), all.failures, count / seconds, all.latency.QuantileUs(0.5), all.latency.QuantileUs(0.99),
      all.latency.QuantileUs(0.999), count > 0 ? cpu * 1e6 / count : 0, rss);
  return 0;
}

}  // namespace
}  // namespace sidecar::bench

int main(int argc, char** argv) { return sidecar::bench::Main(argc, argv); }
