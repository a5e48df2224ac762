"""Previews on a cluster: several at once, brought up to date, ended, and nothing else touched."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from leeward.cli.main import run
from leeward.cli.people import certified
from leeward.delivery.previews import EXPIRES
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access, load_access
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError
from tests.e2e.delivery.people import write_contexts
from tests.live import NEEDS_PODS, Leeward

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
COMPOSE = """
services:
  web:
    image: "web:${TAG:-1}"
    ports: ["8090:8080"]
    x-leeward: {hosts: [shop.example.com]}
  db: {image: db, ports: ["5432:5432"], volumes: ["data:/data"]}
volumes: {data: {}}
"""
PAST = "2020-01-01T00:00:00Z"
Tool = Callable[..., tuple[int, str, str]]


class Admin:
    """What an administrator sees and does, one call at a time."""

    def __init__(self, access: Access) -> None:
        self.access = access

    def __call__(self, verb: str, *arguments: Any, **named: Any) -> Any:
        async def call() -> Any:
            async with KubeClient(self.access) as api:
                return await getattr(api, verb)(*arguments, **named)

        return asyncio.run(call())

    def namespaces(self) -> set[str]:
        return {each["metadata"]["name"] for each in self("list", "namespaces")}

    def namespace(self, name: str) -> Obj:
        found: Obj = self("get", "namespaces", "", name)
        return found

    def end(self, name: str) -> None:
        patch = {"metadata": {"annotations": {EXPIRES: PAST}}}
        self("patch", "namespaces", "", name, patch, patch_type="merge")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a home with a cluster that says that it runs Pods; or ``LEEWARD_TEST_KUBECONFIG``'s is used."""
    home = tmp_path_factory.mktemp("previews")
    tool = Leeward(home / "home", home)
    if other := os.environ.get("LEEWARD_TEST_KUBECONFIG"):
        write_contexts(home / "kubeconfig", {"admin": load_access(Path(other))})
        yield home
        return
    tool.ok("cluster", "start", "--runtime", "simulated")
    write_contexts(home / "kubeconfig", {"admin": load_access(home / "home/local/kubeconfig")})
    yield home
    tool.run("cluster", "stop")


@pytest.fixture
def admin(home: Path) -> Admin:
    """Return an administrator of the cluster."""
    return Admin(load_access(home / "kubeconfig", context="admin"))


