"""Who may do what: five people, five environments, and requests that the cluster allows or refuses."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.cli.main import run
from leeward.cli.people import certified
from leeward.delivery.environments.access import ACTIONS
from leeward.delivery.installing import ensure_definitions
from leeward.delivery.promotion.promoter import Holder, Promoter
from leeward.delivery.records import APPROVALS, AUDIT_RECORDS, ENVIRONMENTS, PROMOTIONS, hub_of, record
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access, load_access
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, ForbiddenError, NotFoundError, StatusError
from tests.e2e.delivery.people import write_contexts
from tests.e2e.delivery.shop import check_of, objects_of, request

pytestmark = pytest.mark.e2e

APP, HUB = "accessible", hub_of("accessible")
CONFIG = """
app: accessible
environments:
  ci: {cluster: there, access: {developers: admin}}
  qa: {cluster: there, from: ci, access: {developers: edit, testers: edit}}
  uat: {cluster: there, from: qa, approvals: 1, access: {developers: view, devops: admin}}
  production:
    {cluster: there, from: uat, access: {developers: none, testers: view, devops: promote, cloudops: admin}}
  demo: {cluster: there, from: production, access: {testers: view, devops: edit, cloudops: promote}}
clusters:
  there: {context: admin}
"""
PEOPLE = {"jane": "developers", "toni": "testers", "dora": "devops", "carl": "cloudops", "sam": "strangers"}
LEVELS = {
    "ci": {"developers": "admin"},
    "qa": {"developers": "edit", "testers": "edit"},
    "uat": {"developers": "view", "devops": "admin"},
    "production": {"testers": "view", "devops": "promote", "cloudops": "admin"},
    "demo": {"testers": "view", "devops": "edit", "cloudops": "promote"},
}
FROM_VIEW, FROM_EDIT, EDITS_AND_ADMIN = "view edit promote admin", "edit promote admin", "edit admin"
FROM_PROMOTE, ADMIN, NOBODY = "promote admin", "admin", ""


class Asked:
    """One person at one environment."""

    def __init__(self, api: KubeClient, person: str, environment: str) -> None:
        self.api = api
        self.person = person
        self.environment = environment
        self.namespace = f"{APP}-{environment}"

    async def read_pods(self) -> None:
        assert await self.api.list("pods", self.namespace) is not None

    async def read_logs(self) -> None:
        async for _ in self.api.logs(self.namespace, "probe"):
            break

    async def execute(self) -> None:
        with pytest.raises(BadRequestError):  # it wants an upgrade
            await self._post("pods/probe/exec", {"command": "date"})

    async def forward(self) -> None:
        with pytest.raises(BadRequestError):
            await self._post("pods/probe/portforward", {"ports": "80"})

    async def _post(self, path: str, params: dict[str, str]) -> None:
        await self.api.request("POST", f"/api/v1/namespaces/{self.namespace}/{path}", params=params)

    async def restart(self) -> None:
        patch = {"spec": {"template": {"metadata": {"annotations": {"restarted": self.person}}}}}
        await self.api.patch("deployments.apps", self.namespace, "probe", patch, dry_run=True)

    async def scale(self) -> None:
        patch = {"spec": {"replicas": 2}}
        await self.api.patch(
            "deployments.apps", self.namespace, "probe", patch, patch_type="merge", subresource="scale",
            dry_run=True,
        )  # fmt: skip

    async def delete_pod(self) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/pods/probe"
        await self.api.request("DELETE", path, params={"dryRun": "All"})

    async def read_secret(self) -> None:
        assert (await self.api.get("secrets", self.namespace, "leeward-env-1"))["data"]

    async def list_secrets(self) -> None:
        assert await self.api.list("secrets", self.namespace)

    async def write_secret(self) -> None:
        meta = {"name": "leeward-env-2", "namespace": self.namespace}
        await self.api.create(
            "secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": meta}, dry_run=True
        )

    async def promote(self) -> None:
        spec = {"environment": self.environment, "release": "r", "by": self.person}
        obj = record("Promotion", APP, f"{self.environment}-00009", spec)
        await self.api.create(PROMOTIONS, obj, dry_run=True)

    async def approve(self) -> None:
        await self.api.create(APPROVALS, self._approval(self.person), dry_run=True)

    async def approve_as_another(self) -> None:
        await self.api.create(APPROVALS, self._approval("carla"), dry_run=True)

    def _approval(self, by: str) -> Obj:
        spec = {"environment": self.environment, "release": "r", "diffHash": "sha256:0", "by": by}
        return record("Approval", APP, f"{self.environment}-r-{self.person}", spec)

    async def lock(self) -> None:
        patch = {"status": {"lock": None}}
        await self.api.patch(
            ENVIRONMENTS, HUB, self.environment, patch, patch_type="merge", subresource="status"
        )

    async def change_gates(self) -> None:
        patch = {"spec": {"approvals": 0}}
        await self.api.patch(ENVIRONMENTS, HUB, self.environment, patch, patch_type="merge", dry_run=True)

    async def grant(self) -> None:
        name, patch = f"leeward:{self.environment}:promote", {"metadata": {"labels": {"x": "y"}}}
        for namespace in (HUB, self.namespace):
            resource = "rolebindings.rbac.authorization.k8s.io"
            await self.api.patch(resource, namespace, name, patch, patch_type="merge", dry_run=True)

    async def request_service(self) -> None:
        with pytest.raises(NotFoundError):  # there is none, as only who may ask is told
            await self.api.request("GET", f"/api/v1/namespaces/{self.namespace}/services/nothing:80/proxy/")

    async def make_token(self) -> None:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default/token"
        await self.api.request("POST", path, body=body)


TABLE: list[tuple[Callable[[Asked], Awaitable[None]], str]] = [
    (Asked.read_pods, FROM_VIEW),
    (Asked.read_logs, FROM_VIEW),
    (Asked.restart, FROM_EDIT),
    (Asked.execute, EDITS_AND_ADMIN),
    (Asked.forward, EDITS_AND_ADMIN),
    (Asked.scale, EDITS_AND_ADMIN),
    (Asked.delete_pod, EDITS_AND_ADMIN),
    (Asked.read_secret, FROM_PROMOTE),
    (Asked.list_secrets, FROM_PROMOTE),
    (Asked.write_secret, FROM_PROMOTE),
    (Asked.request_service, FROM_PROMOTE),
    (Asked.promote, FROM_PROMOTE),
    (Asked.approve, FROM_PROMOTE),
    (Asked.lock, FROM_PROMOTE),
    (Asked.change_gates, ADMIN),
    (Asked.grant, ADMIN),
    (Asked.approve_as_another, NOBODY),
    (Asked.make_token, NOBODY),
]
Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def people(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Access]:
    """Return how each person reaches the cluster."""

    async def all_of_them() -> dict[str, Access]:
        async with KubeClient(load_access(kubeconfig)) as admin:
            found = await asyncio.gather(*(certified(admin, name, [group]) for name, group in PEOPLE.items()))
            return {"admin": admin.access, **dict(zip(PEOPLE, found, strict=True))}

    return asyncio.run(all_of_them())


@pytest.fixture(scope="module")
def directory(people: dict[str, Access], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a directory with a leeward.yaml that is applied, and something in each environment."""
    root = tmp_path_factory.mktemp("accessible")
    (root / "leeward.yaml").write_text(CONFIG)
    (root / "compose.yaml").write_text("services: {web: {image: web}}\n")
    write_contexts(root / "kubeconfig", people)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(root):
        patch.setenv("KUBECONFIG", str(root / "kubeconfig"))
        assert run(["env", "apply", "--yes"]) == 0
        for name in LEVELS:
            assert run(["env", "set", "PASSWORD=hunter2", "--env", name]) == 0
        asyncio.run(_furnish(people["admin"]))
        yield root


