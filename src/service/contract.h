// The contract's own description of its methods, for what works on any of them.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "service/methods.h"

namespace sidecar {

const google::protobuf::MethodDescriptor& DescriptorOf(Method method);

std::unique_ptr<google::protobuf::Message> NewRequest(Method method);
std::unique_ptr<google::protobuf::Message> NewResponse(Method method);

/// Whom and what a request is about: customer, resource, feature or currency, as far as it
/// says; empty when it cannot be parsed.
std::string SubjectOfRequest(Method method, std::string_view request);

}  // namespace sidecar
