"""Wrong input: what is wrong is told with what helps, no traceback, and nothing changes on the cluster.

Every case is a row: what is made wrong, the command line, the exit code, what is said. Before and after,
every object of the hub and of the environments is compared by its resourceVersion.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from leeward.base.clock import SystemClock
from leeward.cli.main import run
from leeward.cli.people import certified
from leeward.delivery import records
from leeward.delivery.identity import who_am_i
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from leeward.kube.resources import BUILT_IN
from leeward.kube.status import NotFoundError
from tests.e2e.delivery.bakery import Bakery

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
APP = "wrong"
HUB = records.hub_of(APP)
NAMESPACES = [HUB, *(f"{APP}-{name}" for name in ("ci", "qa", "gone", "going", "needy", "owned"))]
_OURS = (records.RELEASES, records.ENVIRONMENTS, records.PROMOTIONS, records.APPROVALS, records.AUDIT_RECORDS)
_UNSTEADY = ("events", "events.events.k8s.io", "pods", "endpoints", "endpointslices.discovery.k8s.io")
OTHERS = "".join(
    f"  {name}: {{cluster: there, from: ci{more}}}\n"
    for name, more in {
        "qa": ", approvals: 1, access: {devops: promote}",
        "gone": "",
        "going": "",
        "owned": "",
        "needy": ", compose: [needy.yaml]",
        "broken": ", compose: [broken.yaml]",
    }.items()
)
NEEDY = 'services: {web: {environment: {DB_PASSWORD: "${DB_PASSWORD:?}"}}}\n'
BROKEN = "services: {wbe: {environment: {A: b}}}\n"


@dataclass(frozen=True, slots=True)
class World:
    """The application, and how it is reached."""

    bakery: Bakery
    access: Access
    people: dict[str, Access]

    def release(self, version: str) -> Obj:
        """Return a release by its version."""

        async def ask(api: KubeClient) -> Obj:
            every = await api.list(records.RELEASES, HUB)
            return next(each for each in every if each["spec"].get("version") == version)

        found: Obj = self.ask(ask)
        return found

    def ask(self, work: Callable[[KubeClient], Any]) -> Any:
        """Do something with the cluster."""

        async def session() -> Any:
            async with KubeClient(self.access) as api:
                return await work(api)

        return asyncio.run(session())

    def seen(self) -> dict[tuple[str, str, str], str]:
        """Return the resourceVersion of every object that lasts."""

        async def look(api: KubeClient) -> dict[tuple[str, str, str], str]:
            names = [row.name for row in BUILT_IN if row.namespaced and "list" in row.verbs]
            found: dict[tuple[str, str, str], str] = {}

            async def read(resource: str) -> None:
                with contextlib.suppress(NotFoundError):
                    for each in await api.list(resource):
                        meta = each["metadata"]
                        if meta["namespace"] in NAMESPACES:
                            found[resource, meta["namespace"], meta["name"]] = meta["resourceVersion"]

            kinds = [each for each in (*names, *_OURS) if each not in _UNSTEADY]
            await asyncio.gather(*map(read, kinds))
            for each in await api.list("namespaces"):
                found["namespaces", "", each["metadata"]["name"]] = each["metadata"]["resourceVersion"]
            return found

        seen: dict[tuple[str, str, str], str] = self.ask(look)
        return seen


@pytest.fixture(scope="module")
def world(access: Access, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return an application whose ci and owned run 1, with what the cases need."""
    directory = tmp_path_factory.mktemp("wrong") / "work"
    bakery = Bakery.made(APP, directory, access, OTHERS, files={"needy.yaml": NEEDY, "broken.yaml": BROKEN})
    bakery.ok("promote", "1", "--to", "ci", "--yes")
    bakery.ok("promote", "1", "--to", "owned", "--yes")
    bakery.ok("release", "export", "1", "release.json")

    async def prepare(api: KubeClient) -> dict[str, Access]:
        dora = await certified(api, "dora", ["devops"])
        stranger = await certified(api, "stranger", ["nobody"])
        await _own(api)
        for digits in ("abcdef1", "abcdef2"):
            spec = {
                "app": APP,
                "digest": f"sha256:{digits}",
                "content": "x",
                "createdBy": await who_am_i(api),
            }
            await api.create(records.RELEASES, records.record("Release", APP, f"{APP}-{digits}", spec))
        await _delete_namespaces(api)
        return {"dora": dora, "stranger": stranger}

    made = World(bakery, access, {})
    people = made.ask(prepare)
    people |= {
        "unreachable": replace(access, server="https://127.0.0.1:1"),
        "untrusted": replace(access, ca_pem=None),
        "unknown": replace(access, token="nobody", client_certificate_pem=None, client_key_pem=None),
    }
    bakery.reached_through(there=access, **people)
    return replace(made, people=people)