async def _furnish(access: Access) -> None:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web"}]},
    }
    async with KubeClient(access) as api:
        for name in LEVELS:
            meta = {"name": "probe", "namespace": f"{APP}-{name}"}
            selector = {"matchLabels": {"app": "web"}}
            spec = {"replicas": 0, "selector": selector, "template": template}
            head = {"apiVersion": "apps/v1", "kind": "Deployment"}
            await api.create("deployments.apps", {**head, "metadata": meta, "spec": spec})
            await api.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, **_pod(template)})


def _pod(template: Any) -> Any:
    return {"spec": template["spec"]}


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


async def _answers(people: dict[str, Access]) -> dict[tuple[str, str, str], bool | str]:
    """Ask for everything; True where it is allowed, False where it is refused, else what went wrong."""
    found: dict[tuple[str, str, str], bool | str] = {}
    turns = asyncio.Semaphore(12)

    async def ask(act: Callable[[Asked], Awaitable[None]], asked: Asked) -> None:
        key = (act.__name__, asked.person, asked.environment)
        async with turns:
            try:
                await act(asked)
                found[key] = True
            except ForbiddenError:
                found[key] = False
            except StatusError as error:
                found[key] = str(error)

    async with contextlib.AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(KubeClient(people[name])) for name in PEOPLE}
        await asyncio.gather(
            *(
                ask(act, Asked(clients[person], person, environment))
                for act, _ in TABLE
                for person in PEOPLE
                for environment in LEVELS
            )
        )
    return found


