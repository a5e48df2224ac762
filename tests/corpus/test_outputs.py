"""What Kustomize and Helm make of our directories is what we rendered."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from leeward.compose.load import LoadOptions, load_project
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, RenderResult, render
from leeward.render.writers.directory import write_directory
from leeward.render.writers.helm import helm
from leeward.render.writers.kustomize import kustomize

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "data" / "compose-corpus"
PROJECTS = [ROOT / "examples" / "storefront" / "compose.yaml", *sorted(CORPUS.rglob("*compose*.y*ml"))[::4]]
ENVIRONMENTS = ("production", "local", "qa")
HELM = shutil.which("helm") or shutil.which("helm", path=str(Path(sys.executable).parent))

each_project = pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)


def rendered(path: Path, environment: str) -> RenderResult:
    project = load_project(LoadOptions(working_dir=path.parent, files=[path.name])).project
    return render(project, RenderOptions(environment=environment))


def by_name(objects: list[Obj]) -> dict[tuple[str, str], Obj]:
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in objects}


def output_of(*command: str) -> dict[tuple[str, str], Obj]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return by_name([document for document in yaml.safe_load_all(done.stdout) if document])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@each_project
def test_every_overlay_gives_the_objects_of_its_environment(path: Path, tmp_path: Path) -> None:
    results = {name: rendered(path, name) for name in ENVIRONMENTS}
    files = kustomize(
        {name: result.objects for name, result in results.items()}, results["production"].origins
    )
    write_directory(files, tmp_path)
    for name, result in results.items():
        assert output_of("kubectl", "kustomize", str(tmp_path / "overlays" / name)) == by_name(result.objects)


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
@each_project
def test_a_chart_with_the_values_of_an_environment_gives_what_was_rendered(
    path: Path, tmp_path: Path
) -> None:
    results = {name: rendered(path, name) for name in ENVIRONMENTS}
    objects = {name: result.objects for name, result in results.items()}
    write_directory(helm("shop", objects, results["production"].origins), tmp_path)
    for name, result in results.items():
        expected = by_name(result.objects)
        namespace = next(name for kind, name in expected if kind == "Namespace")
        del expected["Namespace", namespace]
        chart = [HELM or "", "template", "shop", str(tmp_path), "-n", namespace]
        assert output_of(*chart, "-f", str(tmp_path / f"values-{name}.yaml")) == expected
        if name == ENVIRONMENTS[0]:
            assert output_of(*chart) == expected


HOSTILE = """
services:
  web:
    image: "registry.example.com:5000/web:1@sha256:12"
    ports: ["80:80"]
    environment: {A: "{{ .Values.x }}", B-C: "%(name)s", LINES: "a\\n\\n", EMPTY: "", Q: "a\\"b'c\\\\d $${E}"}
    configs: [text, blank, mark]
    volumes: ["data:/data"]
    deploy: {replicas: %(replicas)s}
    %(web)s
  %(name)s-only: {image: x, command: ["{{ end }}", "}}"], extra_hosts: ["a:1.2.3.4"]}
configs:
  text: {content: "{{ if }} %(name)s\\n\\n\\n"}
  blank: {content: "\\n\\n"}
  mark: {content: "LEEWARD-OPEN-0-: 0\\nLEEWARD-VALUE-1-\\n# from x:1\\n---\\nkind: Secret\\n"}
volumes: {data: {x-leeward: {%(volume)s}}}
"""
VARIANTS: dict[str, dict[str, object]] = {
    "qa": {"replicas": 1, "web": "x-leeward: {hosts: [qa.example.com]}", "volume": ""},
    "uat": {
        "replicas": 2,
        "web": "x-leeward: {hosts: [a.example.com, b.example.com], tls: {secret: t}, ingressClass: nginx}",
        "volume": "size: 5Gi, class: gp3",
    },
    "production": {"replicas": 3, "web": "x-leeward: {autoscale: {min: 2, cpu: 50}}", "volume": "size: 9Gi"},
}


def hostile(directory: Path) -> dict[str, RenderResult]:
    """Return renderings of a project whose text looks like templates and whose environments differ a lot."""
    results = {}
    for name, variant in VARIANTS.items():
        (directory / f"{name}.yaml").write_text(HOSTILE % {"name": name, **variant}, encoding="utf-8")
        options = LoadOptions(working_dir=directory, files=[f"{name}.yaml"], project_name="shop")
        results[name] = render(load_project(options).project, RenderOptions(environment=name))
    return results


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_text_that_looks_like_templates_and_environments_that_differ_a_lot_are_kept(tmp_path: Path) -> None:
    results = hostile(tmp_path)
    objects = {name: result.objects for name, result in results.items()}
    write_directory(helm("shop", objects), tmp_path / "chart")
    write_directory(kustomize(objects), tmp_path / "deploy")
    for name in results:
        expected = by_name(objects[name])
        overlay = str(tmp_path / "deploy" / "overlays" / name)
        assert output_of("kubectl", "kustomize", overlay) == expected
        namespace = next(name for kind, name in expected if kind == "Namespace")
        del expected["Namespace", namespace]
        chart = [HELM or "", "template", "shop", str(tmp_path / "chart"), "-n", namespace]
        assert output_of(*chart, "-f", str(tmp_path / "chart" / f"values-{name}.yaml")) == expected


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
def test_values_change_a_release_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    result = rendered(PROJECTS[0], "production")
    write_directory(helm("shop", {"production": result.objects}, result.origins), tmp_path)
    chart = [HELM or "", "template", "shop", str(tmp_path)]
    settings = [
        "services.web.image.digest=sha256:0",
        "services.web.image.tag=9",
        "services.web.replicas=9",
        "services.web.extraEnv[0].name=MORE",
    ]
    changed = output_of(*chart, *(f"--set{'-string' * ('tag' in each)}={each}" for each in settings))
    spec = changed["Deployment", "web"]["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert spec["replicas"] == 9
    assert container["image"].endswith(":9@sha256:0")
    assert {"name": "MORE"} in container["env"]
    for wrong in ("services.web.replicas=many", "services.web.replcas=3", "services.wbe.replicas=3"):
        refused = subprocess.run([*chart, "--set", wrong], capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert wrong.split("=")[0].rsplit(".", 1)[-1] in refused.stderr or "wbe" in refused.stderr
    linted = subprocess.run([HELM or "", "lint", str(tmp_path)], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
