"""``leeward release``: what is made, written and told, against a hub in memory."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from leeward.cli.embeddedimages import EmbeddedImages
from leeward.cli.hub import Application
from leeward.cluster.runtimes.process.images import ImageStore
from leeward.delivery.records import RELEASES
from leeward.delivery.releases.bundle import bundle_of, release_object
from leeward.kube.objects import Obj
from tests.unit.delivery.memory import Memory

Tool = Callable[..., tuple[int, str, str]]
DIGEST = f"sha256:{'a' * 64}"
PIN = f"r.example.com/web@{DIGEST}"
CONFIG = "app: shop\nenvironments: {ci: {cluster: local}, qa: {cluster: local, from: ci}}\n"
COMPOSE = """
services:
  web: {image: web, environment: {DB_PASSWORD: abc}}
  worker: {build: {context: .}, command: run}
"""


class Hub(Memory):
    """A cluster that knows who asks and serves what is defined."""

    async def __aenter__(self) -> Hub:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def create(self, resource: str, obj: Obj) -> Obj:
        if resource.startswith("selfsubjectreviews"):
            return {"status": {"userInfo": {"username": "jane"}}}
        return await super().create(resource, obj)

    async def apply(self, resource: str, obj: Obj, *, force: bool = False) -> Obj:
        served = {"conditions": [{"type": "Established", "status": "True"}]}
        return await super().apply(resource, {**obj, "status": served}, force=force)

    def releases(self) -> list[Obj]:
        return [obj for (resource, _, _), obj in self.objects.items() if resource == RELEASES]


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, cluster: Any) -> Hub:
    """Write a project, and let its cluster be one in memory."""
    for name in ("COMPOSE_FILE", "COMPOSE_PROFILES"):
        monkeypatch.delenv(name, raising=False)
    Path("compose.yaml").write_text(COMPOSE)
    Path("leeward.yaml").write_text(CONFIG)
    Path("Dockerfile").write_text("FROM scratch\nCMD run\n")
    cluster("local", runtime="simulated")
    made = Hub()
    monkeypatch.setattr(Application, "connect", lambda self, environment: made)
    return made


def test_a_release_is_made_once(tool: Tool, hub: Hub) -> None:
    code, out, err = tool("release", "create", "--version", "1.1", "--image", f"web={PIN}")
    (made,) = hub.releases()
    name = made["metadata"]["name"]

    assert (code, out.splitlines()[0]) == (0, f"release {name} (1.1) is new")
    assert f"  web   {PIN}" in out
    assert "note: every environment needs values of 1 secret: DB_PASSWORD" in err
    assert made["spec"]["createdBy"] == "jane"
    assert "abc" not in str(bundle_of(made).to_content())

    code, out, err = tool("release", "create", "--version", "1.2", "--image", f"web={PIN}")
    assert (code, out.splitlines()[0]) == (0, f"release {name} (1.1) exists already")
    assert "it is called 1.1 already; 1.2 is not written" in err
    assert len(hub.releases()) == 1


def test_what_is_built_for_a_simulated_cluster_is_known_by_what_it_is_built_from(tool: Tool) -> None:
    def image() -> str:
        _, out, _ = tool("release", "create", "--image", f"web={PIN}", "-o", "json")
        return str(json.loads(out)["images"]["worker"])

    first = image()
    assert first.startswith("leeward.local/shop/worker@sha256:")
    assert image() == first
    Path("Dockerfile").write_text("FROM scratch\nCMD walk\n")
    assert image() != first


def test_a_service_that_nothing_is_known_of_keeps_its_reference_and_that_is_told(
    tool: Tool, hub: Hub
) -> None:
    _, _, err = tool("release", "create")

    assert hub.releases()[0]["spec"]["images"]["web"] == "web"
    assert "without a digest, because an embedded cluster asks no registry: web (web)" in err


def test_images_are_taken_from_another_release(tool: Tool, hub: Hub) -> None:
    tool("release", "create", "--version", "1", "--image", f"web={PIN}")
    Path("compose.yaml").write_text(COMPOSE + "  more: {image: 'more@" + DIGEST + "'}\n")
    Path("Dockerfile").unlink()
    code, out, err = tool("release", "create", "--from", "1", "-o", "json")

    assert code == 0, err
    found = json.loads(out)
    assert found["new"] is True
    assert found["images"]["web"] == PIN
    assert found["images"]["more"] == f"more@{DIGEST}"
    assert found["images"]["worker"].startswith("leeward.local/")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--image", f"wbe={PIN}"), 2, "the project has no service 'wbe'"),
        (("--image", "web=web:1"), 2, "has no digest"),
        (("--image", "web"), 2, "names no service"),
        (("--image", "web=web@sha256:12"), 2, "is no image"),
        (("--file", "gone.yaml"), 2, 'The Compose file "gone.yaml" does not exist'),
        (("--from", "9"), 1, "shop has no release 9"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    tool: Tool, hub: Hub, arguments: tuple[str, ...], code: int, message: str
) -> None:
    got, out, err = tool("release", "create", *arguments)

    assert (got, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
    assert hub.releases() == []


def test_a_release_needs_leeward_yaml_with_a_first_environment(tool: Tool) -> None:
    Path("leeward.yaml").write_text("app: shop\n")
    code, _, err = tool("release", "create")
    assert (code, "no environment that releases start in" in err) == (2, True)

    Path("leeward.yaml").unlink()
    code, _, err = tool("release", "create")
    assert (code, "`leeward init` writes one" in err) == (2, True)


def test_git_says_where_a_release_is_from(tool: Tool, hub: Hub) -> None:
    git = ["git", "-c", "user.name=j", "-c", "user.email=j@example.com"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    tool("release", "create")
    found = hub.releases()[0]["spec"]["git"]
    assert (len(found["commit"]), found["branch"], found["dirty"]) == (40, "main", False)

    Path("Dockerfile").write_text("FROM scratch\nCMD walk\n")
    tool("release", "create")
    assert sorted(each["spec"]["git"]["dirty"] for each in hub.releases()) == [False, True]
    assert [row["commit"][-1:] for row in json.loads(tool("release", "list", "-o", "json")[1])].count(
        "+"
    ) == 1


def test_releases_are_listed_and_shown(tool: Tool) -> None:
    assert "no releases of shop" in tool("release", "list")[2]
    tool("release", "create", "--version", "1.1", "--image", f"web={PIN}")

    assert "1.1" in tool("release", "list")[1]
    code, out, _ = tool("release", "show", "1.1")
    assert code == 0
    assert f"  web      {PIN}" in out
    assert "DB_PASSWORD   variable of web (compose.yaml:3)" in out
    shown = json.loads(tool("release", "show", "1.1", "-o", "json")[1])
    assert shown["content"]["compose"] == ["compose.yaml"]
    assert isinstance(shown["content"]["files"]["compose.yaml"], str)


def test_a_release_goes_through_a_file_into_another_hub(tool: Tool, hub: Hub) -> None:
    tool("release", "create", "--version", "1.1")
    (before,) = hub.releases()
    assert tool("release", "export", "1.1", "r.json")[0] == 0
    assert tool("release", "export", "1.1", "r.json")[0] == 2
    assert tool("release", "export", "1.1", "no/r.json")[0] == 1
    hub.objects.clear()

    code, out, _ = tool("release", "import", "r.json")
    (after,) = hub.releases()
    assert (code, out.splitlines()[0]) == (0, f"release {before['metadata']['name']} (1.1) is new")
    assert after["spec"] == before["spec"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda obj: obj["spec"].update(digest="sha256:0"), 1, "its digest is not that of its content"),
        (lambda obj: obj["spec"].update(content=obj["spec"]["content"][:-8]), 1, "is damaged"),
        (lambda obj: obj["spec"].update(content=7), 1, "it has no content"),
        (lambda obj: obj["spec"].update(images={}), 1, "its name or images"),
        (lambda obj: obj["metadata"].update(name="shop-0"), 1, "its name or images"),
        (lambda obj: obj.update(kind="ConfigMap"), 2, "is no release"),
        (lambda obj: obj.clear(), 2, "is no release"),
    ],
)
def test_a_file_that_was_changed_is_refused(
    tool: Tool, hub: Hub, change: Callable[[Obj], Any], code: int, message: str
) -> None:
    tool("release", "create", "--version", "1.1")
    tool("release", "export", "1.1", "r.json")
    hub.objects.clear()
    obj = json.loads(Path("r.json").read_text())
    change(obj)
    Path("r.json").write_text(json.dumps(obj))

    got, out, err = tool("release", "import", "r.json")
    assert (got, out) == (code, "")
    assert message in err
    assert hub.releases() == []


def test_a_release_of_another_application_is_refused(tool: Tool, hub: Hub) -> None:
    from tests.unit.delivery.test_bundle import BUNDLE

    Path("r.json").write_text(json.dumps(release_object(BUNDLE)))
    Path("leeward.yaml").write_text(CONFIG.replace("shop", "store"))
    code, _, err = tool("release", "import", "r.json")

    assert (code, hub.releases()) == (2, [])
    assert "r.json has a release of shop, not of store" in err


@pytest.mark.parametrize("text", ["", "[]", "no json"])
def test_a_file_that_is_no_release_is_refused(tool: Tool, text: str) -> None:
    Path("r.json").write_text(text)

    assert tool("release", "import", "r.json")[0] == 2
    assert tool("release", "import", "gone.json")[0] == 2


def test_what_the_process_runtime_builds_is_known_by_its_content(tool: Tool, hub: Hub, cluster: Any) -> None:
    state = cluster("real", runtime="process")
    Path("compose.yaml").write_text("services: {worker: {build: {context: .}, command: run}}\n")
    code, _, err = tool("release", "create", "--cluster", "real")
    assert code == 0, err
    reference = hub.releases()[0]["spec"]["images"]["worker"]

    image = ImageStore(state.images).read(reference)
    assert image is not None
    assert reference == f"leeward.local/shop/worker@{image.id}"
    assert ImageStore(state.images).why_not(reference) is None
    assert ImageStore(state.images).why_not(reference[:-1] + "x") is not None


def test_a_build_without_a_dockerfile_is_told(tool: Tool) -> None:
    Path("Dockerfile").unlink()
    code, _, err = tool("release", "create")

    assert code == 2
    assert "compose.yaml:4: error: services.worker.build" in err
    assert EmbeddedImages.__doc__
