#pragma once

namespace sidecar {

/// What a completion queue gives back. Handled on the queue's thread.
class QueueTag {
 public:
  virtual ~QueueTag() = default;
  virtual void OnEvent(bool ok) = 0;
};

}  // namespace sidecar
