"""Custom resources whose versions a webhook converts: writes, patches, reads, and wrong answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.admission import attended
from leeward.cluster.apiserver.http import Request, Response
from leeward.cluster.apiserver.paths import parse_resource_path
from leeward.cluster.apiserver.printers.catalog import printers
from leeward.cluster.apiserver.reads import Reads
from leeward.cluster.apiserver.representations import TableMaker
from leeward.cluster.apiserver.served import Catalog
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.admission.webhooks.calls import HookCall, Outcome
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.resources import CRDS
from leeward.kube.status import InvalidError, StatusError

GATES = "gates.example.com"
V1, V2 = "example.com/v1", "example.com/v2"
HOOK = {"url": "https://converts/x"}
GVK = "example.com/v2, Kind=Gate"


def _schema(**spec: Any) -> Obj:
    properties = {"spec": {"type": "object", "properties": spec}, "status": {"type": "object"}}
    return {"openAPIV3Schema": {"type": "object", "properties": properties}}


def definition(storage: str = "v1", **conversion: Any) -> Obj:
    """v1 has a host and a port, v2 an address."""
    text, number = {"type": "string"}, {"type": "integer", "minimum": 1, "default": 80}
    webhook = {"clientConfig": HOOK, "conversionReviewVersions": ["v1"], **conversion}
    schemas = {
        "v1": _schema(host=text, port=number),
        "v2": _schema(address={**text, "pattern": "^[a-z:0-9]+$"}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": GATES},
        "spec": {
            "group": "example.com",
            "names": {"plural": "gates", "singular": "gate", "kind": "Gate", "listKind": "GateList"},
            "scope": "Namespaced",
            "conversion": {"strategy": "Webhook", "webhook": webhook},
            "versions": [
                {
                    "name": name,
                    "served": True,
                    "storage": name == storage,
                    "schema": schema,
                    "subresources": {"status": {}},
                }
                for name, schema in schemas.items()
            ],
        },
    }


def converted(obj: Obj, api_version: str) -> Obj:
    spec = obj.get("spec") or {}
    if api_version == V1:
        host, _, port = str(spec.get("address") or "").partition(":")
        spec = {"host": host, "port": int(port or 80), "unknown": 1}
    else:
        spec = {"address": f"{spec.get('host')}:{spec.get('port')}"}
    labels = {**(obj["metadata"].get("labels") or {}), "by": "hook"}
    return {**obj, "apiVersion": api_version, "spec": spec, "metadata": {**obj["metadata"], "labels": labels}}


class World:
    """A registry with a namespace "shop" whose webhooks answer with `reply`."""

    def __init__(self, storage: str = "v1", **conversion: Any) -> None:
        self.calls: list[HookCall] = []
        self.reply: Callable[[Obj], Obj] = lambda response: response
        options = AdmissionOptions(disabled=("ServiceAccount",))
        self.registry = Registry(
            MemoryStore(), clock=VirtualClock(), ids=SeededIds(1), options=options, hooks=self._ask
        )
        self.admin = self.registry.client("admin")
        self.admin.create("namespaces", {"metadata": {"name": "shop"}})
        self.admin.create(CRDS, definition(storage, **conversion))

    async def _ask(self, call: HookCall) -> Outcome:
        self.calls.append(call)
        asked = call.review["request"]
        if "desiredAPIVersion" not in asked:
            return Outcome(document={**call.review, "response": {"uid": asked["uid"], "allowed": True}})
        objects = [converted(obj, asked["desiredAPIVersion"]) for obj in asked["objects"]]
        response = {"uid": asked["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
        return Outcome(document=self.reply({**call.review, "request": None, "response": response}))

    @staticmethod
    def run(write: Callable[[], Any]) -> Any:
        """Return what a write returns, in time."""
        return asyncio.run(attended(write))

    def client(self, api_version: str) -> Any:
        return self.registry.client("jane").tracked("tests", api_version)

    def create(self, api_version: str, **spec: Any) -> Any:
        made = {
            "apiVersion": api_version,
            "kind": "Gate",
            "metadata": {"name": "a", "namespace": "shop"},
            "spec": spec,
        }
        return self.run(lambda: self.client(api_version).create(GATES, made))

    def stored(self) -> Obj:
        return self.registry.store.list(GATES)[0]

    def shown(self, api_version: str) -> Any:
        return self.run(lambda: self.admin.shown(GATES, self.registry.store.list(GATES), api_version))


@pytest.fixture
def world() -> World:
    return World()


def test_an_object_is_stored_in_the_storage_version_and_shown_in_another(world: World) -> None:
    world.create(V2, address="web:8080")

    stored = world.stored()
    assert (stored["apiVersion"], stored["spec"]) == (V1, {"host": "web", "port": 8080})
    (shown,) = world.shown(V2)
    assert (shown["apiVersion"], shown["spec"]) == (V2, {"address": "web:8080"})
    assert shown["metadata"]["uid"] == stored["metadata"]["uid"]
    assert stored["metadata"]["labels"] == {"by": "hook"}


def test_what_a_webhook_is_asked(world: World) -> None:
    world.create(V2, address="web:8080")

    (call,) = world.calls
    assert (call.url, call.timeout) == ("https://converts/x", 30)
    assert (call.review["apiVersion"], call.review["kind"]) == ("apiextensions.k8s.io/v1", "ConversionReview")
    assert call.review["request"]["desiredAPIVersion"] == V1
    assert call.review["request"]["objects"][0]["spec"] == {"address": "web:8080"}


def test_nobody_is_asked_about_the_stored_version(world: World) -> None:
    world.create(V1, host="web", port=80)

    world.shown(V1)
    assert world.calls == []


def test_a_patch_is_of_the_version_in_which_it_is_sent(world: World) -> None:
    world.create(V1, host="web", port=80)
    patch = {"spec": {"address": "db:5432"}}

    world.run(lambda: world.client(V2).patch(GATES, "shop", "a", patch, patch_type="merge"))

    assert world.stored()["spec"] == {"host": "db", "port": 5432}
    assert world.stored()["metadata"]["generation"] == 2


def test_an_update_and_a_status_in_another_version_are_converted(world: World) -> None:
    world.create(V1, host="web", port=80)
    (obj,) = world.shown(V2)

    world.run(lambda: world.client(V2).update(GATES, {**obj, "spec": {"address": "db:1"}}))
    assert world.stored()["spec"] == {"host": "db", "port": 1}
    (obj,) = world.shown(V2)
    world.run(
        lambda: world.client(V2).update_status(GATES, {**obj, "status": {}, "spec": {"address": "no:2"}})
    )
    assert world.stored()["spec"] == {"host": "db", "port": 1}


def test_a_configuration_is_applied_in_its_version(world: World) -> None:
    config = {
        "apiVersion": V2,
        "kind": "Gate",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"address": "web:1"},
    }
    world.run(lambda: world.client(V2).apply(GATES, config, namespace="shop"))
    config = {**config, "spec": {"address": "web:2"}}
    world.run(lambda: world.client(V2).apply(GATES, config, namespace="shop"))

    assert world.stored()["spec"] == {"host": "web", "port": 2}
    (entry,) = world.stored()["metadata"]["managedFields"]
    assert (entry["apiVersion"], entry["operation"]) == (V2, "Apply")
    assert entry["fieldsV1"]["f:spec"] == {"f:address": {}}


def test_the_schema_of_the_version_that_is_sent_refuses_first(world: World) -> None:
    with pytest.raises(InvalidError, match=r"spec\.address in body should match"):
        world.create(V2, address="NO")

    assert world.calls == []


def test_an_object_of_a_former_storage_version_is_written_in_the_new_one(world: World) -> None:
    world.create(V1, host="web", port=80)
    changed = {**definition("v2"), "metadata": world.admin.get(CRDS, "", GATES)["metadata"]}
    world.admin.update(CRDS, changed)

    world.run(lambda: world.client(V1).patch(GATES, "shop", "a", {"spec": {"port": 81}}, patch_type="merge"))

    assert (world.stored()["apiVersion"], world.stored()["spec"]) == (V2, {"address": "web:81"})


def _answers(**response: Any) -> Callable[[Obj], Obj]:
    return lambda document: {**document, "response": {**document["response"], **response}}


def _first(**fields: Any) -> Callable[[Obj], Obj]:
    def reply(document: Obj) -> Obj:
        (obj,) = document["response"]["convertedObjects"]
        meta = {**obj["metadata"], **fields.pop("metadata", {})}
        return _answers(convertedObjects=[{**obj, "metadata": meta, **fields}])(document)

    return reply


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (_answers(result={"status": "Failed", "message": "no way"}), "failed: no way"),
        (_answers(result={"status": "Failed"}), "failed: response.result.status was 'Failed', not 'Success'"),
        (_answers(uid="other"), "failed: expected response.uid="),
        (lambda document: {**document, "response": None}, "failed: no response provided"),
        (
            lambda document: {**document, "kind": "Other"},
            "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got",
        ),
        (_answers(convertedObjects=[]), "returned 0 objects, expected 1"),
        (_first(apiVersion="example.com/v3"), "invalid groupVersion (expected example.com/v1, received"),
        (_first(kind="Door"), "invalid kind (expected Gate, received Door)"),
        (_first(metadata={"name": "b"}), "must have the same name: a != b"),
        (_first(metadata={"labels": {"a b": "c"}}), "returned invalid metadata in object at index 0: "),
    ],
)  # fmt: skip
def test_a_webhook_that_answers_wrongly_fails_the_write_in_upstreams_words(
    world: World, reply: Callable[[Obj], Obj], told: str
) -> None:
    world.reply = reply

    with pytest.raises(StatusError) as failed:
        world.create(V2, address="web:1")

    assert failed.value.message.startswith(f"conversion webhook for {GVK} ")
    assert told in failed.value.message
    assert (failed.value.code, failed.value.reason) == (500, "")


def test_a_webhook_at_a_service_that_is_not_there_cannot_be_asked() -> None:
    world = World(clientConfig={"service": {"name": "hook", "namespace": "shop", "path": "/c"}})

    with pytest.raises(StatusError) as failed:
        world.create(V2, address="web:1")

    url = "https://hook.shop.svc:443/c"
    assert (
        failed.value.message == f'conversion webhook for {GVK} failed: Post "{url}": service "hook" not found'
    )


def test_admission_webhooks_see_the_version_that_their_rules_name(world: World) -> None:
    rule = {"apiGroups": ["example.com"], "apiVersions": ["v2"], "resources": ["gates"], "operations": ["*"]}
    hook = {
        "name": "v.x.dev",
        "clientConfig": {"url": "https://v/x"},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    resource = "validatingwebhookconfigurations.admissionregistration.k8s.io"
    world.admin.create(resource, {"metadata": {"name": "v"}, "webhooks": [hook]})

    world.create(V1, host="web", port=80)

    seen = world.calls[-1].review["request"]["object"]
    assert (seen["apiVersion"], seen["spec"]) == (V2, {"address": "web:80"})


def test_the_api_lists_objects_of_all_versions_in_the_one_that_is_asked_for(world: World) -> None:
    world.create(V1, host="web", port=80)
    served = Catalog([world.admin.get(CRDS, "", GATES)]).find("example.com", "v2", "gates")
    assert served is not None
    reads = Reads(world.admin.tracked("", V2), world.registry.store, VirtualClock(), TableMaker(printers()))

    (shown,) = asyncio.run(reads.as_asked(served, world.admin.list(GATES)))

    assert shown["spec"] == {"address": "web:80"}


def test_only_the_page_that_is_shown_is_converted(world: World) -> None:
    for name in ("a", "b", "c"):
        meta = {"name": name, "namespace": "shop"}
        made = {"apiVersion": V1, "kind": "Gate", "metadata": meta, "spec": {"host": name, "port": 80}}
        world.run(lambda made=made: world.client(V1).create(GATES, made))  # type: ignore[misc]
    served = Catalog([world.admin.get(CRDS, "", GATES)]).find("example.com", "v2", "gates")
    assert served is not None
    reads = Reads(world.admin.tracked("", V2), world.registry.store, VirtualClock(), TableMaker(printers()))
    scope = {"method": "GET", "raw_path": b"/", "headers": [], "query_string": b"limit=2"}
    request = Request(scope, lambda: asyncio.sleep(0, {}))
    path = parse_resource_path("/apis/example.com/v2/gates")
    assert path is not None
    world.calls.clear()

    answer = asyncio.run(reads.list(request, path, served))

    assert isinstance(answer, Response)
    assert [each["spec"] for each in orjson.loads(answer.body)["items"]] == [
        {"address": "a:80"},
        {"address": "b:80"},
    ]
    assert [len(call.review["request"]["objects"]) for call in world.calls] == [2]


@pytest.mark.parametrize(
    ("conversion", "told"),
    [
        (
            {"clientConfig": None},
            "webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        ({"clientConfig": {}}, "webhookClientConfig: Required value"),
        ({"clientConfig": {"url": "http://x"}}, "'https' is the only allowed URL scheme"),
        ({"conversionReviewVersions": []}, "conversionReviewVersions: Required value"),
        ({"conversionReviewVersions": ["v9"]}, "must include at least one of v1, v1beta1"),
    ],
)
def test_a_definition_says_how_its_webhook_is_reached(conversion: Obj, told: str) -> None:
    with pytest.raises(InvalidError) as refused:
        World(**conversion)
    assert told in refused.value.message
