#include "front/reflection_answers.h"

#include <google/protobuf/descriptor.h>

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/methods.h"

namespace sidecar {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

/// The file and all that it imports, the file first.
void AddWithImports(const FileDescriptor& file, std::set<std::string>& seen, std::vector<std::string>& out) {
  if (!seen.insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  out.push_back(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddWithImports(*file.dependency(i), seen, out);
}

template <typename Response>
void SetNotFound(const std::string& what, Response& response) {
  response.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  response.mutable_error_response()->set_error_message("not found: " + what);
}

template <typename Response>
void SetFile(const FileDescriptor* file, const std::string& what, Response& response) {
  if (file == nullptr) return SetNotFound(what, response);
  std::set<std::string> seen;
  std::vector<std::string> files;
  AddWithImports(*file, seen, files);
  for (std::string& bytes : files)
    response.mutable_file_descriptor_response()->add_file_descriptor_proto(std::move(bytes));
}

template <typename Response, typename Request>
Response Answer(const Request& request) {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      SetFile(Pool().FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
      break;
    case Request::kFileContainingSymbol:
      SetFile(Pool().FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol(),
              response);
      break;
    case Request::kFileContainingExtension: {
      const auto& extension = request.file_containing_extension();
      const auto* const type = Pool().FindMessageTypeByName(extension.containing_type());
      const FieldDescriptor* const field =
          type == nullptr ? nullptr : Pool().FindExtensionByNumber(type, extension.extension_number());
      SetFile(field == nullptr ? nullptr : field->file(), extension.containing_type(), response);
      break;
    }
    case Request::kAllExtensionNumbersOfType: {
      const std::string& name = request.all_extension_numbers_of_type();
      const auto* const type = Pool().FindMessageTypeByName(name);
      if (type == nullptr) {
        SetNotFound(name, response);
        break;
      }
      response.mutable_all_extension_numbers_response()->set_base_type_name(name);
      std::vector<const FieldDescriptor*> extensions;
      Pool().FindAllExtensions(type, &extensions);
      for (const FieldDescriptor* extension : extensions) {
        response.mutable_all_extension_numbers_response()->add_extension_number(extension->number());
      }
      break;
    }
    case Request::kListServices:
      for (const std::string_view name : {kServiceName, std::string_view("grpc.health.v1.Health"),
                                          std::string_view("grpc.reflection.v1.ServerReflection"),
                                          std::string_view("grpc.reflection.v1alpha.ServerReflection")}) {
        response.mutable_list_services_response()->add_service()->set_name(std::string(name));
      }
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      response.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
      response.mutable_error_response()->set_error_message("message_request: nothing is set");
      break;
  }
  return response;
}

}  // namespace

grpc::reflection::v1::ServerReflectionResponse AnswerReflection(
    const grpc::reflection::v1::ServerReflectionRequest& request) {
  return Answer<grpc::reflection::v1::ServerReflectionResponse>(request);
}

grpc::reflection::v1alpha::ServerReflectionResponse AnswerReflection(
    const grpc::reflection::v1alpha::ServerReflectionRequest& request) {
  return Answer<grpc::reflection::v1alpha::ServerReflectionResponse>(request);
}

}  // namespace sidecar
