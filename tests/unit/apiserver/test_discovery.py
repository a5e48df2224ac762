"""Discovery: which groups, versions and kinds there are, in the two forms."""

from __future__ import annotations

import asyncio
from typing import Any

from leeward.cluster.apiserver import discovery
from leeward.cluster.apiserver.http import Response
from leeward.cluster.apiserver.served import Catalog


def test_groups_are_told_in_the_order_of_kubernetes() -> None:
    groups = list(Catalog().groups())
    assert groups[:3] == ["", "apiregistration.k8s.io", "apps"]
    assert groups[-2:] == ["resource.k8s.io", "flowcontrol.apiserver.k8s.io"]


def test_a_stored_kind_has_the_storage_hash_of_kubernetes_and_a_review_has_none() -> None:
    pods = next(
        row for row in discovery.resource_list(Catalog(), "", "v1")["resources"] if row["name"] == "pods"
    )
    assert pods["storageVersionHash"] == "xPOwRZ+Yhw8="
    reviews = discovery.resource_list(Catalog(), "authentication.k8s.io", "v1")["resources"]
    assert [(row["name"], row["verbs"]) for row in reviews] == [
        ("selfsubjectreviews", ["create"]),
        ("tokenreviews", ["create"]),
    ]
    assert not any("storageVersionHash" in row for row in reviews)


def test_aggregated_discovery_names_group_and_version_of_foreign_kinds_only() -> None:
    (core,) = discovery.aggregated(Catalog(), core=True)["items"]
    pods = next(row for row in core["versions"][0]["resources"] if row["resource"] == "pods")
    assert pods["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    eviction = next(row for row in pods["subresources"] if row["subresource"] == "eviction")
    assert eviction["responseKind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}


def test_an_answer_of_not_modified_keeps_type_and_says_no_length() -> None:
    """Clients take headers over into what they keep."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Response(b"", status=304, content_type=discovery.AGGREGATED_TYPE).send(send))
    head = dict(sent[0]["headers"])
    assert head[b"content-type"].decode() == discovery.AGGREGATED_TYPE
    assert b"content-length" not in head
