#include "adapters/system/limits.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sidecar {
namespace {

namespace fs = std::filesystem;

class LimitsTest : public ::testing::Test {
 protected:
  LimitsTest()
      : root_(fs::path(::testing::TempDir()) / ("limits-" + std::to_string(::getpid()) + "-" +
                                                ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(root_);
    Write("proc/meminfo", "MemTotal:       24576000 kB\nMemFree: 1 kB\n");
  }
  ~LimitsTest() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const fs::path file = root_ / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  MemoryLimit Find() { return FindMemoryLimit(root_.string()); }

  const fs::path root_;
};

constexpr uint64_t kMemTotal = 24'576'000ULL * 1024;

TEST_F(LimitsTest, WithoutCgroupItIsPhysicalMemory) {
  EXPECT_EQ(Find().bytes, kMemTotal);
  EXPECT_EQ(Find().source, "physical memory");
}

TEST_F(LimitsTest, CgroupV2AtTheMountAsInAContainer) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/memory.max", "268435456\n");
  EXPECT_EQ(Find().bytes, 268'435'456U);
  EXPECT_EQ(Find().source, "cgroup v2 memory.max");
}

TEST_F(LimitsTest, CgroupV2TakesTheStrictestOfTheParents) {
  Write("proc/self/cgroup", "0::/kubepods/pod1/main\n");
  Write("sys/fs/cgroup/kubepods/pod1/main/memory.max", "max\n");
  Write("sys/fs/cgroup/kubepods/pod1/memory.max", "536870912\n");
  Write("sys/fs/cgroup/kubepods/memory.max", "1073741824\n");
  EXPECT_EQ(Find().bytes, 536'870'912U);
}

TEST_F(LimitsTest, CgroupV2WithoutLimitIsPhysicalMemory) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(Find().source, "physical memory");
}

TEST_F(LimitsTest, CgroupV1) {
  Write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n");
  Write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "134217728\n");
  EXPECT_EQ(Find().bytes, 134'217'728U);
  EXPECT_EQ(Find().source, "cgroup v1 memory.limit_in_bytes");
}

TEST_F(LimitsTest, ALimitBeyondTheMachineIsNotALimit) {
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Find().bytes, kMemTotal);
}

TEST_F(LimitsTest, WithNothingToReadItIsConservativeAndSaysSo) {
  fs::remove_all(root_);
  EXPECT_EQ(Find().bytes, 512ULL << 20);
  EXPECT_NE(Find().source.find("guess"), std::string::npos);
}

TEST_F(LimitsTest, CpuQuotaOfBothVersions) {
  Write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(FindCpuQuota(root_.string()), 0.5);
  Write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_GE(FindCpuQuota(root_.string()), 1);
  fs::remove(root_ / "sys/fs/cgroup/cpu.max");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "25000\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(FindCpuQuota(root_.string()), 0.25);
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_GE(FindCpuQuota(root_.string()), 1);
}

}  // namespace
}  // namespace sidecar
