#include "service/contract.h"

#include "stigg/sidecar/v1/sidecar.pb.h"
#include "text/text.h"

namespace sidecar {
namespace {

std::unique_ptr<google::protobuf::Message> New(const google::protobuf::Descriptor* type) {
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

}  // namespace

const google::protobuf::MethodDescriptor& DescriptorOf(Method method) {
  const auto* const service = stigg::sidecar::v1::GetEntitlementsRequest::descriptor()->file()->service(0);
  return *service->FindMethodByName(std::string(Name(method)));
}

std::unique_ptr<google::protobuf::Message> NewRequest(Method method) { return New(DescriptorOf(method).input_type()); }
std::unique_ptr<google::protobuf::Message> NewResponse(Method method) {
  return New(DescriptorOf(method).output_type());
}

std::string SubjectOfRequest(Method method, std::string_view request) {
  const auto message = NewRequest(method);
  if (!message->ParseFromArray(request.data(), static_cast<int>(request.size()))) return "";
  std::string subject;
  for (const char* const name : {"customer_id", "resource_id", "feature_id", "currency_id"}) {
    const auto* const field = message->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) continue;
    const std::string text = message->GetReflection()->GetString(*message, field);
    if (!text.empty()) StrAppend(&subject, subject.empty() ? "" : " ", text);
  }
  return subject;
}

}  // namespace sidecar
