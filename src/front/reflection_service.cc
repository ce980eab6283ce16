#include "front/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/alarm.h>

#include <set>
#include <string>
#include <vector>

#include "front/function_tag.h"
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
/// ends. Deleted when every operation it started has come back.
template <typename Version>
class ReflectionService::Stream {
 public:
  Stream(ReflectionService& owner, typename Version::Service& service, grpc::ServerCompletionQueue* queue)
      : owner_(owner), service_(service), queue_(queue) {
    service_.RequestServerReflectionInfo(&context_, &stream_, queue_, queue_, arrived_.tag());
  }
  ~Stream() {
    if (counted_) --owner_.streams_;
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return delete this;
    new Stream(owner_, service_, queue_);
    counted_ = true;
    if (++owner_.streams_ > kStreamsMax) {
      return End({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many reflection streams"});
    }
    Listen();
    Read();
    EndIfEnded();
  }

  /// Waits for a change of phase: HealthState rings the alarm, from any thread.
  void Listen() {
    ++pending_;
    alarm_.Set(queue_, std::chrono::system_clock::time_point::max(), changed_.tag());
    token_ = owner_.health_.Subscribe([this] { alarm_.Cancel(); });
  }

  void StopListening() {
    if (token_ == 0) return;
    owner_.health_.Forget(token_);
    token_ = 0;
    alarm_.Cancel();
  }

  void EndIfEnded() {
    if (owner_.health_.phase() == HealthState::Phase::kEnded) {
      End({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    }
  }

  void OnChanged() {
    --pending_;
    if (token_ != 0) {  // rung, not silenced: listen again before looking
      owner_.health_.Forget(token_);
      token_ = 0;
      if (!ending_) Listen();
    }
    EndIfEnded();
    DeleteIfDone();
  }

  void Read() {
    ++pending_;
    stream_.Read(&request_, read_.tag());
  }

  void OnRead(bool ok) {
    --pending_;
    if (!ok) {
      End(grpc::Status::OK);
    } else if (!ending_) {
      ++pending_;
      writing_ = true;
      stream_.Write(Answer<Version>(request_), wrote_.tag());
    }
    DeleteIfDone();
  }

  void OnWrote(bool ok) {
    --pending_;
    writing_ = false;
    if (ending_) {
      Finish();
    } else if (!ok) {
      End(grpc::Status::CANCELLED);
    } else {
      Read();
    }
    DeleteIfDone();
  }

  void End(const grpc::Status& status) {
    if (ending_) return;
    ending_ = true;
    end_status_ = status;
    StopListening();
    if (!writing_) Finish();  // else when the write has come back
  }

  void Finish() {
    ++pending_;
    stream_.Finish(end_status_, finished_.tag());
  }

  void OnFinished() {
    --pending_;
    DeleteIfDone();
  }

  void DeleteIfDone() {
    if (pending_ == 0) delete this;
  }

  ReflectionService& owner_;
  typename Version::Service& service_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<typename Version::Response, typename Version::Request> stream_{&context_};
  typename Version::Request request_;
  grpc::Alarm alarm_;
  uint64_t token_ = 0;
  int pending_ = 0;  // operations that will still come back
  bool counted_ = false;
  bool writing_ = false;
  bool ending_ = false;
  grpc::Status end_status_;
  FunctionTag arrived_{[this](bool ok) { OnArrived(ok); }};
  FunctionTag changed_{[this](bool) { OnChanged(); }};
  FunctionTag read_{[this](bool ok) { OnRead(ok); }};
  FunctionTag wrote_{[this](bool ok) { OnWrote(ok); }};
  FunctionTag finished_{[this](bool) { OnFinished(); }};
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