async def _own(api: KubeClient) -> None:
    """Let somebody else own the image of owned's web."""
    container = {"name": "web", "image": "registry.example.com/mine"}
    template = {"spec": {"containers": [container]}}
    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    await api.request(
        "PATCH",
        f"/apis/apps/v1/namespaces/{APP}-owned/deployments/web",
        body={**head, "spec": {"template": template}},
        params={"fieldManager": "somebody", "force": "true"},
        headers={"content-type": "application/apply-patch+yaml"},
    )


async def _delete_namespaces(api: KubeClient) -> None:
    """Delete a namespace wholly, and another one that cannot go."""
    held = {"name": "held", "namespace": f"{APP}-going", "finalizers": ["example.com/held"]}
    await api.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
    for name in (f"{APP}-gone", f"{APP}-going"):
        await api.delete("namespaces", "", name)
    while await api.find("namespaces", "", f"{APP}-gone") is not None:
        await SystemClock().sleep(0.1)


@pytest.fixture(scope="module", autouse=True)
def _let_go(world: World) -> Iterator[None]:
    yield

    async def let_go(api: KubeClient) -> None:
        patch = {"metadata": {"finalizers": None}}
        await api.patch("configmaps", f"{APP}-going", "held", patch, patch_type="merge")

    world.ask(let_go)


# -- what is made wrong; each returns what undoes it

Wrong = Callable[[World], Callable[[], object]]


def nothing(world: World) -> Callable[[], object]:
    """Leave everything as it is."""
    return lambda: None


def writing(name: str, change: Callable[[str], str]) -> Wrong:
    """Change a file."""

    def make(world: World) -> Callable[[], object]:
        path = world.bakery.directory / name
        before = path.read_text()
        path.write_text(change(before))
        return lambda: path.write_text(before)

    return make


