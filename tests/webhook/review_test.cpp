#include "webhook/review.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis;
using portcullis::webhook::read_review;
using portcullis::webhook::Review;

namespace {

// A CREATE of a Pod with the fields that `changed` puts in their place or beside them.
std::string review_text(const std::string& request) {
  return R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":)" + request + "}";
}

const std::string kinds = R"("kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},)";
const std::string user = R"("userInfo":{"username":"alice","groups":["dev","system:authenticated"]},)";
const std::string object =
    R"("object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"acme"},"spec":{"containers":[]}})";

std::string outcome(const std::string& text, Review& review) {
  const std::string padded = text + std::string(64, ' ');
  // The views of `review` end with this copy; only what is compared at once may be read.
  const auto read = read_review({padded.data(), text.size()}, {}, {}, review);
  return read ? "ok" : read.error().message();
}

std::string outcome(const std::string& text) {
  Review review;
  return outcome(text, review);
}

}  // namespace

TEST_CASE("what is no AdmissionReview is refused with its field", "[webhook][review]") {
  struct Case {
    const char* name;
    std::string text, message;
  };
  const Case cases[] = {
      {"empty", "", "body: not JSON: Empty: no JSON found"},
      {"no JSON", "hello", "body: not JSON: want an object"},
      {"A38 raw byte", "{\"a\":\"\xFF\"}", "body: not JSON: The input is not valid UTF-8"},
      {"another version", R"({"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{}})",
       "body: found `admission.k8s.io/v1beta1` `AdmissionReview`, want admission.k8s.io/v1 AdmissionReview"},
      {"another kind", R"({"apiVersion":"v1","kind":"Pod"})", "body: found `v1` `Pod`, want admission.k8s.io/v1 AdmissionReview"},
      {"no request", R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"})", "request: found nothing, want an object"},
      {"null request", review_text("null"), "request: found null, want an object"},
      {"no uid", review_text("{" + kinds + user + R"("operation":"CREATE",)" + object + "}"), "request.uid: found nothing, want a string"},
      {"uid is a number", review_text(R"({"uid":1,)" + kinds + user + R"("operation":"CREATE",)" + object + "}"),
       "request.uid: found a number, want a string"},
      {"uid is empty", review_text(R"({"uid":"",)" + kinds + user + R"("operation":"CREATE",)" + object + "}"),
       "request.uid: empty or too long"},
      {"uid is long", review_text(R"({"uid":")" + std::string(300, 'u') + "\"," + kinds + user + R"("operation":"CREATE",)" + object + "}"),
       "request.uid: empty or too long"},
      {"A27 uid twice", review_text(R"({"uid":"1","uid":"2",)" + kinds + user + R"("operation":"CREATE",)" + object + "}"),
       "request.uid: the same name twice"},
      {"A27 object twice", review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"CREATE",)" + object + "," + object + "}"),
       "request.object: the same name twice"},
      {"A27 request twice", R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{},"request":{}})",
       "body.request: the same name twice"},
      {"unknown operation", review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"PATCH",)" + object + "}"),
       "request.operation: found `PATCH`, want CREATE, UPDATE, DELETE or CONNECT"},
      {"no operation", review_text(R"({"uid":"1",)" + kinds + user + object + "}"),
       "request.operation: found nothing, want CREATE, UPDATE, DELETE or CONNECT"},
      {"object is a list", review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"CREATE","object":[]})"),
       "request.object: found a list, want an object"},
      {"CREATE without object", review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"CREATE","object":null})"),
       "request.object: found null, want the object"},
      {"kind is text", review_text(R"({"uid":"1","kind":"Pod","resource":{},)" + user + R"("operation":"CREATE",)" + object + "}"),
       "request.kind: found a string, want an object"},
      {"no kind", review_text(R"({"uid":"1","kind":{},"resource":{},)" + user + R"("operation":"CREATE",)" + object + "}"),
       "request.kind: found no kind"},
      {"groups are text",
       review_text(R"({"uid":"1",)" + kinds + R"("userInfo":{"username":"a","groups":"x"},"operation":"CREATE",)" + object + "}"),
       "request.userInfo.groups: found a string, want a list"},
      {"a group is a number",
       review_text(R"({"uid":"1",)" + kinds + R"("userInfo":{"username":"a","groups":[1]},"operation":"CREATE",)" + object + "}"),
       "request.userInfo.groups: found a number, want strings"},
      {"cut short", review_text(R"({"uid":"1",)" + kinds).substr(0, 150), "body: not JSON: it ends too early"},
      {"complete", review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"CREATE",)" + object + "}"), "ok"},
      {"nulls are explicit",
       review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"CREATE","oldObject":null,"options":null,"dryRun":false,)" + object +
                   "}"),
       "ok"},
      {"DELETE has no object",
       review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"DELETE","object":null,"oldObject":{"metadata":{}}})"), "ok"},
      {"CONNECT has its options",
       review_text(
           R"({"uid":"1","kind":{"group":"","version":"v1","kind":"PodExecOptions"},"resource":{"group":"","version":"v1","resource":"pods"},"subResource":"exec",)" +
           user + R"("operation":"CONNECT","object":{"kind":"PodExecOptions","command":["sh"]},"oldObject":null})"),
       "ok"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(outcome(c.text) == c.message); }
  }
}

