from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from leeward.compose.project import Project
from leeward.render.render import RenderOptions, namespace_of, render
from leeward.render.writers.yaml import to_text

Render = Callable[..., Any]

TWO = """
services:
  b: {image: x, ports: ["80:80"], volumes: ["data:/d"], depends_on: [a]}
  a: {image: x, environment: {K: v}}
volumes: {data: }
"""


def test_the_order_of_services_in_the_project_does_not_matter(make_project: Callable[[str], Project]) -> None:
    project = make_project(TWO)
    turned = replace(project, services=dict(reversed(list(project.services.items()))))
    assert to_text(render(turned).objects) == to_text(render(project).objects)


def test_the_namespace_comes_first_and_everything_is_in_it(render_text: Render) -> None:
    first, *rest = render_text(TWO, namespace="elsewhere").objects
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", "elsewhere")
    assert {obj["metadata"]["namespace"] for obj in rest} == {"elsewhere"}


def test_each_environment_has_its_own_namespace(make_project: Callable[[str], Project]) -> None:
    project = make_project(TWO)
    names = [namespace_of(project, RenderOptions(environment=name)) for name in ("local", "qa")]
    assert names == ["shop", "shop-qa"]


def test_every_object_names_its_line(render_text: Render) -> None:
    result = render_text(TWO)
    assert all("leeward.dev/origin" in obj["metadata"]["annotations"] for obj in result.objects)
    assert result.find("Deployment", "a")["metadata"]["annotations"]["leeward.dev/origin"].endswith(
        "compose.yaml services.a"
    )
    assert result.origins["Deployment", "a"].line == 4


def test_a_one_line_change_changes_little(render_text: Render) -> None:
    before = to_text(render_text(TWO).objects).splitlines()
    after = to_text(render_text(TWO.replace("K: v", "K: w")).objects).splitlines()
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        ("          value: v", "          value: w")
    ]


def test_two_objects_of_one_name_are_an_error(render_text: Render) -> None:
    result = render_text("""
        services:
          db: {image: x, volumes: ["data:/d"]}
          db-pods: {image: x}
        volumes: {data: }
    """)
    assert "name-collision" in result.codes()


def test_a_wrong_setting_is_an_error_that_lists_the_known_ones(render_text: Render) -> None:
    result = render_text("services: {a: {image: x, x-leeward: {replica: 3}}}")
    (found,) = result.diagnostics
    assert (found.code, found.severity.value) == ("unknown-setting", "error")
    assert "replicas" in found.remedy


@pytest.mark.parametrize("image", ["my image", "shop/web:", "Shop/Web", "web:a:b", "-web", "reg:5000/"])
def test_what_is_no_image_reference_is_an_error(image: str, render_text: Any) -> None:
    result = render_text(f"services: {{a: {{image: {image!r}}}}}")
    assert [found.path for found in result.diagnostics if found.code == "invalid-image"] == [
        "services.a.image"
    ]


@pytest.mark.parametrize(
    "image", ["web", "a.b/c_d/e--f:1.2", "localhost:5000/web@sha256:" + "0" * 64, "[::1]:5000/web:x"]
)
def test_image_references_are_no_error(image: str, render_text: Any) -> None:
    result = render_text(f"services: {{a: {{image: {image!r}}}}}")
    assert not [found for found in result.diagnostics if found.code == "invalid-image"]