def test_each_person_may_do_what_their_level_says_and_nothing_else(
    people: dict[str, Access], directory: Path
) -> None:
    answers = asyncio.run(_answers(people))
    expected = {
        (act.__name__, person, environment): levels.get(group, "none") in allowed.split()
        for act, allowed in TABLE
        for person, group in PEOPLE.items()
        for environment, levels in LEVELS.items()
    }
    assert len(expected) == len(TABLE) * 25
    assert {key: answers[key] for key in answers if answers[key] != expected[key]} == {}
    assert sum(expected.values()) > 80


def test_the_matrix_says_what_the_cluster_decides(tool: Tool) -> None:
    code, out, err = tool("access", "matrix", "-o", "json")
    assert code == 0, err
    rows = {(row["environment"], row["group"]): row for row in json.loads(out)}
    for environment, levels in LEVELS.items():
        for group in ("developers", "testers", "devops", "cloudops"):
            row, level = rows[environment, group], levels.get(group, "none")
            assert row["access"] == level
            assert row["read Pods"] == row["read logs"] == (level in FROM_VIEW.split())
            assert row["change workloads"] == (level in FROM_EDIT.split())
            assert row["exec"] == (level in EDITS_AND_ADMIN.split())
            for name in ("read Secrets", "set variables", "approve", "promote", "lock"):
                assert row[name] == (level in FROM_PROMOTE.split()), (environment, group, name)
            assert len(row) == len(ACTIONS) + 3


def test_a_developer_can_neither_read_secrets_of_production_nor_promote_there(tool: Tool) -> None:
    for verb in (("env", "list", "--env"), ("env", "set", "X=1", "--env"), ("lock", "--reason", "x")):
        code, out, err = tool(*verb, "production", "--context", "jane")
        assert (code, out) == (1, "")
        assert "jane may not " in err
        assert "`access` in leeward.yaml" in err
        assert "hunter2" not in err
        assert "Traceback" not in err


def test_people_see_the_hub_of_their_environments_and_strangers_nothing(tool: Tool) -> None:
    assert tool("history", "--context", "toni")[0] == 0
    assert tool("audit", "verify", "--context", "jane")[0] == 0
    code, _, err = tool("history", "--context", "sam")
    assert code == 1
    assert "sam may not list promotions.leeward.dev in the namespace leeward-accessible" in err


