// The cloud's API, played byte by byte.
#include "stigg/sidecar/cloud_api.h"

#include <gtest/gtest.h>

#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include "stigg/sidecar/client.h"
#include "support/certificate.h"
#include "support/fixtures.h"
#include "support/raw_server.h"
#include "support/status_matchers.h"
#include "support/tcp_server.h"

namespace stigg::sidecar {
namespace {

using absl::StatusCode;
using ::sidecar::testing::Certificate;
using ::sidecar::testing::FailsWith;
using ::sidecar::testing::IsOk;
using ::sidecar::testing::RawServer;
using ::sidecar::testing::TcpServer;
using ::testing::HasSubstr;

class CloudApiTest : public ::testing::Test {
 protected:
  std::string seen_;
  std::string body_;
  bool silent_ = false;
  RawServer server_{[this](const RawServer::Connection& connection, const std::string& request) {
    seen_ = request;
    if (silent_) return true;
    return connection.SendOk(body_) && false;
  }};
  CloudApi api_{{.key = "server-key", .url = server_.url(), .timeout = Millis(10'000)}};
};

TEST_F(CloudApiTest, AnyOperationWithVariables) {
  body_ = R"({"data": {"plans": [{"id": "p"}]}})";
  const auto data = api_.Execute({.name = "Plans",
                                  .document = "query Plans($n: Int) { plans(first: $n) { id } }",
                                  .variables_json = R"({"n": 2})"});
  ASSERT_THAT(data, IsOk());
  EXPECT_EQ(*data, R"({"plans":[{"id":"p"}]})");
  EXPECT_THAT(seen_, HasSubstr("POST /graphql HTTP/1.1\r\n"));
  EXPECT_THAT(seen_, HasSubstr("X-API-KEY: server-key\r\n"));
  EXPECT_THAT(seen_, HasSubstr("x-graphql-operation-name: Plans\r\n"));
  EXPECT_THAT(
      seen_,
      HasSubstr(
          R"({"operationName":"Plans","variables":{"n":2},"query":"query Plans($n: Int) { plans(first: $n) { id } }"})"));
}

TEST_F(CloudApiTest, ProvisionsACustomer) {
  body_ = R"({"data": {"provisionCustomer": {"customer": {"customerId": "acme", "name": "Acme", "email": null}}}})";
  const auto customer = api_.ProvisionCustomer({.customer_id = "acme", .name = "Acme", .email = "a@acme.test"});
  ASSERT_THAT(customer, IsOk());
  EXPECT_EQ(customer->customer_id, "acme");
  EXPECT_EQ(customer->name, "Acme");
  EXPECT_EQ(customer->email, "");
  EXPECT_THAT(seen_, HasSubstr(R"("variables":{"input":{"customerId":"acme","name":"Acme","email":"a@acme.test"}})"));
}

TEST_F(CloudApiTest, ProvisionsASubscription) {
  body_ = R"({"data": {"provisionSubscription": {"status": "SUCCESS"}}})";
  const auto status = api_.ProvisionSubscription(
      {.customer_id = "acme", .plan_id = "pro", .billing_period = BillingPeriod::kMonthly, .unit_quantity = 3});
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(*status, "SUCCESS");
  EXPECT_THAT(seen_, HasSubstr(R"({"customerId":"acme","planId":"pro","billingPeriod":"MONTHLY","unitQuantity":3)"));
  EXPECT_THAT(api_.ProvisionSubscription({.plan_id = "pro"}), FailsWith(StatusCode::kInvalidArgument, "customer_id"));
  EXPECT_THAT(api_.ProvisionSubscription({.customer_id = "c"}), FailsWith(StatusCode::kInvalidArgument, "plan_id"));
}

TEST_F(CloudApiTest, ErrorsHaveTheirCode) {
  body_ = ::sidecar::testing::Fixture("graphql-error-customer-not-found.json");
  const auto failed = api_.Execute({.name = "A", .document = "{ a }"});
  EXPECT_EQ(failed.status().code(), StatusCode::kNotFound);
  const auto error = ApiErrorOf(failed.status());
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, "CustomerNotFound");
  EXPECT_EQ(error->http_status, 200);
  EXPECT_FALSE(error->trace_id.empty());
  EXPECT_EQ(ApiErrorOf(absl::NotFoundError("of somebody else")), std::nullopt);
}

TEST_F(CloudApiTest, AnswersThatAreNone) {
  for (const char* body : {"", "{", "[]", "{}", R"({"data": null})", R"({"data": 7})"}) {
    body_ = body;
    EXPECT_THAT(api_.Execute({.name = "A", .document = "{ a }"}), FailsWith(StatusCode::kUnavailable, "unusable"))
        << body;
  }
  for (const char* body : {R"({"data": {}})", R"({"data": {"provisionCustomer": {"customer": 7}}})",
                           R"({"data": {"provisionCustomer": {"customer": {"customerId": 7}}}})"}) {
    body_ = body;
    EXPECT_THAT(api_.ProvisionCustomer({}), FailsWith(StatusCode::kUnavailable, "unusable answer")) << body;
  }
}

TEST_F(CloudApiTest, BadArgumentsAreNotSent) {
  EXPECT_THAT(api_.Execute({.name = "A", .document = "{ a }", .variables_json = "{"}),
              FailsWith(StatusCode::kInvalidArgument, "variables_json: "));
  EXPECT_THAT(api_.Execute({.name = "A", .document = "{ a }", .variables_json = "[]"}),
              FailsWith(StatusCode::kInvalidArgument, "variables_json: expected an object"));
  EXPECT_EQ(server_.requests(), 0);
  CloudApi without_key({.url = server_.url()});
  EXPECT_THAT(without_key.Execute({.name = "A", .document = "{ a }"}),
              FailsWith(StatusCode::kFailedPrecondition, "api.key"));
  CloudApi elsewhere({.key = "k", .url = "ftp://host"});
  EXPECT_THAT(elsewhere.Execute({.name = "A", .document = "{ a }"}),
              FailsWith(StatusCode::kInvalidArgument, "api.url: 'ftp://host"));
  CloudApi split({.key = "k\r\nX-Other: 1", .url = server_.url()});
  EXPECT_THAT(split.Execute({.name = "A", .document = "{ a }"}),
              FailsWith(StatusCode::kInvalidArgument, "api.key: has a control character"));
  CloudApi patient({.key = "k", .url = server_.url(), .timeout = Millis(86'400'001)});
  EXPECT_THAT(patient.Execute({.name = "A", .document = "{ a }"}),
              FailsWith(StatusCode::kInvalidArgument, "api.timeout: 86400001 ms"));
  EXPECT_EQ(server_.requests(), 0);
}

TEST_F(CloudApiTest, NobodyAnswers) {
  silent_ = true;
  CloudApi hasty({.key = "k", .url = server_.url(), .timeout = Millis(100)});
  const auto late = hasty.Execute({.name = "A", .document = "{ a }"});
  EXPECT_THAT(late, FailsWith(StatusCode::kDeadlineExceeded, "reading the answer"));
  EXPECT_EQ(ApiErrorOf(late.status())->http_status, 0);
  CloudApi nowhere({.key = "k", .url = "http://127.0.0.1:1"});
  EXPECT_THAT(nowhere.Execute({.name = "A", .document = "{ a }"}),
              FailsWith(StatusCode::kUnavailable, "connecting failed"));
}

TEST(CloudApiTls, TheCertificateIsChecked) {
  const Certificate certificate("DNS:localhost");
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_server);
  context.use_certificate_chain_file(certificate.certificate_file());
  context.use_private_key_file(certificate.key_file(), boost::asio::ssl::context::pem);
  const TcpServer server([&context](TcpServer::Socket socket) {
    boost::asio::ssl::stream<TcpServer::Socket> stream(std::move(socket), context);
    stream.handshake(boost::asio::ssl::stream_base::server);
    std::string request;
    boost::asio::read_until(stream, boost::asio::dynamic_buffer(request), "{ a }");
    const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"data\": {\"a\": 1}}";
    boost::asio::write(stream, boost::asio::buffer(answer));
    stream.shutdown();
  });
  const auto ask = [&](const std::string& host, const std::string& ca_file) {
    CloudApi api({.key = "k",
                  .url = "https://" + host + ":" + server.port(),
                  .timeout = Millis(10'000),
                  .extra_ca_file = ca_file});
    return api.Execute({.name = "A", .document = "{ a }"});
  };
  const auto data = ask("localhost", certificate.certificate_file());
  ASSERT_THAT(data, IsOk());
  EXPECT_EQ(*data, R"({"a":1})");
  EXPECT_THAT(ask("localhost", ""), FailsWith(StatusCode::kUnavailable, "the certificate of localhost is refused"));
  EXPECT_THAT(ask("127.0.0.1", certificate.certificate_file()),
              FailsWith(StatusCode::kUnavailable, "the certificate of 127.0.0.1 is refused"));
  EXPECT_THAT(ask("localhost", "/nonexistent"), FailsWith(StatusCode::kUnavailable, "extra_ca_file /nonexistent"));
}

TEST_F(CloudApiTest, AClientHasOne) {
  body_ = R"({"data": {}})";
  const auto client = Client::Create({.api = {.key = "server-key", .url = server_.url()}});
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT((*client)->api().Execute({.name = "A", .document = "{ a }"}), IsOk());
}

}  // namespace
}  // namespace stigg::sidecar
