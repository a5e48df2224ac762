"""Kustomize, Helm and diffs, as far as no other program is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leeward.kube.patch.json_patch import apply_json_patch
from leeward.render.writers.difference import differences
from leeward.render.writers.kustomize import difference, kustomize

Render = Callable[..., Any]
TEXT = """
    services:
      web: {image: "x:1", ports: ["80:80"], environment: {A: "{{ .Values }}", B-C: "1"}, volumes: ["data:/d"]}
    volumes: {data: }
"""
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("ab/~.", max_size=3), VALUES, max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OBJECTS, OBJECTS)
def test_the_steps_between_two_objects_lead_from_one_to_the_other(one: Any, other: Any) -> None:
    assert apply_json_patch(one, list(difference(one, other))) == other


def test_an_overlay_says_only_what_its_environment_has_otherwise(render_text: Render) -> None:
    one, other = (render_text(TEXT, environment=name).objects for name in ("qa", "uat"))
    files = kustomize({"qa": one, "uat": other})
    qa, uat = (yaml.safe_load(files[f"overlays/{name}/kustomization.yaml"]) for name in ("qa", "uat"))
    assert (qa["namespace"], uat["namespace"]) == ("shop-qa", "shop-uat")
    assert qa["resources"] == uat["resources"] == ["../../base", "00-namespace.yaml"]
    assert "patches" not in qa
    assert "patches" not in uat
    assert "namespace: shop" not in files["base/web.yaml"]


def test_what_only_some_environments_have_is_in_their_overlays(render_text: Render) -> None:
    one = render_text(TEXT, environment="qa").objects
    other = render_text(TEXT.replace("web:", "web2:"), environment="uat").objects
    files = kustomize({"qa": one, "uat": other})
    assert "overlays/qa/web.yaml" in files
    assert "overlays/uat/web2.yaml" in files
    assert "base/web.yaml" not in files


def test_two_patches_never_share_a_file(render_text: Render) -> None:
    names = [f"c{number}" for number in range(3)] + ["c1-configmap"]
    one, other = (
        [
            {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": {"a": value}}
            for kind in ("Namespace", "ConfigMap")
            for name in (names if kind == "ConfigMap" else ["n"])
        ]
        for value in ("1", "2")
    )
    files = kustomize({"qa": one, "uat": other})
    patches = yaml.safe_load(files["overlays/uat/kustomization.yaml"])["patches"]
    assert len({patch["path"] for patch in patches}) == len(names)
    assert all(f"overlays/uat/{patch['path']}" in files for patch in patches)


def test_a_diff_names_the_object_and_shows_no_secret(render_text: Render) -> None:
    text = "services: {a: {image: x, environment: {PASSWORD: %s, K: %s}}}"
    one, other = (render_text(text % (word, word)).objects for word in ("first", "second"))
    lines = list(differences(one, other, names=("live", "rendered")))
    assert "--- live/shop/Deployment/a" in lines
    assert "+++ rendered/shop/Deployment/a" in lines
    assert "-          value: first" in lines
    assert "+          value: second" in lines
    assert not any("Zmlyc3Q" in line or "c2Vjb25k" in line for line in lines)


def test_a_changed_value_of_one_secret_is_told_but_not_shown() -> None:
    def secret(**data: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}

    lines = list(differences([secret(a="1", b="1")], [secret(a="2", b="1")], names=("one", "other")))
    assert [line for line in lines if line[:1] in "+-"][2:] == ["-  a: '*** (before)'", "+  a: '*** (after)'"]


def test_equal_objects_have_no_diff_whatever_the_order_of_their_keys(render_text: Render) -> None:
    objects = render_text(TEXT).objects
    turned = [dict(reversed(obj.items())) for obj in reversed(objects)]
    assert list(differences(objects, turned, names=("one", "other"))) == []
