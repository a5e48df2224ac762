"""Environments on a real cluster: applied, given variables, locked, and in a trail that shows tampering."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.base.clock import SystemClock
from leeward.cli.main import run
from leeward.delivery.audit.trail import append
from leeward.delivery.environments import variables
from leeward.delivery.environments.environment import find_environment
from leeward.delivery.environments.variables import Author
from leeward.delivery.identity import who_am_i
from leeward.delivery.records import AUDIT_RECORDS, ENVIRONMENTS, PROMOTIONS, RELEASES, hub_of, record
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from tests.e2e.delivery.people import write_contexts

pytestmark = pytest.mark.e2e
APP, HUB = "furnished", hub_of("furnished")
CONFIG = """
app: furnished
environments:
  ci: {cluster: there}
  qa: {cluster: there, from: ci, variables: {LEVEL: info}, soak: 1h}
clusters:
  there: {context: admin}
"""
Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def directory(access: Access, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a leeward.yaml that is applied."""
    root = tmp_path_factory.mktemp("furnished")
    (root / "leeward.yaml").write_text(CONFIG)
    (root / "compose.yaml").write_text("services: {web: {image: web}}\n")
    write_contexts(root / "kubeconfig", {"admin": access})
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(root):
        patch.setenv("KUBECONFIG", str(root / "kubeconfig"))
        assert run(["env", "apply", "--yes"]) == 0
    return root


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str], directory: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Return a function that runs one command line there: exit code, output, errors."""
    monkeypatch.chdir(directory)
    monkeypatch.setenv("KUBECONFIG", str(directory / "kubeconfig"))

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_applying_again_changes_nothing_and_a_change_is_shown_before_it_is_made(
    tool: Tool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = tool("env", "apply", "--yes")
    assert (code, out) == (0, "ci → qa\nci, qa: nothing changes\n")
    path = directory / "leeward.yaml"
    path.write_text(CONFIG.replace("info", "debug").replace(", soak: 1h", ""))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, out, err = tool("env", "apply", "qa")
    assert code == 2
    assert "  ~ variables.LEVEL: info → debug\n  - soak:            1h\n" in out
    assert "Add --yes." in err
    path.write_text(CONFIG)
    assert tool("env", "apply")[:2] == (0, "ci → qa\nci, qa: nothing changes\n")


async def _set_at_once(access: Access, number: int) -> set[str]:
    """Set as many values at the same time, with a connection each; returns the names that are there then."""

    async def one(index: int) -> None:
        async with KubeClient(access) as api:
            environment = await find_environment(api, APP, "ci")
            author = Author(name=await who_am_i(api))
            await variables.set_values(api, environment, {f"V{index}": "x"}, author, SystemClock())

    await asyncio.gather(*map(one, range(number)))
    async with KubeClient(access) as api:
        environment = await find_environment(api, APP, "ci")
        newest = await variables.newest_version(api, environment)
        assert newest.number == number
        return set(newest.values)


def test_people_who_set_values_at_the_same_time_lose_nothing(access: Access, tool: Tool) -> None:
    names = asyncio.run(_set_at_once(access, 10))
    assert names == {f"V{index}" for index in range(10)}
    out = tool("audit", "list", "--env", "ci", "-o", "json")[1]
    assert sum(row["action"] == "env-set" for row in json.loads(out)) == 10
    assert tool("audit", "verify")[0] == 0


def promotion(number: int, release: str, version: int) -> Obj:
    spec = {
        "environment": "qa", "release": release, "by": "kubernetes-admin",
        "variablesVersion": version, "summary": [f"web: image to {number}", "more"],
    }  # fmt: skip
    return record("Promotion", APP, f"qa-{number:05d}", spec)


async def _promote(access: Access) -> None:
    """Write what a promotion writes."""
    async with KubeClient(access) as api:
        who = await who_am_i(api)
        spec = {
            "app": APP,
            "digest": "sha256:0",
            "content": "x",
            "version": "1.1",
            "createdBy": "kubernetes-admin",
        }
        await api.create(RELEASES, record("Release", APP, "furnished-1", spec))
        at = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:05Z"}
        for number in (1, 2):
            obj = promotion(number, "furnished-1", 1)
            await api.create(PROMOTIONS, {**obj, "spec": {**obj["spec"], "by": who}})
            status = {"status": {"phase": "Succeeded", **at}}
            await api.patch(
                PROMOTIONS, HUB, f"qa-{number:05d}", status, patch_type="merge", subresource="status"
            )
        status = {"status": {"release": "furnished-1", "promotion": "qa-00002"}}
        await api.patch(ENVIRONMENTS, HUB, "qa", status, patch_type="merge", subresource="status")


def test_variables_have_versions_that_say_whether_they_are_promoted(access: Access, tool: Tool) -> None:
    assert tool("env", "set", "A=1", "TOKEN=hunter2", "--env", "qa", "--reason", "first")[0] == 0
    assert "version 1, by" in tool("env", "list", "--env", "qa")[2]
    asyncio.run(_promote(access))
    assert "promoted with qa-00002" in tool("env", "list", "--env", "qa")[2]
    Path("more.env").write_text("A=2\nB=3\n")
    assert "version 2 has B" in tool("env", "import", "more.env", "--env", "qa")[1]
    assert "version 3 is without A" in tool("env", "unset", "A", "--env", "qa")[1]
    code, out, err = tool("env", "list", "--env", "qa")
    assert code == 0
    assert "hunter2" not in out
    assert "qa-00002 has version 1: the next promotion takes 3" in err
    assert "hunter2" in tool("env", "list", "--env", "qa", "--reveal")[1]
    rows = json.loads(tool("env", "history", "--env", "qa", "-o", "json")[1])
    assert [(row["version"], row["set"], row["unset"], row["promoted"]) for row in rows] == [
        (3, [], ["A"], ""),
        (2, ["B"], [], ""),
        (1, ["A", "TOKEN"], [], "qa-00002"),
    ]
    assert "hunter2" not in tool("audit", "list", "-o", "json")[1]
    rows = json.loads(tool("history", "qa", "-o", "json")[1])
    assert [(row["promotion"], row["version"], row["took"]) for row in rows] == [
        ("qa-00002", "1.1", "1m05s"),
        ("qa-00001", "1.1", "1m05s"),
    ]
    assert rows[0]["summary"] == "web: image to 2"


def test_a_lock_keeps_what_runs(tool: Tool) -> None:
    code, out, _ = tool("lock", "ci", "--reason", "inventory")
    assert code == 0
    assert out.endswith(": inventory\n")
    assert "it was locked by" in tool("unlock", "ci")[1]
    assert tool("unlock", "ci")[2] == "ci was not locked\n"


async def _fill(access: Access, number: int) -> None:
    async with KubeClient(access) as api:
        who, clock = await who_am_i(api), SystemClock()
        await asyncio.gather(
            *(append(api, APP, who=who, action="test", result=str(n), clock=clock) for n in range(number))
        )


async def _remove(access: Access, *names: str) -> None:
    async with KubeClient(access) as api:
        for name in names:
            await api.delete(AUDIT_RECORDS, HUB, name)


def test_records_that_an_administrator_removes_are_missed(access: Access, tool: Tool) -> None:
    asyncio.run(_fill(access, 12))
    code, out, _ = tool("audit", "verify")
    assert code == 0
    number = int(out.split()[1])
    assert out == f"there: {number} records, all good\n"
    asyncio.run(_remove(access, f"{number:08d}", "00000003", "00000004"))
    code, out, err = tool("audit", "verify")
    assert code == 1
    assert "there: 00000003 to 00000004 were removed\n" in out
    assert f"there: {number:08d} was removed from the end\n" in out
    assert "2 wrong" in err


def test_a_cluster_that_cannot_be_asked_does_not_hide_the_others(tool: Tool, directory: Path) -> None:
    path = directory / "leeward.yaml"
    more = "  demo: {cluster: gone}\nclusters:\n  gone: {context: nowhere}\n"
    path.write_text(CONFIG.replace("clusters:\n", more))
    try:
        for command in (("history",), ("audit", "list"), ("env", "list"), ("access", "matrix")):
            code, _, err = tool(*command)
            assert code == 0, err
            assert "no context 'nowhere'" in err
        code, _, err = tool("audit", "verify")
        assert code == 1
        assert "gone: " in err
        assert tool("history", "demo")[0] == 2
    finally:
        path.write_text(CONFIG)
