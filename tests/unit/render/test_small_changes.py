"""A small change of a Compose file is a small change of the manifests, whatever the project."""

from __future__ import annotations

import difflib
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leeward.compose.load import LoadOptions, load_project
from leeward.kube.objects import labels_of
from leeward.kube.wellknown import APP_NAME
from leeward.render.render import RenderOptions, RenderResult, render
from leeward.render.writers.directory import same_but_for_lines
from leeward.render.writers.yaml import layout

NAMES = ("api", "db", "web", "worker")
SERVICES = st.fixed_dictionaries(
    {"image": st.sampled_from(["x:1", "y"])},
    optional={
        "ports": st.sampled_from([["80:80"], ["8080"]]),
        "environment": st.sampled_from([{"A": "1"}, {"DB_PASSWORD": "s", "A": "2"}]),
        "volumes": st.sampled_from([["data:/d"], ["own:/d"], ["/tmp/x"]]),
        "scale": st.integers(0, 4),
        "restart": st.sampled_from(["always", "no"]),
        "healthcheck": st.just({"test": "true"}),
        "networks": st.sampled_from([["front"], ["front", "back"]]),
        "user": st.sampled_from(["1000", "0"]),
    },
)
PROJECTS = st.dictionaries(st.sampled_from(NAMES), SERVICES, min_size=1).map(
    lambda services: {
        "services": services,
        "volumes": {"data": None, "own": None},
        "networks": {"front": None, "back": None},
    }
)


def rendered(text: str) -> RenderResult:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "compose.yaml").write_text(text, encoding="utf-8")
        options = LoadOptions(working_dir=Path(directory), project_name="shop")
        return render(load_project(options).project, RenderOptions(environment="production"))


def text_of(project: dict[str, Any]) -> str:
    return yaml.safe_dump(project, sort_keys=True)


def changed_services(before: RenderResult, after: RenderResult) -> set[str]:
    """Return the services of which an object is new, gone or otherwise; "" for objects of the project."""
    old, new = (
        {(obj["kind"], obj["metadata"]["name"]): obj for obj in result.objects} for result in (before, after)
    )
    return {
        labels_of(new.get(key) or old[key]).get(APP_NAME, "")
        for key in old.keys() | new.keys()
        if old.get(key) != new.get(key)
    }


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(PROJECTS, st.data())
def test_a_change_of_one_service_changes_its_own_objects_only(project: dict[str, Any], data: Any) -> None:
    name = data.draw(st.sampled_from(sorted(project["services"])))
    service = project["services"][name]
    change = data.draw(
        st.sampled_from(
            [
                {"image": "z:9"},
                {"environment": {**service.get("environment", {}), "NEW": "1"}},
                {"stop_grace_period": "45s"},
                {"command": "run --fast"},
            ]
        )
    )
    services = {**project["services"], name: {**service, **change}}
    after = rendered(text_of({**project, "services": services}))
    assert changed_services(rendered(text_of(project)), after) == {name}


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(PROJECTS, st.data())
def test_another_scale_changes_the_objects_and_volumes_of_its_service_only(
    project: dict[str, Any], data: Any
) -> None:
    name = data.draw(st.sampled_from(sorted(project["services"])))
    service = {**project["services"][name], "scale": 7}
    after = rendered(text_of({**project, "services": {**project["services"], name: service}}))
    allowed = {name, ""} if "volumes" in service else {name}  # a disk of one Pod cannot be of several
    assert changed_services(rendered(text_of(project)), after) <= allowed


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(PROJECTS)
def test_lines_that_move_change_no_object_and_no_file(project: dict[str, Any]) -> None:
    text = text_of(project)
    before, after = rendered(text), rendered("# a comment\n\n" + text)
    assert before.objects == after.objects
    one, other = (layout(result.objects, result.origins) for result in (before, after))
    assert one.keys() == other.keys()
    assert all(same_but_for_lines(one[name], other[name]) for name in one)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(PROJECTS, st.data())
def test_a_new_variable_is_a_handful_of_lines(project: dict[str, Any], data: Any) -> None:
    name = data.draw(st.sampled_from(sorted(project["services"])))
    service = project["services"][name]
    environment = {**service.get("environment", {}), "NEW": "1"}
    services = {**project["services"], name: {**service, "environment": environment}}
    before, after = (
        "".join(layout(rendered(text_of(each)).objects).values()).splitlines()
        for each in (project, {**project, "services": services})
    )
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
    assert 1 < len([line for line in lines if line[0] in "+-"]) <= 8
