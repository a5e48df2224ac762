"""Two releases of the storefront: what changes, what going back does not bring back, what has drifted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from leeward.compose.load import LoadOptions, load_project
from leeward.delivery.promotion.manifests import without_values
from leeward.delivery.wording.differences import Side, differences, summary
from leeward.delivery.wording.drift import drift
from leeward.delivery.wording.rollbacks import rollback_verdict
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, render

HERE = Path(__file__).parent / "wording"
STOREFRONT = Path(__file__).parents[2] / "examples" / "storefront"
SERVICES = ("web", "api", "worker", "cache", "store", "migrate", "shipper")


def release(digit: str, *more: Path) -> list[Obj]:
    """Return a release of the storefront, whose images have a digest of this digit, as a promotion has it."""
    files = [STOREFRONT / "compose.yaml", *more]
    project = load_project(LoadOptions(working_dir=STOREFRONT, files=files, environment={})).project
    images = {name: f"registry.example.com/{name}@sha256:{digit * 64}" for name in SERVICES}
    return without_values(render(project, RenderOptions(environment="production", images=images)).objects)


@pytest.fixture(scope="module")
def sides() -> tuple[Side, Side]:
    before = Side(objects=release("3"), version="1.2")
    return before, Side(objects=release("7", HERE / "next.yaml"), version="1.3")


def test_the_next_release_of_the_storefront_is_told_as_written_down(
    sides: tuple[Side, Side], check_golden: Callable[[Path, str], None]
) -> None:
    before, after = sides
    check_golden(HERE / "forward.txt", text(summary(differences(before, after))))
    check_golden(HERE / "first.txt", text(summary(differences(Side(), before))))


def test_going_back_is_told_as_written_down(
    sides: tuple[Side, Side], check_golden: Callable[[Path, str], None]
) -> None:
    before, after = sides
    lost = rollback_verdict(after.objects, before.objects)
    changes = summary(differences(after, before, runs_jobs=False))
    check_golden(HERE / "back.txt", text([*changes, "", "does not come back:", *lost]))


def test_what_somebody_changed_by_hand_is_told_as_written_down(
    sides: tuple[Side, Side], check_golden: Callable[[Path, str], None]
) -> None:
    applied = sides[0].objects
    live = [copy.deepcopy(obj) for obj in applied if obj["kind"] != "PodDisruptionBudget"]
    web = next(obj for obj in live if obj["kind"] == "Deployment" and obj["metadata"]["name"] == "web")
    web["spec"]["replicas"] = 7
    (container,) = web["spec"]["template"]["spec"]["containers"]
    container["env"][0]["value"] = "http://elsewhere"
    container["resources"]["requests"] = {"cpu": "0.1", "memory": "1Gi"}
    leftover = {**web, "metadata": {**web["metadata"], "name": "web-old"}}
    check_golden(HERE / "drift.txt", text(map(str, drift(applied, [*live, leftover]))))


def text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
