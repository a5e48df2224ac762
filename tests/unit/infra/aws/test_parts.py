"""Registries, objects, logs, certificates and zones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from leeward.base.errors import UserInputError
from leeward.infra.aws import hosts
from leeward.infra.aws.ecr import EcrHost, ecr_host, registry_login
from leeward.infra.aws.hosts import Certificate, Zone, holds_for
from leeward.infra.aws.logs import filter_pattern, log_group, read_lines
from leeward.infra.aws.objects import S3Place, parse_place, read_object, write_object
from leeward.infra.aws.session import Aws

HOSTS = {
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com": EcrHost("111122223333", "eu-west-1"),
    "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com": EcrHost("111122223333", "us-gov-west-1"),
    "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn": EcrHost("111122223333", "cn-north-1"),
    "111122223333.dkr-ecr.eu-west-1.on.aws": EcrHost("111122223333", "eu-west-1"),
    "public.ecr.aws": None,
    "dkr.ecr.eu-west-1.amazonaws.com": None,
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example": None,
    "ghcr.io": None,
}


@pytest.mark.parametrize("registry", HOSTS)
def test_a_registry_of_ecr_is_known_by_its_name(registry: str) -> None:
    assert ecr_host(registry) == HOSTS[registry]


def test_the_login_to_a_registry_is_of_its_account_and_not_shown(aws: Aws) -> None:
    found = registry_login(aws, EcrHost("123456789012", "us-east-1"))

    assert found.username == "AWS"
    assert found.password
    assert found.password not in repr(found)


PLACE = S3Place("releases", "shop/1.2.json")


@pytest.fixture
def bucket(aws: Aws) -> Aws:
    aws.ask("s3", "create_bucket", Bucket="releases")
    return aws


def test_an_object_is_what_was_written(bucket: Aws) -> None:
    write_object(bucket, PLACE, b"one", replace=False)
    assert read_object(bucket, PLACE) == b"one"

    write_object(bucket, PLACE, b"two", replace=True)
    assert read_object(bucket, PLACE) == b"two"


def test_an_object_that_is_there_is_not_written_over_unasked(bucket: Aws) -> None:
    write_object(bucket, PLACE, b"one", replace=False)

    with pytest.raises(UserInputError, match=r"s3://releases/shop/1\.2\.json exists already") as caught:
        write_object(bucket, PLACE, b"two", replace=False)
    assert caught.value.remedy == "Use --force to overwrite it."
    assert read_object(bucket, PLACE) == b"one"


def test_an_object_or_bucket_that_is_not_there_is_told(bucket: Aws) -> None:
    with pytest.raises(UserInputError, match=r"s3://releases/shop/1\.2\.json is not there"):
        read_object(bucket, PLACE)
    with pytest.raises(UserInputError, match="there is no bucket nobodys"):
        write_object(bucket, S3Place("nobodys", "x"), b"", replace=True)


def test_places_in_s3_are_told_from_files() -> None:
    assert parse_place("s3://releases/shop/1.2.json") == PLACE
    assert parse_place("release.json") is None
    for text in ("s3://", "s3://releases", "s3://releases/", "s3://releases/a/", "s3://Bad_Name/key"):
        with pytest.raises(UserInputError, match="names no object of S3"):
            parse_place(text)


def event(pod: str, container: str, text: str, at: int, namespace: str = "shop") -> dict[str, Any]:
    origin = {"pod_name": pod, "namespace_name": namespace, "container_name": container}
    return {"timestamp": at, "message": json.dumps({"log": text, "kubernetes": origin})}


def test_lines_of_pods_that_are_gone_are_read_in_order(stub: Any) -> None:
    pages = [
        {
            "events": [event("web-1", "web", "one\n", 1000), {"timestamp": 1500, "message": "no JSON"}],
            "nextToken": "x",
        },
        {"events": [event("web-2", "web", "two", 2000), event("x", "web", "no", 3000, "other")]},
    ]
    aws = stub("logs", *(("filter_log_events", page) for page in pages))

    found = list(read_lines(aws, "prod", "shop", ["web"], datetime.fromtimestamp(0, UTC)))

    assert [(each.pod, each.text) for each in found] == [("web-1", "one"), ("web-2", "two")]
    assert found[0].time == datetime.fromtimestamp(1, UTC)


def test_the_group_of_a_cluster_is_read_since_a_time(aws: Aws) -> None:
    name = log_group("prod")
    aws.ask("logs", "create_log_group", logGroupName=name)
    aws.ask("logs", "create_log_stream", logGroupName=name, logStreamName="s")
    now = int(datetime.now(UTC).timestamp() * 1000)
    sent = [event("web-1", "web", "old", now - 60_000), event("web-1", "web", "new", now)]
    aws.ask("logs", "put_log_events", logGroupName=name, logStreamName="s", logEvents=sent)

    since = datetime.fromtimestamp((now - 1000) / 1000, UTC)
    assert [each.text for each in read_lines(aws, "prod", "shop", [], since)] == ["new"]


def test_a_cluster_that_sends_no_logs_is_told_how_to(aws: Aws) -> None:
    with pytest.raises(UserInputError, match="there is no log group /aws/containerinsights/prod/application"):
        list(read_lines(aws, "prod", "shop", [], datetime.fromtimestamp(0, UTC)))


def test_the_filter_is_that_of_namespace_and_containers() -> None:
    assert filter_pattern("shop", []) == '{ $.kubernetes.namespace_name = "shop" }'
    assert filter_pattern("shop", ["web", "api"]) == (
        '{ $.kubernetes.namespace_name = "shop" && '
        '($.kubernetes.container_name = "web" || $.kubernetes.container_name = "api") }'
    )


def certificate(arn: str, *names: str, status: str = "ISSUED", year: int = 2031) -> Certificate:
    return Certificate(arn=arn, names=names, status=status, until=datetime(year, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "host", "holds"),
    [
        ("shop.example.com", "shop.example.com", True),
        ("*.example.com", "shop.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "a.shop.example.com", False),
        ("*.example.com", "example.com", False),
        ("shop.example.com", "*.example.com", False),
        ("*.example.com", "*.shop.example.com", False),
    ],
)
def test_a_wildcard_holds_for_one_label(name: str, host: str, holds: bool) -> None:
    assert holds_for(name, host) is holds


def test_of_several_certificates_the_issued_one_that_is_good_for_longest_is_taken() -> None:
    of_account = [
        certificate("a", "shop.example.com", year=2030),
        certificate("b", "*.example.com", year=2032),
        certificate("c", "shop.example.com", status="PENDING_VALIDATION", year=2039),
    ]

    (found,) = hosts.look_up(["shop.example.com"], of_account, [])
    assert found.certificate is of_account[1]
    assert found.is_covered


def test_what_is_missing_is_told_host_by_host() -> None:
    of_account = [certificate("a", "*.example.com"), certificate("b", "shop.io", status="PENDING_VALIDATION")]
    zones = [Zone("Z1", "example.com"), Zone("Z2", "shop.example.com"), Zone("Z3", "shop.io")]

    found = hosts.look_up(
        ["a.example.com", "x.shop.example.com", "shop.io", "b.example.org"], of_account, zones
    )

    assert [each.problem for each in found] == [
        "",
        "no certificate holds for it",
        "its certificate is pending validation",
        "no certificate holds for it",
    ]
    assert [each.zone.id if each.zone else "" for each in found] == ["Z1", "Z2", "Z3", ""]


def test_one_certificate_for_all_hosts_is_found_where_there_is_one() -> None:
    both = certificate("b", "a.example.com", "shop.io")
    of_account = [certificate("a", "*.example.com"), both]
    found = hosts.look_up(["a.example.com", "shop.io"], of_account, [])

    assert hosts.common_certificate(found, of_account) is both
    assert hosts.common_certificate(found, of_account[:1]) is None


def test_certificates_and_zones_are_read_from_aws(aws: Aws) -> None:
    arn = aws.ask("acm", "request_certificate", DomainName="Shop.example.com")["CertificateArn"]
    aws.ask("route53", "create_hosted_zone", Name="example.com.", CallerReference="1")

    (found,) = hosts.certificates(aws)
    assert (found.arn, found.names) == (arn, ("shop.example.com",))
    (zone,) = hosts.zones(aws)
    assert zone.name == "example.com"
    assert "/" not in zone.id