def test_who_promotes_sets_variables_and_locks_and_who_edits_does_not(tool: Tool) -> None:
    assert tool("env", "set", "LEVEL=1", "--env", "production", "--context", "dora")[0] == 0
    assert tool("lock", "production", "--reason", "inventory", "--context", "dora")[0] == 0
    code, _, err = tool("unlock", "production", "--context", "carl")
    assert code == 2
    assert "was locked by dora: inventory" in err
    assert tool("unlock", "production", "--reason", "done", "--context", "carl")[0] == 0
    assert tool("lock", "demo", "--reason", "x", "--context", "dora")[0] == 1
    code, out, _ = tool("audit", "list", "--env", "production", "-o", "json")
    assert [(row["action"], row["by"]) for row in json.loads(out)[-3:]] == [
        ("env-set", "dora"),
        ("lock", "dora"),
        ("unlock", "carl"),
    ]
    assert tool("audit", "verify")[0] == 0


def test_who_administers_an_environment_applies_it_without_administering_the_cluster(
    tool: Tool, directory: Path
) -> None:
    path = directory / "leeward.yaml"
    path.write_text(CONFIG.replace("developers: none, testers: view", "developers: none, auditors: view"))
    try:
        code, out, err = tool("env", "apply", "production", "--yes", "--context", "carl")
        assert code == 0, err
        assert "- access.testers:  view" in out
        code, out, _ = tool("access", "matrix", "--env", "production", "-o", "json", "--context", "carl")
        assert {row["group"]: row["read Pods"] for row in json.loads(out)}["testers"] is False
        path.write_text(CONFIG.replace("uat, access: {developers: none", "uat, access: {strangers: admin"))
        code, _, err = tool("env", "apply", "production", "--yes", "--context", "dora")
        assert code == 1
        assert "dora may not patch environments.leeward.dev in the namespace leeward-accessible" in err
    finally:
        path.write_text(CONFIG)
        assert tool("env", "apply", "--yes")[0] == 0


def test_who_promotes_can_do_all_that_a_promotion_does_and_who_edits_cannot(
    people: dict[str, Access], directory: Path
) -> None:
    async def carry(person: str, environment: str) -> Obj:
        namespace = f"{APP}-{environment}"
        wanted = request(environment, "1", objects_of(namespace, "1"), person, checks=[check_of(0)])
        wanted = replace(wanted, app=APP, where=replace(wanted.where, namespace=namespace))
        async with KubeClient(people[person]) as api:
            await ensure_definitions(api)
            return await Promoter(api, SystemClock(), wanted, lambda _: None).run(Holder(person))

    done = asyncio.run(carry("carl", "demo"))  # who has "promote" there
    assert done["status"]["phase"] == "Succeeded"
    for person, environment in (("dora", "demo"), ("jane", "qa"), ("toni", "production")):
        with pytest.raises((ForbiddenError, OperationError)):
            asyncio.run(carry(person, environment))


def test_nobody_changes_or_forges_the_trail(people: dict[str, Access], directory: Path) -> None:
    async def forge() -> None:
        async with KubeClient(people["carl"]) as api:
            name, patch = "00000001", {"spec": {"by": "carl"}}
            with pytest.raises(ForbiddenError):
                await api.patch(AUDIT_RECORDS, HUB, name, patch, patch_type="merge")
            with pytest.raises(ForbiddenError):
                await api.delete(AUDIT_RECORDS, HUB, name)
            spec = {"sequence": 9999, "time": "2026-01-01T00:00:00Z", "by": "jane", "action": "promote"}
            spec |= {"previous": "x", "hash": "x"}
            with pytest.raises(ForbiddenError):
                await api.create(AUDIT_RECORDS, record("AuditRecord", APP, "00009999", spec))

    asyncio.run(forge())
