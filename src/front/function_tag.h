#pragma once

#include <functional>
#include <utility>

#include "front/queue_tag.h"

namespace sidecar {

/// A tag that calls a function: for calls with several operations under way, off the hit path.
class FunctionTag final : public QueueTag {
 public:
  explicit FunctionTag(std::function<void(bool ok)> fn) : fn_(std::move(fn)) {}
  void OnEvent(bool ok) override { fn_(ok); }
  void* tag() { return static_cast<QueueTag*>(this); }

 private:
  const std::function<void(bool)> fn_;
};

}  // namespace sidecar