def replacing(name: str, old: str, new: str) -> Wrong:
    """Replace something in a file."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return writing(name, change)


def with_kubeconfig(text: str | None) -> Wrong:
    """Use another kubeconfig; None: one that is not there."""

    def make(world: World) -> Callable[[], object]:
        before, path = os.environ["KUBECONFIG"], world.bakery.directory / "other.kubeconfig"
        if text is not None:
            path.write_text(text)
        os.environ["KUBECONFIG"] = str(path)

        def undo() -> None:
            os.environ["KUBECONFIG"] = before
            path.unlink(missing_ok=True)

        return undo

    return make


def tampered(change: Callable[[Obj], None]) -> Wrong:
    """Change what was exported."""

    def changed(text: str) -> str:
        document = json.loads(text)
        change(document)
        return json.dumps(document)

    return writing("release.json", changed)


def _other_content(release: Obj) -> None:
    content = json.loads(gzip.decompress(base64.b64decode(release["spec"]["content"])))
    content["files"]["compose.yaml"] = content["files"]["compose.yaml"].replace("8000", "8001")
    packed = gzip.compress(json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), mtime=0)
    release["spec"]["content"] = base64.b64encode(packed).decode()


def _other_image(release: Obj) -> None:
    release["spec"]["images"]["web"] = "registry.example.com/evil@sha256:" + "6" * 64


def _cut_content(release: Obj) -> None:
    release["spec"]["content"] = release["spec"]["content"][:-40]


def locked(world: World) -> Callable[[], object]:
    """Let somebody keep releases out of ci."""
    world.bakery.ok("lock", "ci", "--reason", "inventory")
    return lambda: world.bakery.ok("unlock", "ci")


def web_server(world: World) -> Callable[[], object]:
    """Let the context ``web`` lead to something that is no Kubernetes."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"hi")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    web = replace(world.access, server=f"http://127.0.0.1:{server.server_address[1]}")
    world.bakery.reached_through(there=world.access, **world.people, web=web)

    def undo() -> None:
        world.bakery.reached_through(there=world.access, **world.people)
        server.shutdown()
        server.server_close()
        thread.join()

    return undo


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is wrong."""

    command: str
    code: int
    said: str  # a pattern
    helps: str = ""  # a pattern, of what is told to help
    wrong: Wrong = nothing


_ENV_APPLY = "leeward env apply"
CASES = {
    "an environment that nobody wrote": Case(
        "promote 1 --to prodution --yes", 2, "there is no environment 'prodution'", "leeward.yaml has ci"
    ),
    "an environment that is almost one": Case("promote 1 --to qaa --yes", 2, "environment 'qaa'", "qa"),
    "no environment": Case("promote 1", 2, "where to?", "promote --to qa"),
    "a circle of environments": Case(
        "promote 1 --to qa --yes",
        2,
        r"leeward\.yaml:\d+.*(circle|cycle|itself)",
        "",
        replacing("leeward.yaml", "ci: {cluster: there,", "ci: {cluster: there, from: qa,"),
    ),
    "releases from nowhere": Case(
        "env apply --yes",
        2,
        r"leeward\.yaml:\d+.*uta",
        "",
        replacing("leeward.yaml", "qa: {cluster: there, from: ci,", "qa: {cluster: there, from: uta,"),
    ),
    "a key that leeward.yaml does not have": Case(
        "promote 1 --to ci --yes", 2, r"leeward\.yaml:\d+.*approvalls", "approvals",
        replacing("leeward.yaml", "approvals: 1", "approvalls: 1"),
    ),
    "leeward.yaml that is no YAML": Case(
        "promote 1 --to ci --yes", 2, r"leeward\.yaml:\d+", "",
        writing("leeward.yaml", lambda text: text + "  }{\n"),
    ),
    "a secret without a value": Case(
        "promote 1 --to needy --yes", 2, "DB_PASSWORD", "leeward env set DB_PASSWORD=.* --env needy"
    ),
    "an overlay of a service that is not there": Case(
        "promote 1 --to broken --yes", 2, "wbe", ""
    ),
    "a cluster that cannot be reached": Case(
        "promote 1 --to ci --context unreachable --yes", 1, "cannot reach the Kubernetes API", "Check that"
    ),
    "a cluster that is another one": Case(
        "promote 1 --to ci --context untrusted --yes", 1, "cannot reach.*certificate", ""
    ),
    "a server that is no Kubernetes": Case(
        "promote 1 --to ci --context web --yes", 1, "is no Kubernetes API", "kubeconfig", web_server
    ),
    "a context that is not there": Case(
        "promote 1 --to ci --context nowhere --yes", 2, "no context 'nowhere'", "there"
    ),
    "a kubeconfig that is not there": Case(
        "promote 1 --to ci --yes", 2, r"other\.kubeconfig: no context 'there'", "KUBECONFIG",
        with_kubeconfig(None),
    ),
    "a kubeconfig that is none": Case(
        "promote 1 --to ci --yes", 2, r"other\.kubeconfig: not a kubeconfig", "", with_kubeconfig("- a\n")
    ),
    "a kubeconfig with things of another form": Case(
        "promote 1 --to ci --yes", 2, r"other\.kubeconfig", "",
        with_kubeconfig("contexts: [{name: there, context: 7}]\n"),
    ),
    "a kubeconfig without the cluster": Case(
        "promote 1 --to ci --yes", 2, "no cluster 'lost'", "",
        with_kubeconfig("contexts: [{name: there, context: {cluster: lost, user: me}}]\n"),
    ),
    "credentials that nobody knows": Case(
        "promote 1 --to ci --context unknown --yes", 1, "does not know you", "Log in"
    ),
    "somebody who may nothing": Case(
        "promote 1 --to ci --context stranger --yes", 1, "stranger may not", "access"
    ),
    "somebody who may elsewhere": Case(
        "promote 1 --to ci --context dora --yes", 1, "dora may not", "env apply ci"
    ),
    "a field that somebody else owns": Case(
        "promote 1 --to owned --yes", 1, "Deployment web.*somebody", "--force"
    ),
    "a namespace that is being deleted": Case(
        "promote 1 --to going --yes", 1, f"namespace {APP}-going is being deleted", f"{_ENV_APPLY} going"
    ),
    "a namespace that is gone": Case(
        "promote 1 --to gone --yes", 1, f"namespace {APP}-gone is not there", f"{_ENV_APPLY} gone"
    ),
    "a release of another application": Case(
        "promote shop-3f9a12bc45de --to ci --yes", 1, "wrong has no release shop-3f9a12bc45de", f"{APP}-"
    ),
    "a release that is not there": Case("promote 9.9 --to ci --yes", 1, "no release 9.9", f"has: {APP}-"),
    "digits of two releases": Case(
        "promote abcdef --to ci --yes", 2, "abcdef is the name of several releases", f"{APP}-abcdef1"
    ),
    "too few digits": Case("promote 1a --to ci --yes", 1, "has no release 1a", f"It has: {APP}-"),
    "an export that was edited": Case(
        "release import release.json", 1, "damaged: its digest", "", tampered(_other_content)
    ),
    "an export with another image": Case(
        "release import release.json", 1, "damaged: its name or images", "", tampered(_other_image)
    ),
    "an export that is cut": Case("release import release.json", 1, "damaged", "", tampered(_cut_content)),
    "an export that is none": Case(
        "release import leeward.yaml", 2, "is no release", "leeward release export"
    ),
    "an export of another application": Case(
        "release import release.json", 2, "has a release of wrong, not of right", "leeward.yaml",
        replacing("leeward.yaml", "app: wrong", "app: right"),
    ),
    "a hub that is not there": Case(
        "promote 1 --to ci --yes", 1, "does not know the environment ci yet", f"{_ENV_APPLY} ci",
        replacing("leeward.yaml", "app: wrong", "app: right"),
    ),
    "a rollback of what never ran": Case(
        "rollback qa --yes", 1, "qa has run nothing before", "leeward rollback qa --to"
    ),
    "a locked environment": Case(
        "promote 2 --to ci --yes", 1, "ci is locked by .*: inventory", "leeward unlock ci", locked
    ),
    "what was not proved before": Case(
        "promote 2 --to qa --yes", 1, r"never was in ci(.|\n)*qa wants 1 person", "--to ci"
    ),
    "nobody to ask": Case("promote 2 --to ci", 2, "no terminal to ask on", "--yes"),
    "a duration that is none": Case("approve 1 --for qa --expires soon", 2, "soon is no duration", "8h"),
    "consent with oneself": Case("approve 1 --for qa --yes", 1, "does not count", "somebody else"),
    "a timeout that is none": Case("promote 1 --to ci --timeout 0", 2, "timeout", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_told_and_changes_nothing(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    monkeypatch.chdir(world.bakery.directory)
    monkeypatch.setenv("KUBECONFIG", str(world.bakery.directory / "kubeconfig"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    undo = case.wrong(world)
    before = world.seen()
    capsys.readouterr()
    try:
        code = run(case.command.split())
        said = capsys.readouterr()
        after = world.seen()
    finally:
        undo()
    assert "Traceback" not in said.err
    assert re.search(case.said, said.err), said.err
    if case.helps:
        helps = "\n".join(line for line in said.err.splitlines() if line.startswith("  "))
        assert re.search(case.helps, helps), said.err
    assert code == case.code, said.err
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == set()