TEST_CASE("a review's fields reach the subject", "[webhook][review]") {
  Review review;
  const std::string text = review_text(
      R"({"uid":"u-1","kind":{"group":"extensions","version":"v1beta1","kind":"Deployment"},"requestKind":{"group":"apps","version":"v1","kind":"Deployment"},)"
      R"("resource":{"group":"apps","version":"v1","resource":"deployments"},"subResource":"scale","name":"","namespace":"acme","operation":"UPDATE","dryRun":true,)" +
      user + R"("object":{"metadata":{"generateName":"web-","namespace":"other"}},"oldObject":{"metadata":{"name":"web-1"}}})");
  const std::string padded = text + std::string(64, ' ');
  REQUIRE(read_review({padded.data(), text.size()}, {}, {}, review));
  const policy::Subject& subject = review.subject;
  CHECK(review.uid == "u-1");
  CHECK(subject.group == "apps");  // A45: an older group of the same kind
  CHECK(subject.resource == "deployments");
  CHECK(subject.resource_group == "apps");
  CHECK(subject.subresource == "scale");
  CHECK(subject.operation == policy::Operation::update);
  CHECK(subject.dry_run);
  CHECK(subject.user.name == "alice");
  CHECK(subject.user.in_group("dev"));
  CHECK_FALSE(subject.user.in_group("de"));
  CHECK(subject.generate_name == "web-");
  CHECK(review.namespace_differs);  // A49
  CHECK(subject.old_object.metadata["name"].text() == "web-1");
}

TEST_CASE("a loop's review carries nothing over to the next", "[webhook][review]") {
  Review review;
  const std::string first = review_text(R"({"uid":"1",)" + kinds + user + R"("operation":"UPDATE","dryRun":true,"subResource":"resize",)" +
                                        object + R"(,"oldObject":{"metadata":{"name":"old"}}})");
  REQUIRE(outcome(first, review) == "ok");
  const std::string text = review_text(R"({"uid":"2",)" + kinds + R"("operation":"CREATE","userInfo":{},)" + object + "}");
  const std::string padded = text + std::string(64, ' ');
  REQUIRE(read_review({padded.data(), text.size()}, {}, {}, review));
  CHECK(review.subject.user.groups.empty());
  CHECK(review.subject.user.name.empty());
  CHECK(review.subject.subresource.empty());
  CHECK_FALSE(review.subject.dry_run);
  CHECK_FALSE(review.subject.old_object.root);
}
