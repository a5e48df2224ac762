"""The day-to-day verbs with ``--env``, as far as no cluster is needed: options, names, refusals, rows."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.cli import talking, terminal
from leeward.cli.commands.exec import choose_pod, wrapped
from leeward.cli.given import user_of, variables_of
from leeward.cli.interrupts import InterruptedByUserError
from leeward.cli.podrows import age, pod_row, service_row, zones_of
from leeward.cli.room import Room, Whereabouts
from leeward.cli.terminal import cancelled_when_ended, typed
from leeward.delivery.environments.environment import Environment
from leeward.delivery.environments.needs import levels_allowing, who_may
from leeward.delivery.restarting import wait_until_up
from leeward.delivery.services import Service, services_of
from leeward.kube.client import KubeClient
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj
from leeward.kube.remote import STDOUT, Said, Wanted
from leeward.kube.status import ForbiddenError
from tests.unit.delivery.memory import Memory

Tool = Callable[..., tuple[int, str, str]]
ACCESS = {"developers": "edit", "testers": "view", "devops": "promote", "cloudops": "admin"}
QA = Environment(name="qa", app="shop", namespace="shop-qa", access=ACCESS)
VERBS = ("ps", "logs web", "restart web", "scale web=2", "exec web date", "run web date")
EXEC_REFUSED = (
    'pods "web-1" is forbidden: User "toni" cannot create resource "pods/exec" in API group "" '
    'in the namespace "shop-qa"'
)


@pytest.fixture(autouse=True)
def project() -> None:
    """Write environments, and a Compose file that cannot be used."""
    Path("compose.yaml").write_text("services: {web: {image: '${TAG:?which}'}}\n")
    Path("leeward.yaml").write_text("app: shop\nenvironments:\n  ci: {}\n  qa: {from: ci}\n")


def workload(name: str, kind: str = "Deployment", **status: Any) -> Obj:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "x:1"}]}}
    meta = {
        "name": name,
        "namespace": "shop-qa",
        "labels": labels,
        "annotations": {"leeward.dev/release": "shop-1"},
    }
    return {"kind": kind, "metadata": meta, "spec": {"replicas": 2, "template": template}, "status": status}


def pod(
    name: str, *, zone: str = "a", born: str = "2030-01-01T00:00:00Z", restarts: int = 0, **more: Any
) -> Obj:
    labels = {"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "shop"}
    labels |= {"topology.kubernetes.io/zone": zone} if zone else {}
    return {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": born, **more},
        "spec": {"nodeName": f"node-{name}", "containers": [{}]},
        "status": {"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": restarts}]},
    }


def room(*names: str) -> Room:
    services = services_of(workload(name) for name in names)
    return Room(cast(KubeClient, None), "qa", "shop-qa", services, QA)


def web() -> Service:
    return room("web").service("web")


@pytest.mark.parametrize("verb", VERBS)
def test_an_environment_that_is_not_there_is_told_with_the_nearest(tool: Tool, verb: str) -> None:
    name, *rest = verb.split()
    code, out, err = tool(name, "--env", "qaa", *rest)
    assert (code, out) == (2, "")
    assert "there is no environment 'qaa'" in err
    assert 'Did you mean "qa"?' in err


@pytest.mark.parametrize("verb", VERBS)
def test_no_compose_file_has_to_be_usable_and_a_cluster_that_does_not_run_is_told(
    tool: Tool, verb: str
) -> None:
    name, *rest = verb.split()
    code, _, err = tool(name, "--env", "qa", *rest)
    assert code == 1
    assert "leeward cluster start" in err
    assert "TAG" not in err


@pytest.mark.parametrize("verb", VERBS)
def test_a_context_without_an_environment_is_refused(tool: Tool, verb: str) -> None:
    name, *rest = verb.split()
    code, _, err = tool(name, "--context", "eks", *rest)
    assert code == 2
    assert "--context is about an environment" in err


@pytest.mark.parametrize("verb", ["exec web", "exec --env qa", "run", "run --env qa", "scale --env qa"])
def test_what_is_missing_is_a_usage_error(tool: Tool, verb: str) -> None:
    assert tool(*verb.split())[0] == 2


def test_options_behind_the_service_are_the_commands_own(tool: Tool) -> None:
    code, _, err = tool("run", "--env", "qa", "web", "--env", "nowhere")
    assert code == 1  # not 2: the environment is qa
    assert "nowhere" not in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("exec", "-u", "root", "--env", "qa", "web", "id"), "as the user of the container only"),
        (("run", "-u", "root", "--env", "qa", "web"), "--user 'root' is no number of a user"),
        (("run", "-u", "9" * 20, "--env", "qa", "web"), "is no number"),
        (("run", "-u", "1000:2147483648", "--env", "qa", "web"), "is no number"),
        (("run", "-e", "=x", "--env", "qa", "web"), "is no variable"),
        (("exec", "-e", "-i=x", "--env", "qa", "web", "id"), "is no variable"),
        (("exec", "-e", "NOT_SET_ANYWHERE", "--env", "qa", "web", "id"), "it is not set here"),
        (("run", "--entrypoint", "sh '", "--env", "qa", "web"), "No closing quotation"),
        (("run", "--run-name", "My_Job", "--env", "qa", "web"), "cannot be the name of a Job"),
        (("logs", "--since", "soon", "--env", "qa"), "is no duration"),
        (("logs", "--since", "0s", "--env", "qa"), "is no time at all"),
        (("logs", "--tail", "-1", "--env", "qa"), "--tail"),
        (("scale", "--env", "qa", "web"), "is not SERVICE=N"),
        (("scale", "--env", "qa", "web=2", "web=3"), "web cannot have both 2 and 3 Pods"),
    ],
)
def test_wrong_values_are_told_before_a_cluster_is_asked(
    tool: Tool, arguments: tuple[str, ...], told: str
) -> None:
    code, _, err = tool(*arguments)
    assert code == 2
    assert told in err


def test_a_mistyped_service_is_told_with_the_nearest_and_those_that_are_there() -> None:
    with pytest.raises(UserInputError, match="qa has no service 'wbe'") as caught:
        room("web", "api").service("wbe")
    assert caught.value.remedy == 'Did you mean "web"? It has: api, web.'


def test_a_service_is_known_by_its_compose_name() -> None:
    assert room("my-web").service("my_web").name == "my-web"
    assert [each.name for each in room("b", "a").chosen(None)] == ["a", "b"]


def test_a_refusal_says_what_it_takes_and_who_has_that() -> None:
    with pytest.raises(OperationError) as caught, room("web").explained():
        raise ForbiddenError(EXEC_REFUSED)
    assert str(caught.value) == "toni may not create pods/exec in the namespace shop-qa"
    assert (
        "In qa that takes edit or admin, which the groups cloudops, developers have." in caught.value.remedy
    )
    assert "leeward env apply qa" in caught.value.remedy


@pytest.mark.parametrize(
    ("verb", "group", "resource", "levels"),
    [
        ("create", "", "pods/exec", ["edit", "admin"]),
        ("patch", "apps", "deployments", ["edit", "promote", "admin"]),
        ("create", "batch", "jobs", ["edit", "promote", "admin"]),
        ("get", "", "pods/log", ["view", "edit", "promote", "admin"]),
        ("delete", "", "nodes", []),
    ],
)
def test_the_roles_say_which_levels_a_request_takes(
    verb: str, group: str, resource: str, levels: list[str]
) -> None:
    assert levels_allowing(QA, verb, group, resource) == levels
    assert bool(who_may(QA, verb, group, resource)) == bool(levels)


def test_variables_are_given_or_those_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "shell")
    assert variables_of(["A=1=2", "HERE", "B="]) == {"A": "1=2", "HERE": "shell", "B": ""}
    assert (user_of(""), user_of("7"), user_of("7:8")) == ((None, None), (7, None), (7, 8))


def test_a_command_is_wrapped_for_what_exec_cannot() -> None:
    assert wrapped(["a", "b c"], {}, "") == ["a", "b c"]
    assert wrapped(["a"], {"X": "1"}, "") == ["env", "X=1", "a"]
    script = 'cd "$1" && shift && exec "$@"'
    assert wrapped(["a"], {"X": "1"}, "/t") == ["sh", "-c", script, "sh", "/t", "env", "X=1", "a"]


def test_a_pod_is_chosen_by_readiness_or_by_number() -> None:
    ready = {"type": "Ready", "status": "True"}
    pods = [pod("c"), pod("a"), pod("b")]
    pods[2]["status"]["conditions"] = [ready]
    names = [choose_pod(web(), pods, index)["metadata"]["name"] for index in (None, 1, 3)]
    assert names == ["b", "a", "c"]
    with pytest.raises(UserInputError, match="no Pod number 4"):
        choose_pod(web(), pods, 4)
    with pytest.raises(OperationError, match="no Pod of web runs"):
        choose_pod(web(), [], None)


class _NoNodes:
    async def list(self, resource: str, namespace: str = "", *, label_selector: str = "") -> list[Obj]:
        raise ForbiddenError("nodes are not for everybody")


def test_zones_are_told_by_pods_or_nodes_or_nobody() -> None:
    assert asyncio.run(zones_of(_NoNodes(), [pod("p", zone="b")])) == {}
    assert asyncio.run(zones_of(_NoNodes(), [pod("p", zone="")])) == {}
    assert pod_row(pod("p", zone="b"), "web", {})["zone"] == "b"
    assert pod_row(pod("p", zone=""), "web", {"node-p": "c"})["zone"] == "c"


def test_a_service_is_told_in_one_row() -> None:
    status: dict[str, Any] = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}
    service = services_of([workload("web", **status)])["web"]
    pods = [pod("p", restarts=2), pod("q", zone="c", born="2030-01-01T01:00:00Z", restarts=1)]
    now = datetime(2030, 1, 1, 3, 30, tzinfo=UTC)

    row = service_row(service, pods, {}, {"shop-1": "1.0"}, now)
    expected = {"ready": "2/2", "status": "up", "version": "1.0", "age": "3h", "restarts": 3, "zones": "a, c"}
    assert {key: row[key] for key in expected} == expected
    assert service_row(service, [], {}, {}, now)["age"] == ""
    waiting = services_of([workload("web", updatedReplicas=2, replicas=2, availableReplicas=1)])["web"]
    assert service_row(waiting, pods, {}, {}, now)["status"] == "not up"


def test_ages_are_in_their_largest_unit() -> None:
    assert [age(each) for each in (-1, 59, 60, 7199, 90000)] == ["0s", "59s", "1m", "1h", "1d"]


def test_input_is_passed_on_until_it_ends() -> None:
    source, sink = os.pipe()
    os.write(sink, b"line\n")
    os.close(sink)

    async def work() -> list[bytes]:
        return [data async for data in typed(source)]

    assert asyncio.run(work()) == [b"line\n"]
    os.close(source)


def test_a_program_that_ends_before_it_knows_the_terminal_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Over:
        async def resize(self, columns: int, rows: int) -> None:
            raise UnreachableError("reset by peer")

        async def read(self) -> AsyncIterator[Said]:
            yield Said(STDOUT, b"")

        def exit_code(self) -> int:
            return 3

    @asynccontextmanager
    async def converse(*_: object) -> AsyncIterator[Over]:
        yield Over()

    monkeypatch.setattr(talking, "converse", converse)
    monkeypatch.setattr(terminal, "raw", nullcontext)
    monkeypatch.setattr(terminal, "on_resize", lambda work: nullcontext())
    monkeypatch.setattr(terminal, "write", lambda data, *, error=False: None)
    api = cast(KubeClient, SimpleNamespace(access=None))
    wanted = Wanted(tty=True)
    there = {"metadata": {"namespace": "shop-qa", "name": "web-1"}}
    assert asyncio.run(talking.talk(api, there, "web", wanted, ["true"])) == 3


@pytest.mark.parametrize(
    ("line", "recorded"),
    [
        ("scale --env qa api=3 web=2", ("scale", "succeeded", {"services": ["api=3"]})),
        ("restart --env qa", ("restart", "failed", {"services": ["api", "web"]})),
    ],
)
def test_what_was_done_before_the_next_is_refused_is_in_the_audit_trail(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, line: str, recorded: tuple[str, str, dict[str, Any]]
) -> None:
    told: list[tuple[str, str, dict[str, Any]]] = []

    class Refusing(Memory):
        ahead = timedelta()

        async def patch(self, resource: str, namespace: str, name: str, patch: Any, **more: Any) -> Obj:
            if name == "web":
                raise ForbiddenError("no")
            return {}

    @asynccontextmanager
    async def entered(where: Whereabouts) -> AsyncIterator[Room]:
        yield replace(room("api", "web"), api=cast(KubeClient, Refusing()))

    async def record(self: Room, action: str, result: str, **details: Any) -> None:
        told.append((action, result, details))

    monkeypatch.setattr("leeward.cli.room.entered", entered)
    monkeypatch.setattr(Room, "record", record)
    assert tool(*line.split())[0] == 1
    assert told == [recorded]


def test_whoever_ends_the_process_lets_it_undo_what_it_began() -> None:
    undone: list[str] = []

    async def work() -> None:
        with cancelled_when_ended():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.Event().wait()
            finally:
                undone.append("job")

    with pytest.raises(InterruptedByUserError, match="by SIGTERM"):
        asyncio.run(work())
    assert undone == ["job"]


class _Cluster:
    """A Deployment whose state changes with every look, and its Pods."""

    def __init__(self, pods: list[Obj], *states: Obj) -> None:
        self._pods, self._states = pods, list(states)

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return state or None

    async def list(self, resource: str, namespace: str = "", *, label_selector: str = "") -> list[Obj]:
        return self._pods

    async def patch(self, *arguments: Any, **options: Any) -> Obj:
        raise AssertionError("waiting changes nothing")


def wait(cluster: _Cluster, seconds: float = 60.0) -> list[str]:
    """Wait until the service is up; returns what was shown."""
    shown: list[str] = []

    async def work() -> None:
        clock = VirtualClock()
        waiting = asyncio.ensure_future(wait_until_up(cluster, clock, [web()], "now", seconds, shown.append))
        while not waiting.done():
            await asyncio.sleep(0)
            clock.advance(0.1)
        await waiting

    asyncio.run(work())
    return shown


UP: dict[str, Any] = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}


def crashing(mark: str) -> Obj:
    found = pod("p", annotations={"kubectl.kubernetes.io/restartedAt": mark})
    found["status"]["containerStatuses"] = [{"state": {"waiting": {"reason": "ErrImagePull"}}}]
    return found


def test_a_restart_waits_until_the_new_pods_are_up_whatever_ails_the_old_ones() -> None:
    half = workload("web", **{**UP, "updatedReplicas": 1})
    assert (
        wait(_Cluster([crashing("before")], half, half, workload("web", **UP))) == ["waiting for web 2/2"] * 2
    )


def test_a_restart_that_will_not_come_up_is_told_at_once() -> None:
    half = workload("web", **{**UP, "updatedReplicas": 1})
    with pytest.raises(OperationError, match=r"not up: web 2/2 \(ErrImagePull\)"):
        wait(_Cluster([crashing("now")], half))
    with pytest.raises(OperationError, match="it was deleted"):
        wait(_Cluster([], {}))


def test_a_restart_that_takes_too_long_is_told() -> None:
    with pytest.raises(OperationError, match=r"not up after 5 s: web 2/2"):
        wait(_Cluster([], workload("web", **{**UP, "updatedReplicas": 1})), 5.0)
