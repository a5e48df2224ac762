"""Webhooks: which are asked, what they may do, and what becomes of a write meanwhile."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.admission import attended
from leeward.cluster.apiserver.decoding import fit_changed
from leeward.cluster.interface.client import WaitingError
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.admission.webhooks.calls import HookCall, Outcome
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import AlreadyExistsError, BadRequestError, ForbiddenError, InvalidError, StatusError

GROUP = "admissionregistration.k8s.io"
MUTATING, VALIDATING = f"mutatingwebhookconfigurations.{GROUP}", f"validatingwebhookconfigurations.{GROUP}"
CONFIG_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
Reply = Callable[[Obj], Obj]


def allowed(request: Obj) -> Obj:
    return {"allowed": True}


def patching(*patch: Obj) -> Reply:
    text = base64.b64encode(json.dumps(patch).encode()).decode()
    return lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": text}


class World:
    """A registry whose webhooks are functions, by their host; namespace "shop" is there."""

    def __init__(self) -> None:
        self.asked: list[Obj] = []
        self.calls: list[HookCall] = []
        self.replies: dict[str, Reply | str] = {}
        self.during: Callable[[], object] = lambda: None
        self.registry = Registry(
            MemoryStore(),
            clock=VirtualClock(),
            ids=SeededIds(1),
            options=AdmissionOptions(disabled=("ServiceAccount",), fit=fit_changed),
            hooks=self._ask,
        )
        self.controller = self.registry.client("system:controller")
        self.controller.create("namespaces", {"metadata": {"name": "shop", "labels": {"team": "a"}}})
        self.warnings: list[str] = []

    async def _ask(self, call: HookCall) -> Outcome:
        self.calls.append(call)
        request = call.review["request"]
        self.asked.append(request)
        self.during()
        reply = self.replies[call.url.split("/")[2]]
        if isinstance(reply, str):
            return Outcome(failure=reply)
        response = {"uid": request["uid"], **reply(request)}
        return Outcome(document={**call.review, "request": None, "response": response})

    def hook(self, resource: str, name: str, reply: Reply | str = allowed, **fields: Any) -> None:
        """Configure a webhook that answers with `reply`, or cannot be reached because of it."""
        self.replies[name] = reply
        hook = {
            "name": f"{name}.x.dev", "clientConfig": {"url": f"https://{name}/x"}, "rules": [CONFIG_MAPS],
            "sideEffects": "None", "admissionReviewVersions": ["v1"], **fields,
        }  # fmt: skip
        self.controller.create(resource, {"metadata": {"name": name}, "webhooks": [hook]})

    def client(self, **options: Any) -> Any:
        return self.registry.client("jane", **options).tracked("tests", "v1")

    @staticmethod
    def run(write: Callable[[], Any]) -> Any:
        """Return what a write returns, in time."""
        return asyncio.run(attended(write))

    def create(self, name: str = "a", **fields: Any) -> Any:
        return self.run(lambda: self.client().create("configmaps", config_map(name, **fields)))


def config_map(name: str = "a", **fields: Any) -> Obj:
    meta = {"name": name, "namespace": "shop", **fields.pop("metadata", {})}
    return {"metadata": meta, "data": {}, **fields}


@pytest.fixture
def world() -> World:
    return World()


def test_what_a_webhook_is_asked(world: World) -> None:
    world.hook(VALIDATING, "v")
    world.create(data={"k": "v"})
    (request,) = world.asked
    shown = {k: v for k, v in request.items() if k not in ("uid", "object")}
    kind = {"group": "", "version": "v1", "kind": "ConfigMap"}
    resource = {"group": "", "version": "v1", "resource": "configmaps"}
    assert shown == {
        "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource, "name": "a",
        "namespace": "shop", "operation": "CREATE", "userInfo": {"username": "jane"}, "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "tests"},
    }  # fmt: skip
    assert (request["object"]["kind"], request["object"]["data"]) == ("ConfigMap", {"k": "v"})
    assert world.calls[0].url == "https://v/x?timeout=10s"


def test_updates_and_deletions_show_what_is_there(world: World) -> None:
    made = world.create(data={"k": "1"})
    world.hook(VALIDATING, "v")
    world.run(lambda: world.client().update("configmaps", {**made, "data": {"k": "2"}}))
    world.run(lambda: world.client().delete("configmaps", "shop", "a"))
    update, deletion = world.asked
    assert (update["operation"], update["object"]["data"]) == ("UPDATE", {"k": "2"})
    assert update["oldObject"]["data"] == {"k": "1"}
    assert (deletion["operation"], deletion["object"]) == ("DELETE", None)
    assert deletion["oldObject"]["data"] == {"k": "2"}


def test_a_webhook_refuses_in_its_own_words(world: World) -> None:
    status = {"message": "too blue", "code": 418, "reason": "Color"}
    world.hook(VALIDATING, "v", lambda request: {"allowed": False, "status": status})
    with pytest.raises(StatusError) as caught:
        world.create()
    assert caught.value.to_status()["message"] == 'admission webhook "v.x.dev" denied the request: too blue'
    assert (caught.value.code, caught.value.reason) == (418, "Color")
    assert world.controller.find("configmaps", "shop", "a") is None


def test_a_refusal_without_words_is_a_bad_request(world: World) -> None:
    world.hook(VALIDATING, "v", lambda request: {"allowed": False})
    with pytest.raises(StatusError, match="denied the request without explanation") as caught:
        world.create()
    assert (caught.value.code, caught.value.to_status().get("reason")) == (400, None)


def test_mutating_webhooks_change_what_is_stored_in_turn(world: World) -> None:
    world.hook(MUTATING, "b", patching({"op": "copy", "from": "/data/one", "path": "/data/two"}))
    world.hook(MUTATING, "a", patching({"op": "add", "path": "/data/one", "value": "1"}))
    assert world.create()["data"] == {"one": "1", "two": "1"}


def test_what_a_webhook_adds_gets_its_defaults(world: World) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    container = {"name": "sidecar", "image": "s"}
    world.hook(
        MUTATING, "m", patching({"op": "add", "path": "/spec/containers/-", "value": container}), rules=[rule]
    )
    pod = {
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    made = world.run(lambda: world.client().create("pods", pod))
    assert made["spec"]["containers"][1]["terminationMessagePath"] == "/dev/termination-log"


def test_a_webhook_that_asks_for_it_is_asked_again_after_later_changes(world: World) -> None:
    world.hook(MUTATING, "a", reinvocationPolicy="IfNeeded")
    world.hook(MUTATING, "b", patching({"op": "add", "path": "/data/b", "value": "1"}))
    world.hook(MUTATING, "c", reinvocationPolicy="IfNeeded")
    world.create()
    assert [call.url.split("/")[2] for call in world.calls] == ["a", "b", "c", "a"]
    assert world.asked[-1]["object"]["data"] == {"b": "1"}


def test_warnings_of_webhooks_reach_the_client(world: World) -> None:
    world.hook(VALIDATING, "v", lambda request: {"allowed": True, "warnings": ["beware"]})
    client = world.client()
    world.run(lambda: client.create("configmaps", config_map()))
    assert client.warnings == ["beware"]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"rules": [{**CONFIG_MAPS, "operations": ["DELETE"]}]}, False),
        ({"rules": [{**CONFIG_MAPS, "apiGroups": ["apps"]}]}, False),
        ({"rules": [{**CONFIG_MAPS, "resources": ["*"]}]}, True),
        ({"rules": [{**CONFIG_MAPS, "resources": ["configmaps/status"]}]}, False),
        ({"rules": [{**CONFIG_MAPS, "scope": "Cluster"}]}, False),
        ({"rules": [{**CONFIG_MAPS, "scope": "Namespaced"}]}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, False),
        ({"objectSelector": {"matchLabels": {"app": "x"}}}, True),
        ({"objectSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, False),
    ],
)
def test_rules_and_selectors_say_what_a_webhook_is_asked_about(
    world: World, fields: Obj, asked: bool
) -> None:
    world.hook(VALIDATING, "v", **fields)
    world.create(metadata={"labels": {"app": "x"}})
    assert bool(world.asked) is asked


def test_webhooks_are_not_asked_about_webhooks(world: World) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    world.hook(VALIDATING, "v", "no route", rules=[rule])
    world.controller.delete(VALIDATING, "", "v")
    assert world.create()["metadata"]["name"] == "a"


def test_a_webhook_that_cannot_be_reached_fails_the_write_or_not(world: World) -> None:
    world.hook(VALIDATING, "v", 'Post "https://v/x": refused')
    text = (
        'Internal error occurred: failed calling webhook "v.x.dev": failed to call webhook: Post "https://v'
    )
    with pytest.raises(StatusError, match=text) as caught:
        world.create()
    assert (caught.value.code, caught.value.reason) == (500, "InternalError")
    world.controller.patch(VALIDATING, "", "v", [{"op": "replace", "path": "/webhooks/0/failurePolicy",
                                                  "value": "Ignore"}], patch_type="json")  # fmt: skip
    assert world.create()["metadata"]["name"] == "a"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"uid": "other", "allowed": True}, 'expected response.uid="'),
        ({"allowed": True, "patch": "W10="}, "validating webhook may not return response.patch"),
        ({"allowed": True, "patchType": "JSONPatch"}, "validating webhook may not return response.patchType"),
    ],
)
def test_an_answer_that_is_none_counts_as_a_failure(world: World, answer: Obj, text: str) -> None:
    world.hook(VALIDATING, "v", lambda request: answer)
    with pytest.raises(StatusError, match="received invalid webhook response") as caught:
        world.create()
    assert text in caught.value.message


def test_rehearsals_ask_only_webhooks_without_effects(world: World) -> None:
    world.hook(VALIDATING, "v", sideEffects="NoneOnDryRun")
    world.run(lambda: world.client(dry_run=True).create("configmaps", config_map()))
    assert world.asked[0]["dryRun"] is True
    stored = world.registry.store.get(VALIDATING, "", "v") or {}  # older versions of the API allow it
    hooks = [{**stored["webhooks"][0], "sideEffects": "Some"}]
    world.registry.store.update(VALIDATING, {**stored, "webhooks": hooks})
    with pytest.raises(BadRequestError, match=r'admission webhook "v\.x\.dev" does not support dry run'):
        world.run(lambda: world.client(dry_run=True).create("configmaps", config_map("b")))


def test_a_service_is_asked_at_a_ready_endpoint(world: World) -> None:
    service = {"namespace": "shop", "name": "hook", "path": "/v"}
    world.hook(VALIDATING, "v", clientConfig={"service": service}, timeoutSeconds=3)
    world.replies["hook.shop.svc:443"] = allowed
    with pytest.raises(
        StatusError, match=r'Post "https://hook\.shop\.svc:443/v\?timeout=3s": service "hook" not'
    ):
        world.create()
    meta = {"name": "hook", "namespace": "shop"}
    spec = {"ports": [{"name": "https", "port": 443, "targetPort": 8443}], "selector": {"app": "hook"}}
    world.controller.create("services", {"metadata": meta, "spec": spec})
    with pytest.raises(StatusError, match='no endpoints available for service "hook"'):
        world.create()
    labels = {"kubernetes.io/service-name": "hook"}
    endpoints = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": False}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": True}},
    ]
    slice_ = {"addressType": "IPv4", "ports": [{"name": "https", "port": 8443}], "endpoints": endpoints}
    world.controller.create(
        "endpointslices.discovery.k8s.io", {"metadata": {**meta, "labels": labels}, **slice_}
    )
    world.create()
    assert world.calls[0].address == ("10.0.0.2", 8443)


def test_an_update_starts_over_when_the_object_changed_meanwhile(world: World) -> None:
    made = world.create()
    world.hook(VALIDATING, "v")
    turns = iter([lambda: world.registry.store.update("configmaps", {**made, "data": {"other": "1"}})])
    world.during = lambda: next(turns, lambda: None)()
    done = world.run(lambda: world.client().patch("configmaps", "shop", "a", {"data": {"mine": "1"}}))
    assert done["data"] == {"other": "1", "mine": "1"}
    assert len(world.asked) == 2


def test_a_component_of_the_cluster_does_not_wait_but_comes_back(world: World) -> None:
    world.hook(VALIDATING, "v")

    async def body() -> None:
        for _ in range(3):  # the same write is not begun twice
            with pytest.raises(WaitingError):
                world.controller.create("configmaps", config_map())
        while world.controller.find("configmaps", "shop", "a") is None:
            await asyncio.sleep(0)
        with pytest.raises((AlreadyExistsError, WaitingError)):
            world.controller.create("configmaps", config_map())

    asyncio.run(body())
    assert len(world.asked) <= 2


def test_a_component_learns_of_a_refusal_when_it_comes_back(world: World) -> None:
    world.hook(VALIDATING, "v", lambda request: {"allowed": False, "status": {"message": "no"}})

    async def body() -> None:
        with pytest.raises(WaitingError) as caught:
            world.controller.create("configmaps", config_map())
        await asyncio.wait([caught.value.outcome])  # type: ignore[type-var]
        with pytest.raises(StatusError, match="denied the request: no"):
            world.controller.create("configmaps", config_map())

    asyncio.run(body())


def test_nothing_waits_where_no_webhook_is_concerned(world: World) -> None:
    world.hook(VALIDATING, "v")
    made = world.controller.create("secrets", {"metadata": {"name": "s", "namespace": "shop"}})
    assert made["metadata"]["name"] == "s"


def test_without_a_way_to_ask_webhooks_count_as_unreachable() -> None:
    registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1))
    client = registry.client("admin")
    client.create("namespaces", {"metadata": {"name": "shop"}})
    hook = {
        "name": "v.x.dev", "clientConfig": {"url": "https://v"}, "rules": [CONFIG_MAPS],
        "sideEffects": "None", "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    client.create(VALIDATING, {"metadata": {"name": "v"}, "webhooks": [hook]})
    with pytest.raises(StatusError, match="no webhook can be called from here"):
        client.create("configmaps", config_map())


def test_a_quota_counts_what_webhooks_left_of_a_write(world: World) -> None:
    meta = {"name": "q", "namespace": "shop"}
    quota = world.controller.create(
        "resourcequotas", {"metadata": meta, "spec": {"hard": {"configmaps": "1"}}}
    )
    status = {"hard": {"configmaps": "1"}, "used": {"configmaps": "0"}}
    world.controller.update_status("resourcequotas", {**quota, "status": status})
    world.hook(VALIDATING, "v")
    world.create("a")
    with pytest.raises(ForbiddenError, match="exceeded quota"):
        world.create("b")


def _policy(world: World, expression: str, reinvocation: str) -> None:
    spec = {
        "matchConstraints": {"resourceRules": [{**CONFIG_MAPS, "operations": ["CREATE"]}]},
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}],
        "reinvocationPolicy": reinvocation,
    }
    made = {"metadata": {"name": "p"}, "spec": spec, "kind": "MutatingAdmissionPolicy"}
    world.controller.create(f"mutatingadmissionpolicies.{GROUP}", made)
    bound = {"metadata": {"name": "p"}, "spec": {"policyName": "p"}, "kind": "MutatingAdmissionPolicyBinding"}
    world.controller.create(f"mutatingadmissionpolicybindings.{GROUP}", bound)


def test_policies_change_a_write_before_webhooks_see_it(world: World) -> None:
    _policy(world, "Object{data: {'by': 'policy'}}", "Never")
    world.hook(MUTATING, "m")

    world.create()

    assert [request["object"]["data"] for request in world.asked] == [{"by": "policy"}]


def test_a_policy_is_asked_again_after_a_webhook_and_the_webhook_after_it(world: World) -> None:
    _policy(world, "Object{data: {'seen': string(size(object.data))}}", "IfNeeded")
    world.hook(
        MUTATING,
        "m",
        patching({"op": "add", "path": "/data/hook", "value": "x"}),
        reinvocationPolicy="IfNeeded",
    )

    made = world.create()

    assert made["data"] == {"seen": "2", "hook": "x"}
    assert [request["object"]["data"]["seen"] for request in world.asked] == ["0", "2"]


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"op": "add", "path": "/data/size", "value": 1}, "cannot unmarshal number into Go struct field"),
        ({"op": "add", "path": "/immutable", "value": "yes"}, "cannot unmarshal string into Go struct field"),
    ],
)
def test_a_patch_that_leaves_values_of_the_wrong_type_is_an_internal_error(
    world: World, patch: Obj, told: str
) -> None:
    world.hook(MUTATING, "m", patching(patch))

    with pytest.raises(StatusError, match=told) as refused:
        world.create()

    assert refused.value.code == 500


def test_fields_that_the_kind_has_not_are_left_out_of_what_a_webhook_made(world: World) -> None:
    patch: list[Obj] = [
        {"op": "add", "path": "/nonsense", "value": 1},
        {"op": "add", "path": "/data/kept", "value": "yes"},
    ]
    world.hook(MUTATING, "m", patching(*patch))

    made = world.create()

    assert made["data"] == {"kept": "yes"}
    assert "nonsense" not in made


def _moved(field: str, value: Any) -> Reply:
    return patching({"op": "add", "path": f"/metadata/{field}", "value": value})


def test_a_webhook_moves_no_object_to_another_namespace(world: World) -> None:
    world.create("b")
    world.hook(MUTATING, "m", _moved("namespace", "other"))

    with pytest.raises(BadRequestError, match="does not match the namespace sent on the request"):
        world.create()
    with pytest.raises(BadRequestError, match="does not match the namespace sent on the request"):
        _updated(world, "b")


def test_an_object_whose_namespace_a_webhook_takes_away_stays_there(world: World) -> None:
    world.hook(MUTATING, "m", patching({"op": "remove", "path": "/metadata/namespace"}))

    assert world.create()["metadata"]["namespace"] == "shop"
    assert _updated(world, "a")["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize("field", ["name", "uid"])
def test_a_webhook_makes_no_other_object_of_one_that_is_there(world: World, field: str) -> None:
    world.create()
    world.hook(MUTATING, "m", _moved(field, "other"))

    with pytest.raises(InvalidError, match=f'metadata.{field}: Invalid value: "other": field is immutable'):
        _updated(world, "a")
    assert [each["metadata"]["name"] for each in world.controller.list("configmaps", "shop")] == ["a"]


def test_what_the_server_owns_stays_whatever_a_webhook_says(world: World) -> None:
    made = world.create()
    world.hook(MUTATING, "m", _moved("creationTimestamp", "1999-01-01T00:00:00Z"))

    assert _updated(world, "a")["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


def _updated(world: World, name: str) -> Any:
    return world.run(lambda: world.client().update("configmaps", config_map(name, data={"a": "b"})))
