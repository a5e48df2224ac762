"""What a request asks for: paths, representations, selectors, pages."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.apiserver.http import Query, warning_headers
from leeward.cluster.apiserver.negotiation import Representation, negotiate
from leeward.cluster.apiserver.options import read_list_options, take_page
from leeward.cluster.apiserver.paths import parse_resource_path
from leeward.cluster.apiserver.selection import make_matcher
from leeward.kube.status import BadRequestError, InvalidError, NotAcceptableError


def _pod(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a", "labels": labels}, "status": {"phase": "Running"}}


def test_a_namespaced_subresource_is_recognised() -> None:
    path = parse_resource_path("/apis/apps/v1/namespaces/shop/deployments/web/scale")
    assert path is not None
    assert (path.group, path.namespace, path.resource, path.name, path.subresource) == (
        "apps",
        "shop",
        "deployments",
        "web",
        "scale",
    )


def test_a_namespace_is_an_object_and_its_status_a_subresource() -> None:
    path = parse_resource_path("/api/v1/namespaces/shop/status")
    assert path is not None
    assert (path.resource, path.name, path.namespace, path.subresource) == (
        "namespaces",
        "shop",
        "",
        "status",
    )


def test_the_first_producible_clause_of_accept_wins() -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    assert negotiate(f"{table},application/json") == Representation("application/json", "Table")
    assert negotiate("application/vnd.kubernetes.protobuf,application/json") == Representation()
    assert negotiate(f"{table.replace('v=v1', 'v=v9')}, application/json") == Representation()
    with pytest.raises(NotAcceptableError):
        negotiate("text/html")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=web", ["one"]),
        ("app!=web", ["two", "three"]),
        ("app in (web, db)", ["one", "two"]),
        ("app notin (web)", ["two", "three"]),
        ("app", ["one", "two"]),
        ("!app", ["three"]),
        ("app,app!=db", ["one"]),
    ],
)
def test_label_selectors_choose(selector: str, expected: list[str]) -> None:
    matches = make_matcher(selector, "", "pods")
    pods = [_pod("one", app="web"), _pod("two", app="db"), _pod("three")]
    assert matches is not None
    assert [pod["metadata"]["name"] for pod in pods if matches(pod)] == expected


def test_field_selectors_choose_and_unknown_fields_are_refused() -> None:
    matches = make_matcher("", "status.phase!=Running", "pods")
    assert matches is not None
    assert not matches(_pod("one"))
    with pytest.raises(BadRequestError, match="field label not supported"):
        make_matcher("", "spec.nothing=1", "pods")


def test_pages_follow_one_another_without_gap_or_repeat() -> None:
    items = [_pod(f"p{number}") for number in range(5)]
    seen: list[str] = []
    token = ""
    while True:
        query = Query([("limit", "2"), ("continue", token)])
        page, metadata = take_page(items, read_list_options(query, watch=False), 7)
        seen += [item["metadata"]["name"] for item in page]
        token = metadata.get("continue", "")
        if not token:
            break
    assert seen == ["p0", "p1", "p2", "p3", "p4"]


def test_initial_events_need_the_matching_version_rule() -> None:
    with pytest.raises(InvalidError, match="NotOlderThan"):
        read_list_options(Query([("sendInitialEvents", "true")]), watch=True)


def test_a_warning_fits_into_a_header() -> None:
    assert warning_headers(['field "a\x00\x7f\n b"', "x", "x"]) == [
        ("warning", '299 - "field \\"a b\\""'),
        ("warning", '299 - "x"'),
    ]


def test_warnings_that_are_too_long_together_are_told_in_part() -> None:
    told = warning_headers(["a" * 3000, "b" * 2000, *(f"{number:0300}" for number in range(30))])
    assert [len(text) for _, text in told] == [len('299 - ""') + 256] * 16
    assert len(warning_headers(["a" * 3000, "b" * 1096])) == 2
