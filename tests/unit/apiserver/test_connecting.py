"""Policies and webhooks have a say in who talks to Pods and Services, before anything begins."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.decoding import fit_changed
from leeward.cluster.apiserver.http import Answer, Message, Request
from leeward.cluster.apiserver.paths import parse_resource_path
from leeward.cluster.apiserver.served import Catalog
from leeward.cluster.apiserver.streaming.portforward import PortForward
from leeward.cluster.apiserver.streaming.proxy import Proxy
from leeward.cluster.apiserver.streaming.remotecommand import RemoteCommands
from leeward.cluster.interface.user import User
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.admission.webhooks.calls import HookCall, Outcome
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import NotFoundError, StatusError

GROUP = "admissionregistration.k8s.io"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"]}
POD = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"containers": [{"name": "c", "image": "web:1"}]},
}


class World:
    """A registry with the Pod "web", and what serves conversations with it; the webhook is a function."""

    def __init__(self) -> None:
        self.asked: list[Obj] = []
        self.reply: Obj = {"allowed": True}
        self.registry = Registry(
            MemoryStore(),
            clock=VirtualClock(),
            ids=SeededIds(1),
            options=AdmissionOptions(disabled=("ServiceAccount",), fit=fit_changed),
            hooks=self._ask,
        )
        self.client = self.registry.client("admin")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        self.client.create("pods", POD)
        service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}
        self.client.create("services", service)
        asker: Any = self.client
        runtime: Any = None
        commands, ports = RemoteCommands(asker, runtime), PortForward(asker, runtime)
        proxy = Proxy(asker)
        self._handlers = {
            "exec": commands.exec,
            "attach": commands.attach,
            "portforward": ports.forward,
            "proxy": proxy.forward,
        }

    async def _ask(self, call: HookCall) -> Outcome:
        request = call.review["request"]
        self.asked.append(request)
        return Outcome(
            document={**call.review, "request": None, "response": {"uid": request["uid"], **self.reply}}
        )

    def policy(self, *resources: str, expression: str = "false") -> None:
        rules = [{**RULE, "resources": list(resources)}]
        spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": expression}]}
        self.client.create(f"validatingadmissionpolicies.{GROUP}", {"metadata": {"name": "p"}, "spec": spec})
        bound = {"policyName": "p", "validationActions": ["Deny"]}
        self.client.create(
            f"validatingadmissionpolicybindings.{GROUP}", {"metadata": {"name": "b"}, "spec": bound}
        )

    def hook(self, kind: str, *resources: str) -> None:
        hook = {
            "name": "h.x.dev", "clientConfig": {"url": "https://h/x"}, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "rules": [{**RULE, "resources": list(resources)}],
        }  # fmt: skip
        self.client.create(
            f"{kind}webhookconfigurations.{GROUP}", {"metadata": {"name": "h"}, "webhooks": [hook]}
        )

    def connect(self, target: str) -> Answer:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        path, _, query = f"/api/v1/namespaces/shop/{target}".partition("?")
        request = Request(
            {
                "type": "websocket" if "/proxy" not in path else "http", "method": "GET", "headers": [],
                "raw_path": path.encode(), "query_string": query.encode(),
            },
            receive,
        )  # fmt: skip
        request.user = User("jane", ("devs",))
        found = parse_resource_path(path)
        assert found is not None
        served = Catalog().find("", "v1", found.resource)
        assert served is not None

        async def answer() -> Answer:
            return await self._handlers[found.subresource](request, found, served)

        return asyncio.run(answer())


@pytest.fixture
def world() -> World:
    return World()


TARGETS = [
    ("pods/web/exec?command=ls&command=-l&stdout=true&container=c", "PodExecOptions",
     {"command": ["ls", "-l"], "stdout": True, "container": "c"}),
    ("pods/web/attach?stdin=true&tty=1", "PodAttachOptions", {"stdin": True, "tty": True}),
    ("pods/web/portforward?ports=80", "PodPortForwardOptions", {"ports": [80]}),
    ("pods/web:80/proxy/a/b", "PodProxyOptions", {"path": "/a/b"}),
    ("services/https:web:443/proxy/", "ServiceProxyOptions", {}),
]  # fmt: skip


@pytest.mark.parametrize(("target", "kind", "fields"), TARGETS, ids=[kind for _, kind, _ in TARGETS])
def test_a_webhook_is_told_who_wants_to_talk_to_what_and_may_refuse(
    world: World, target: str, kind: str, fields: Obj
) -> None:
    resource, name, subresource = target.partition("?")[0].split("/")[:3]
    world.hook("validating", f"{resource}/{subresource}")
    world.reply = {"allowed": False, "status": {"message": "not at night", "code": 403}}

    with pytest.raises(StatusError, match="not at night") as refused:
        world.connect(target)

    assert refused.value.code == 403
    (asked,) = world.asked
    assert asked["object"] == {"kind": kind, "apiVersion": "v1", **fields}
    assert asked["kind"] == asked["requestKind"] == {"group": "", "version": "v1", "kind": kind}
    assert asked["resource"] == {"group": "", "version": "v1", "resource": resource}
    assert (asked["operation"], asked["subResource"]) == ("CONNECT", subresource)
    assert (asked["name"], asked["namespace"]) == (name, "shop")
    assert asked["userInfo"] == {"username": "jane", "groups": ["devs"]}
    assert (asked["oldObject"], asked["options"], asked["dryRun"]) == (None, None, False)


@pytest.mark.parametrize("target", [target for target, _, _ in TARGETS])
def test_a_policy_refuses_conversations_of_the_resources_that_it_names(world: World, target: str) -> None:
    resource, _, subresource = target.partition("?")[0].split("/")[:3]
    world.policy(f"{resource}/{subresource}", expression="request.userInfo.username != 'jane'")

    with pytest.raises(StatusError, match="ValidatingAdmissionPolicy 'p' with binding 'b' denied request"):
        world.connect(target)


def test_a_policy_sees_the_options(world: World) -> None:
    world.policy("pods/exec", expression="object.command[0] != 'rm'")

    with pytest.raises(StatusError, match="denied request"):
        world.connect("pods/web/exec?command=rm&stdout=true")
    with pytest.raises(StatusError, match="does not have a host assigned"):  # it came through
        world.connect("pods/web/exec?command=ls&stdout=true")


def test_policies_about_writes_are_not_asked_about_conversations(world: World) -> None:
    world.policy("pods")

    with pytest.raises(StatusError, match="does not have a host assigned"):
        world.connect("pods/web/exec?command=ls&stdout=true")


def test_admission_comes_before_the_question_whether_there_is_such_a_pod(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.connect("pods/none/exec?command=ls&stdout=true")
    world.policy("pods/exec")
    with pytest.raises(StatusError, match="denied request"):
        world.connect("pods/none/exec?command=ls&stdout=true")


def test_what_a_webhook_makes_of_the_options_counts(world: World) -> None:
    world.hook("mutating", "pods/exec")
    patch = base64.b64encode(json.dumps([{"op": "add", "path": "/container", "value": "nope"}]).encode())
    world.reply = {"allowed": True, "patchType": "JSONPatch", "patch": patch.decode()}

    with pytest.raises(StatusError, match="container nope is not valid for pod web"):
        world.connect("pods/web/exec?command=ls&stdout=true")