@pytest.fixture
def project(
    request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Work in the directory of an application of the test's own; returns its name."""
    name = "p" + re.sub(r"[^a-z]+", "", request.node.name.lower())[-20:]
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    configure(tmp_path, name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEEWARD_HOME", str(home / "home"))
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    yield name
    admin = Admin(load_access(home / "kubeconfig", context="admin"))
    for namespace in admin.namespaces():
        if namespace.startswith(f"{name}-"):
            admin("delete", "namespaces", "", namespace)


def configure(directory: Path, name: str, **previews: Any) -> None:
    config = {
        "app": name,
        "clusters": {"there": {"context": "admin"}},
        "previews": {"cluster": "there", "ttl": "1h", **previews},
    }
    (directory / "leeward.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture
def tool(project: str, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Return a function that runs one command line there: exit code, output, errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_previews_that_are_brought_up_at_the_same_time_share_nothing(
    project: str, tool: Tool, admin: Admin
) -> None:
    commands = [
        [sys.executable, "-m", "leeward", "up", "--preview", name, "--ttl", "2h"]
        for name in ("pr-1", "feature/B")
    ]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err

    found = json.loads(tool("preview", "list", "-o", "json")[1])

    assert {each["name"] for each in found} == {"pr-1", "feature/B"}
    assert len({url for each in found for url in each["urls"]}) == 2
    first = next(each for each in found if each["name"] == "pr-1")
    assert first["urls"] == ["http://pr-1-shop.example.com"]
    for each in found:
        workloads = admin("list", "deployments.apps", each["namespace"])
        assert [workload["status"]["readyReplicas"] for workload in workloads] == [1]
        claims = admin("list", "persistentvolumeclaims", each["namespace"])
        assert [claim["metadata"]["name"] for claim in claims] == ["data-db-0"]
        services = admin("list", "services", each["namespace"])
        notes = [service["metadata"].get("annotations") or {} for service in services]
        assert not any("leeward.dev/published-ports" in each for each in notes)


def test_bringing_one_up_again_updates_it_and_renews_its_time(
    project: str, tool: Tool, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tool("up", "--preview", "a", "--ttl", "10m")[0] == 0
    before = admin.namespace(f"{project}-preview-a")
    monkeypatch.setenv("TAG", "2")
    code, out, _ = tool("up", "--preview", "a")

    assert code == 0
    assert f"preview a of {project} is up until" in out
    assert f"kubectl -n {project}-preview-a port-forward service/db 5432:5432" in out
    after = admin.namespace(f"{project}-preview-a")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    ends = [each["metadata"]["annotations"][EXPIRES] for each in (before, after)]
    first, second = map(datetime.fromisoformat, ends)
    assert 45 * 60 < (second - first).total_seconds() < 55 * 60
    (web,) = admin("list", "deployments.apps", f"{project}-preview-a")
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


def test_pruning_removes_what_is_over_and_nothing_else(project: str, tool: Tool, admin: Admin) -> None:
    for name in ("over", "young"):
        assert tool("up", "--preview", name)[0] == 0
    others = f"{project}-preview-others"
    stamped = {"name": others, "annotations": {EXPIRES: PAST}, "labels": {"leeward.dev/preview": "others"}}
    admin("create", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": stamped})
    assert tool("preview", "prune")[:2] == (0, f"no preview of {project} has ended\n")
    admin.end(f"{project}-preview-over")
    claims = admin("list", "persistentvolumeclaims", f"{project}-preview-over")
    volumes = {claim["spec"]["volumeName"] for claim in claims}
    before = admin.namespaces()

    code, out, _ = tool("preview", "prune", "--dry-run")
    assert (code, "would be removed" in out, admin.namespaces()) == (0, True, before)
    listed = json.loads(tool("preview", "list", "-o", "json")[1])
    assert {each["preview"]: each["ended"] for each in listed} == {"over": True, "young": False}
    code, out, _ = tool("preview", "prune")

    assert code == 0
    assert re.fullmatch(r"preview over ended \d+ h ago; it is gone\n", out)
    assert before - admin.namespaces() == {f"{project}-preview-over"}
    assert volumes
    until(
        lambda: volumes.isdisjoint({each["metadata"]["name"] for each in admin("list", "persistentvolumes")})
    )


def test_bringing_one_up_removes_others_that_are_over_but_renews_itself(
    project: str, tool: Tool, admin: Admin
) -> None:
    for name in ("one", "other"):
        assert tool("up", "--preview", name)[0] == 0
        admin.end(f"{project}-preview-{name}")

    code, _, err = tool("up", "--preview", "one")

    assert code == 0
    assert "preview other ended" in err
    until(lambda: f"{project}-preview-other" not in admin.namespaces())
    assert admin.namespace(f"{project}-preview-one")["metadata"]["annotations"][EXPIRES] > PAST


def test_taking_one_down_removes_it_wholly_and_again_changes_nothing(
    project: str, tool: Tool, admin: Admin
) -> None:
    assert tool("up", "--preview", "feature/C")[0] == 0
    (namespace,) = [name for name in admin.namespaces() if name.startswith(f"{project}-preview-feature-c-")]

    code, out, err = tool("down", "--preview", "feature/C")

    assert code == 0
    assert "is gone, with its volumes" in out
    assert "note: 'feature/C'" in err
    assert namespace not in admin.namespaces()
    code, out, _ = tool("down", "--preview", "feature/C")
    assert (code, "was not up" in out) == (0, True)


@pytest.mark.parametrize(
    "arguments", [("up", "--preview", "theirs"), ("down", "--preview", "theirs")], ids=str
)
def test_a_namespace_of_somebody_else_is_refused_and_stays_as_it_is(
    project: str, tool: Tool, admin: Admin, arguments: tuple[str, ...]
) -> None:
    name = f"{project}-preview-theirs"
    admin("create", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    before = admin.namespace(name)["metadata"]["resourceVersion"]

    code, _, err = tool(*arguments)

    assert code == 2
    assert f"{name} is there already, and is no preview of {project}" in err
    assert admin.namespace(name)["metadata"]["resourceVersion"] == before
    assert admin("list", "deployments.apps", name) == []


def _role_of_the_page() -> Obj:
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (role,) = [block for block in map(yaml.safe_load, blocks) if block.get("kind") == "ClusterRole"]
    found: Obj = role
    return found


async def _certified(access: Access, name: str, group: str) -> Access:
    async with KubeClient(access) as api:
        return await certified(api, name, [group])


def test_a_pipeline_needs_only_the_rights_of_the_page_and_gives_people_theirs(
    project: str, tool: Tool, admin: Admin, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rbac, role = "rbac.authorization.k8s.io", _role_of_the_page()
    group = f"pipelines-{project}"
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": project},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": group}],
    }
    admin("apply", f"clusterroles.{rbac}", role)
    admin("apply", f"clusterrolebindings.{rbac}", binding)
    pipeline = asyncio.run(_certified(admin.access, "ci", group))
    developer = Admin(asyncio.run(_certified(admin.access, "dana", "developers")))
    write_contexts(tmp_path / "kubeconfig", {"admin": pipeline})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    configure(tmp_path, project, access={"developers": "edit"})

    for name in ("one", "two"):
        code, _, err = tool("up", "--preview", name)
        assert code == 0, err
    namespace = f"{project}-preview-one"
    assert admin.namespace(namespace)["metadata"]["annotations"]["leeward.dev/preview-by"] == "ci"
    patch = {"spec": {"replicas": 2}}
    developer("patch", "deployments.apps", namespace, "web", patch, patch_type="merge")
    with pytest.raises(ForbiddenError):
        developer("list", "secrets", namespace)
    configure(tmp_path, project)  # without access
    assert tool("up", "--preview", "one")[0] == 0
    with pytest.raises(ForbiddenError):
        developer("patch", "deployments.apps", namespace, "web", patch, patch_type="merge")
    developer("patch", "deployments.apps", f"{project}-preview-two", "web", patch, patch_type="merge")
    admin.end(namespace)
    assert tool("preview", "prune")[0] == 0
    assert tool("down", "--preview", "two")[0] == 0
    assert not [name for name in admin.namespaces() if name.startswith(f"{project}-preview-")]


SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["SAYS"].encode())
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
ANSWERS = """
services:
  web:
    build: .
    command: python3 server.py
    stop_grace_period: 0s
    ports: ["18743:8080"]
    environment: {SAYS: "${LEEWARD_PREVIEW:-the project itself}"}
    healthcheck: {test: ["CMD-SHELL", "true"], interval: 1s}
"""


@pytest.mark.root
@NEEDS_PODS[-1]
def test_previews_beside_the_project_itself_answer_at_hosts_of_their_own(leeward: Leeward) -> None:
    leeward.write("server.py", SERVER)
    leeward.write("Dockerfile", "FROM python:3.11\nWORKDIR /app\nCOPY server.py .\n")
    leeward.write("compose.yaml", f"name: shop\n{ANSWERS}")
    leeward.ok("up", "-d")
    for name in ("pr-1", "pr-2"):
        assert f"http://web.shop-preview-{name}.localhost:" in leeward.ok("up", "--preview", name)

    port = json.loads((leeward.home / "local" / "cluster.json").read_text())["ingressPort"]
    says = {
        host: httpx.get(f"http://127.0.0.1:{port}/", headers={"host": host}).text
        for host in ("web.localhost", "web.shop-preview-pr-1.localhost", "web.shop-preview-pr-2.localhost")
    }

    assert list(says.values()) == ["the project itself", "pr-1", "pr-2"]
    assert httpx.get("http://127.0.0.1:18743/").text == "the project itself"
    assert "web" in leeward.ok("ps", "-p", "shop-preview-pr-2")
    leeward.ok("down", "--preview", "pr-1")
    assert (
        httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "web.localhost"}).text == "the project itself"
    )
