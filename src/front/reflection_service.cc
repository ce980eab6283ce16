#include "front/reflection_service.h"

#include <google/protobuf/descriptor.h>

#include <set>
#include <string>
#include <vector>

#include "front/owned_stream.h"
#include "service/methods.h"

namespace sidecar {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

struct V1 {
  using Service = grpc::reflection::v1::ServerReflection::AsyncService;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};

struct V1Alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection::AsyncService;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

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
  response.mutable_error_response()->set_error_code(static_cast<int>(grpc::StatusCode::NOT_FOUND));
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

template <typename Version>
typename Version::Response Answer(const typename Version::Request& request) {
  typename Version::Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Version::Request::kFileByFilename:
      SetFile(Pool().FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
      break;
    case Version::Request::kFileContainingSymbol:
      SetFile(Pool().FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol(),
              response);
      break;
    case Version::Request::kFileContainingExtension: {
      const auto& extension = request.file_containing_extension();
      const auto* const type = Pool().FindMessageTypeByName(extension.containing_type());
      const FieldDescriptor* const field =
          type == nullptr ? nullptr : Pool().FindExtensionByNumber(type, extension.extension_number());
      SetFile(field == nullptr ? nullptr : field->file(), extension.containing_type(), response);
      break;
    }
    case Version::Request::kAllExtensionNumbersOfType: {
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
    case Version::Request::kListServices:
      for (const std::string_view name : {kServiceName, std::string_view("grpc.health.v1.Health"),
                                          std::string_view("grpc.reflection.v1.ServerReflection"),
                                          std::string_view("grpc.reflection.v1alpha.ServerReflection")}) {
        response.mutable_list_services_response()->add_service()->set_name(std::string(name));
      }
      break;
    case Version::Request::MESSAGE_REQUEST_NOT_SET:
      response.mutable_error_response()->set_error_code(static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
      response.mutable_error_response()->set_error_message("message_request: nothing is set");
      break;
  }
  return response;
}

}  // namespace

/// One stream: reads a question, writes its answer, until the client has no more or the server
/// ends.
template <typename Version>
class ReflectionService::Stream final : public OwnedStream {
 public:
  Stream(ReflectionService& owner, typename Version::Service& service, grpc::ServerCompletionQueue* queue)
      : OwnedStream(owner.health_, queue, owner.streams_), owner_(owner), service_(service) {
    service_.RequestServerReflectionInfo(&context_, &stream_, queue, queue, arrived_.Start());
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return;
    new Stream(owner_, service_, queue());
    if (!Admit(kStreamsMax, "too many reflection streams") || EndWithDaemon()) return;
    Read();
  }

  void Read() { stream_.Read(&request_, read_.Start()); }

  void OnRead(bool ok) {
    if (!ok) return End(grpc::Status::OK);
    if (!ending()) stream_.Write(Answer<Version>(request_), StartWrite());
  }

  void OnWrote(bool ok) override {
    if (!ok) return End(grpc::Status::CANCELLED);
    Read();
  }

  void OnPhase() override { EndWithDaemon(); }

  void SendEnd(const grpc::Status& status, void* tag) override { stream_.Finish(status, tag); }

  ReflectionService& owner_;
  typename Version::Service& service_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<typename Version::Response, typename Version::Request> stream_{&context_};
  typename Version::Request request_;
  Operation arrived_{*this, [this](bool ok) { OnArrived(ok); }};
  Operation read_{*this, [this](bool ok) { OnRead(ok); }};
};

void ReflectionService::Register(grpc::ServerBuilder& builder) {
  builder.RegisterService(&v1_);
  builder.RegisterService(&v1alpha_);
}

void ReflectionService::Serve(grpc::ServerCompletionQueue* queue) {
  new Stream<V1>(*this, v1_, queue);
  new Stream<V1Alpha>(*this, v1alpha_, queue);
}

}  // namespace sidecar
