"""What an object becomes when it is created, and what is refused."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from leeward.base.ids import SUFFIX_ALPHABET
from leeward.kube.status import AlreadyExistsError, BadRequestError, InvalidError, NotFoundError


def test_a_new_object_gets_kind_version_uid_and_time(cluster: Any) -> None:
    cluster.clock.advance(61)
    made = cluster.deploy()
    assert (made["apiVersion"], made["kind"]) == ("apps/v1", "Deployment")
    meta = made["metadata"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", meta["uid"])
    assert meta["creationTimestamp"] == "2030-01-01T00:01:01Z"
    assert meta["generation"] == 1
    assert meta["resourceVersion"] == str(cluster.store.revision)
    assert cluster.client.get("deployments.apps", "shop", "web") == made


def test_what_the_server_owns_cannot_be_brought_along(cluster: Any) -> None:
    brought = {
        "uid": "mine",
        "creationTimestamp": "1999-01-01T00:00:00Z",
        "deletionTimestamp": "1999-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 5,
        "generation": 7,
        "selfLink": "/x",
        "managedFields": [{}],
    }
    meta = cluster.configmap(metadata={**brought, "labels": {"app": "web"}, "finalizers": ["a/b"]})[
        "metadata"
    ]
    assert meta["uid"] != "mine"
    assert meta["creationTimestamp"] == "2030-01-01T00:00:00Z"
    assert set(meta) == {
        "name", "namespace", "uid", "creationTimestamp", "labels", "finalizers", "resourceVersion",
    }  # fmt: skip
    assert meta["labels"] == {"app": "web"}


def test_each_object_has_a_uid_of_its_own_even_under_a_name_used_before(cluster: Any) -> None:
    first = cluster.configmap("a")["metadata"]["uid"]
    second = cluster.configmap("b")["metadata"]["uid"]
    cluster.client.delete("configmaps", "shop", "a")
    third = cluster.configmap("a")["metadata"]["uid"]
    assert len({first, second, third}) == 3


def test_only_kinds_that_count_their_changes_have_a_generation(cluster: Any) -> None:
    assert "generation" not in cluster.configmap()["metadata"]
    assert "generation" not in cluster.service()["metadata"]
    assert cluster.pod()["metadata"]["generation"] == 1


def test_a_name_is_generated_from_its_beginning(cluster: Any) -> None:
    def generate(base: str) -> str:
        meta = {"generateName": base, "namespace": "shop"}
        made = cluster.client.create("configmaps", {"metadata": meta})
        assert made["metadata"]["generateName"] == base
        return str(made["metadata"]["name"])

    first, second = generate("web-"), generate("web-")
    assert first != second
    for name in (first, second):
        assert re.fullmatch(rf"web-[{SUFFIX_ALPHABET}]{{5}}", name)
    long = generate("x" * 80)
    assert len(long) == 63
    assert long.startswith("x" * 58)


def test_a_generated_name_that_is_taken_is_made_again(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.configmap("web-aaaaa")
    suffixes = iter(("aaaaa", "aaaaa", "bbbbb"))
    monkeypatch.setattr(type(cluster.registry._ids), "suffix", lambda self: next(suffixes))
    made = cluster.client.create("configmaps", {"metadata": {"generateName": "web-", "namespace": "shop"}})
    assert made["metadata"]["name"] == "web-bbbbb"


def test_a_name_that_was_given_wins_over_generation(cluster: Any) -> None:
    assert cluster.configmap("given", metadata={"generateName": "web-"})["metadata"]["name"] == "given"


def test_an_object_without_a_name_is_refused(cluster: Any) -> None:
    with pytest.raises(
        InvalidError, match=r"metadata\.name: Required value: name or generateName is required"
    ):
        cluster.client.create("configmaps", {"metadata": {"namespace": "shop"}})
    with pytest.raises(InvalidError, match="name or generateName"):
        cluster.client.create("configmaps", {})


def test_a_resource_version_on_a_new_object_is_refused(cluster: Any) -> None:
    with pytest.raises(BadRequestError, match="resourceVersion should not be set"):
        cluster.configmap(metadata={"resourceVersion": "5"})
    assert not cluster.has("configmaps", "settings")


def test_a_name_that_is_taken_is_refused_and_the_object_kept(cluster: Any) -> None:
    kept = cluster.configmap(data={"by": "one"})
    with pytest.raises(AlreadyExistsError, match='configmaps "settings" already exists'):
        cluster.configmap(data={"by": "two"})
    assert cluster.client.get("configmaps", "shop", "settings") == kept


def test_a_namespaced_object_without_a_namespace_goes_to_default(cluster: Any) -> None:
    made = cluster.client.create("configmaps", {"metadata": {"name": "a"}})
    assert made["metadata"]["namespace"] == "default"


def test_an_object_of_the_cluster_loses_a_namespace_it_brought(cluster: Any) -> None:
    meta = {"name": "n1", "namespace": "shop"}
    assert "namespace" not in cluster.client.create("nodes", {"metadata": meta})["metadata"]
    assert cluster.client.find("nodes", "", "n1") is not None


def test_an_unknown_resource_is_refused(cluster: Any) -> None:
    with pytest.raises(NotFoundError, match="could not find the requested resource"):
        cluster.client.create("widgets.example.com", {"metadata": {"name": "a"}})


def test_a_rehearsal_answers_as_if_it_had_written(cluster: Any) -> None:
    events, before = cluster.watched(), cluster.store.revision
    shown = cluster.rehearsal.create("deployments.apps", cluster.deployment())
    assert shown["spec"]["replicas"] == 1
    assert shown["metadata"]["uid"]
    assert not cluster.has("deployments.apps", "web")
    with pytest.raises(InvalidError):
        cluster.rehearsal.create("deployments.apps", {"metadata": {"name": "x", "namespace": "shop"}})
    assert (events, cluster.store.revision) == ([], before)


def test_what_was_given_is_not_changed(cluster: Any) -> None:
    given = cluster.deployment()
    before = copy.deepcopy(given)
    cluster.client.create("deployments.apps", given)
    assert given == before


@pytest.mark.parametrize(
    ("resource", "name", "text"),
    [
        ("configmaps", "Upper", "a lowercase RFC 1123 subdomain must consist of"),
        ("configmaps", "-a", "a lowercase RFC 1123 subdomain must consist of"),
        ("configmaps", "a..b", "a lowercase RFC 1123 subdomain must consist of"),
        ("configmaps", "a\n", "a lowercase RFC 1123 subdomain must consist of"),
        ("configmaps", "a" * 254, "must be no more than 253 characters"),
        ("namespaces", "a.b", "must not contain dots"),
        ("namespaces", "a.B", "a lowercase RFC 1123 label must consist of"),
        ("namespaces", "a" * 64, "must be no more than 63 characters"),
        ("services", "with.dot", "must not contain dots"),
        ("services", "-web", "a lowercase RFC 1123 label must consist of"),
        ("roles.rbac.authorization.k8s.io", "a/b", "may not contain '/'"),
        ("roles.rbac.authorization.k8s.io", "..", "may not be '..'"),
    ],
)
def test_a_bad_name_is_refused(cluster: Any, resource: str, name: str, text: str) -> None:
    spec = {"ports": [{"port": 80}]}
    with pytest.raises(InvalidError) as caught:
        cluster.client.create(resource, {"metadata": {"name": name, "namespace": "shop"}, "spec": spec})
    assert text in caught.value.message
    cause, *_ = (caught.value.details or {})["causes"]
    assert (cause["field"], cause["reason"]) == ("metadata.name", "FieldValueInvalid")


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("configmaps", "a.b-c.1"),
        ("configmaps", "a" * 253),
        ("namespaces", "1-a"),
        ("services", "1web"),
        ("namespaces", "a" * 63),
        ("roles.rbac.authorization.k8s.io", "system:Node.x"),
    ],
)
def test_a_good_name_is_accepted(cluster: Any, resource: str, name: str) -> None:
    spec = {"ports": [{"port": 80}]}
    made = cluster.client.create(resource, {"metadata": {"name": name, "namespace": "shop"}, "spec": spec})
    assert made["metadata"]["name"] == name


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({"a b": "x"}, "name part must consist of"),
        ({"example.com/": "x"}, "name part must consist of"),
        ({"k" * 64: "x"}, "name part must be no more than 63 bytes"),
        ({"/x": "x"}, "prefix part must be non-empty"),
        ({"Example.com/x": "x"}, "prefix part a lowercase RFC 1123 subdomain must consist of"),
        ({"a/b/c": "x"}, "a valid label key must consist of"),
        ({"app": "not ok"}, "a valid label must be an empty string or consist of"),
        ({"app": "v" * 64}, "must be no more than 63 bytes"),
    ],
)
def test_bad_labels_are_refused(cluster: Any, labels: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidError, match=re.escape(text)):
        cluster.configmap(metadata={"labels": labels})


@pytest.mark.parametrize(
    ("annotations", "text"),
    [
        ({"a b": "x"}, 'metadata.annotations: Invalid value: "a b": name part must consist of'),
        ({"note": "x" * 262144}, "metadata.annotations: Too long: may not be more than 262144 bytes"),
    ],
)
def test_bad_annotations_are_refused(cluster: Any, annotations: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidError, match=re.escape(text)):
        cluster.configmap(metadata={"annotations": annotations})


def test_annotations_may_have_upper_case_prefixes(cluster: Any) -> None:
    annotations = {"Example.com/Note": "anything at all"}
    assert cluster.configmap(metadata={"annotations": annotations})["metadata"]["annotations"] == annotations


def test_good_labels_are_accepted(cluster: Any) -> None:
    labels = {"example.com/part-of": "a_b.C", "empty": "", "k" * 63: "v" * 63}
    assert cluster.configmap(metadata={"labels": labels})["metadata"]["labels"] == labels


def test_all_that_is_wrong_is_said_at_once(cluster: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        cluster.deploy("Web", replicas=-1, template=None)
    error = caught.value
    causes = (error.details or {})["causes"]
    assert [cause["field"] for cause in causes] == [
        "metadata.name",
        "spec.replicas",
        "spec.template.metadata.labels",
        "spec.template.spec.containers",
    ]
    assert error.message.startswith(
        'Deployment.apps "Web" is invalid: [metadata.name: Invalid value: "Web": '
    )
    assert (error.details or {})["group"] == "apps"
