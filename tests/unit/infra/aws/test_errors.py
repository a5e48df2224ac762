"""What AWS refuses, in people's words."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.infra.aws.errors import AwsNotFoundError
from leeward.infra.aws.session import Aws, Login, open_aws

DENIED = (
    "User: arn:aws:sts::111122223333:assumed-role/Developers/jane is not authorized to perform: "
    "eks:DescribeCluster on resource: arn:aws:eks:us-east-1:111122223333:cluster/prod because no "
    "identity-based policy allows the eks:DescribeCluster action"
)
CASES = {
    "expired": ("ExpiredTokenException", "gone", UserInputError, "expired", "aws sso login"),
    "expired of STS": ("ExpiredToken", "gone", UserInputError, "expired", "aws sso login"),
    "unknown key": ("UnrecognizedClientException", "bad", UserInputError, "does not know", "not enabled"),
    "signature": ("SignatureDoesNotMatch", "bad", UserInputError, "your signature", "clock"),
    "throttled": ("ThrottlingException", "Rate exceeded", OperationError, "too many requests", "Wait"),
    "not there": (
        "ResourceNotFoundException",
        "no",
        AwsNotFoundError,
        "no such thing in us-east-1",
        "region",
    ),
    "else": ("ServerException", "oops", OperationError, "ServerException: oops", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_told_with_what_to_do(stub: Any, case: str) -> None:
    code, message, kind, said, remedy = CASES[case]

    with pytest.raises(LeewardError) as caught:
        stub("eks", ("describe_cluster", (code, message))).ask("eks", "describe_cluster", name="prod")
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert remedy in getattr(caught.value, "remedy", "")


def test_expired_credentials_of_a_profile_name_it(stub: Any) -> None:
    aws = stub("eks", ("describe_cluster", ("ExpiredTokenException", "x")), login=Login(profile="acme"))

    with pytest.raises(UserInputError) as caught:
        aws.ask("eks", "describe_cluster", name="prod")
    assert "aws sso login --profile acme" in caught.value.remedy


def test_who_may_not_is_told_the_action_and_the_resource(stub: Any) -> None:
    aws = stub("eks", ("describe_cluster", ("AccessDeniedException", DENIED)))

    with pytest.raises(UserInputError) as caught:
        aws.ask("eks", "describe_cluster", name="prod")
    assert str(caught.value) == (
        "arn:aws:sts::111122223333:assumed-role/Developers/jane may not eks:DescribeCluster on "
        "arn:aws:eks:us-east-1:111122223333:cluster/prod in us-east-1."
    )
    assert "allow the action eks:DescribeCluster" in caught.value.remedy


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "action"),
    [
        ("eks", "list_clusters", {}, "eks:ListClusters"),
        ("s3", "get_object", {"Bucket": "releases", "Key": "a"}, "s3:GetObject"),
        ("s3", "list_objects_v2", {"Bucket": "releases"}, "s3:ListBucket"),
        ("secretsmanager", "get_secret_value", {"SecretId": "a"}, "secretsmanager:GetSecretValue"),
    ],
)
def test_the_action_is_told_where_aws_does_not_say_it(
    stub: Any, service: str, operation: str, arguments: dict[str, str], action: str
) -> None:
    aws = stub(service, (operation, ("AccessDenied", "Access Denied")))

    with pytest.raises(UserInputError, match=f"may not {action}"):
        aws.ask(service, operation, **arguments)


def test_an_explicit_deny_is_told_apart(stub: Any) -> None:
    text = DENIED.replace(
        "no identity-based policy allows", "with an explicit deny in a service control policy"
    )
    aws = stub("eks", ("describe_cluster", ("AccessDeniedException", text)))

    with pytest.raises(UserInputError, match="An explicit deny forbids it"):
        aws.ask("eks", "describe_cluster", name="prod")


def test_a_question_without_an_argument_is_no_bug(aws: Aws) -> None:
    with pytest.raises(UserInputError, match="cannot be asked that"):
        aws.ask("eks", "update_nodegroup_config", clusterName="prod")


@contextmanager
def busy_service(refusals: int) -> Iterator[tuple[str, list[str]]]:
    """Run a service that refuses so many requests as too many; yields its URL and what it was asked."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            busy = len(seen) <= refusals
            body = b'{"message": "Rate exceeded"}' if busy else b'{"clusters": ["prod"]}'
            self.send_response(429 if busy else 200)
            self.send_header("x-amzn-errortype", "ThrottlingException")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("refusals", "tries"), [(2, 3), (99, 5)])
def test_what_is_refused_for_being_too_much_is_tried_again_with_growing_waits(
    keys: None, monkeypatch: pytest.MonkeyPatch, refusals: int, tries: int
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waits.append)
    with busy_service(refusals) as (url, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        aws = open_aws(Login(region="us-east-1"))
        if refusals < tries:
            assert aws.ask("eks", "list_clusters")["clusters"] == ["prod"]
        else:
            with pytest.raises(OperationError, match="went on refusing eks:ListClusters"):
                aws.ask("eks", "list_clusters")
    assert len(seen) == tries
    assert len(waits) == tries - 1
    assert max(waits) <= 20.0
