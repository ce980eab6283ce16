#include "front/request_bytes.h"

#include <gtest/gtest.h>

#include <vector>

namespace sidecar {
namespace {

void Receive(RequestBytes& request, const std::vector<std::string>& parts) {
  std::vector<grpc::Slice> slices(parts.begin(), parts.end());
  grpc::ByteBuffer received(slices.data(), slices.size());
  request.buffer()->Swap(&received);
}

TEST(RequestBytesTest, OneSliceIsSeenAsItIs) {
  RequestBytes request;
  Receive(request, {std::string(1'000, 'x')});
  EXPECT_EQ(request.View(), std::string(1'000, 'x'));
  EXPECT_LT(request.kept(), 1'000U) << "not copied";
}

TEST(RequestBytesTest, SeveralSlicesAreJoinedOnce) {
  RequestBytes request;
  Receive(request, {std::string(1'000, 'x'), std::string(1'000, 'y')});
  EXPECT_EQ(request.View(), std::string(1'000, 'x') + std::string(1'000, 'y'));
  EXPECT_EQ(request.View().data(), request.View().data());
}

TEST(RequestBytesTest, AnEmptyRequestIsEmpty) {
  RequestBytes request;
  Receive(request, {});
  EXPECT_EQ(request.View(), "");
}

TEST(RequestBytesTest, TheNextRequestSeesNothingOfTheLast) {
  RequestBytes request;
  Receive(request, {std::string(100, 'x'), std::string(100, 'y')});
  EXPECT_EQ(request.View().size(), 200U);
  request.Clear();
  Receive(request, {"z"});
  EXPECT_EQ(request.View(), "z");
}

TEST(RequestBytesTest, WhatALargeRequestTookIsGivenBack) {
  RequestBytes request;
  Receive(request, {std::string(3 << 20, 'x'), std::string(1 << 20, 'y')});
  EXPECT_EQ(request.View().size(), 4U << 20);
  request.Clear();
  EXPECT_LE(request.kept(), 64U << 10);
}

}  // namespace
}  // namespace sidecar
