"""Real projects render to objects that Kubernetes takes, in the same bytes every time."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import kubernetes_validate
import pytest

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.compose.load import LoadOptions, load_project
from leeward.render.podlevel import LABEL, levels_of
from leeward.render.render import RenderOptions, RenderResult, render
from leeward.render.waivers import apply_waivers
from leeward.render.writers.yaml import to_text
from leeward.settings.waivers import read_waivers
from tests.production import broken_rules

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "data" / "compose-corpus"
CORPUS_FILES = sorted(CORPUS.rglob("*compose*.y*ml"))
ENVIRONMENTS = ("local", "production")
NEEDS_THE_HOST = {  # project → path of a key → code of the error: they are refused, nothing else is
    "wireguard": {
        "services.wireguard.cap_add[0]": "host-access",
        "services.wireguard.cap_add[1]": "host-access",
        "services.wireguard.volumes[0]": "system-directory",
        "services.wireguard.volumes[1]": "system-directory",
        "services.wireguard.volumes[2]": "system-directory",
        "services.wireguard.sysctls.net.ipv4.conf.all.src_valid_mark": "host-access",
    },
    "pihole-cloudflared-DoH": {
        "services.pihole.cap_add[0]": "host-access",
        "services.pihole.volumes[0]": "system-directory",
        "services.pihole.volumes[1]": "system-directory",
    },
    "plex": {
        "services.plex.network_mode": "host-access",
        "services.plex.volumes[0]": "host-directory",
    },
    "portainer": {"services.portainer.volumes[0]": "engine-socket"},
    "traefik-golang": {"services.frontend.volumes[0]": "engine-socket"},
}

pytestmark = pytest.mark.skipif(
    not CORPUS_FILES, reason="the corpus of real Compose projects is not on this machine"
)
each_project = pytest.mark.parametrize("path", CORPUS_FILES, ids=lambda path: path.parent.name)
each_environment = pytest.mark.parametrize("environment", ENVIRONMENTS)


def rendered(path: Path, environment: str) -> tuple[tuple[Diagnostic, ...], RenderResult]:
    loaded = load_project(LoadOptions(working_dir=path.parent, files=[path.name]))
    return loaded.diagnostics, render(loaded.project, RenderOptions(environment=environment))


@each_project
@each_environment
def test_every_object_of_a_real_project_is_valid_for_the_newest_kubernetes(
    path: Path, environment: str
) -> None:
    for obj in rendered(path, environment)[1].objects:
        kubernetes_validate.validate(obj, kubernetes_validate.latest_version(), strict=True)


@each_project
@each_environment
def test_rendering_twice_gives_the_same_bytes(path: Path, environment: str) -> None:
    once, again = (to_text(rendered(path, environment)[1].objects) for _ in range(2))
    assert once == again


@each_project
def test_a_project_is_refused_only_where_it_needs_the_host_and_every_key_says_why(path: Path) -> None:
    loading, result = rendered(path, "production")
    errors = [found for found in (*loading, *result.diagnostics) if found.severity is Severity.ERROR]
    assert {found.path: found.code for found in errors} == NEEDS_THE_HOST.get(path.parent.name, {})
    assert all(found.message and found.remedy and found.location for found in errors)


@pytest.mark.parametrize("name", NEEDS_THE_HOST)
def test_access_to_the_host_is_waived_key_by_key(name: str) -> None:
    (path,) = [path for path in CORPUS_FILES if path.parent.name == name]
    lines = "".join(
        f"- {{path: '{key}', code: {code}, owner: ops, until: 2027-01-01, reason: it manages the host}}\n"
        for key, code in NEEDS_THE_HOST[name].items()
    )
    waivers, problems = read_waivers(lines, "leeward.waivers.yaml")
    waived = apply_waivers(rendered(path, "production")[1].diagnostics, waivers, date(2026, 12, 1))
    assert problems == ()
    assert len(waived.accepted) == len(waivers)
    assert waived.unused == waived.expired == ()
    assert [found for found in waived.open if found.severity is Severity.ERROR] == []


@each_project
def test_the_namespace_admits_every_pod_and_who_is_not_restricted_is_told(path: Path) -> None:
    result = rendered(path, "production")[1]
    levels = levels_of(result.objects)
    namespace = next(obj for obj in result.objects if obj["kind"] == "Namespace")
    order = ("restricted", "baseline", "privileged")
    assert namespace["metadata"]["labels"][f"{LABEL}enforce"] == max(
        (level for level, _ in levels.values()), key=order.index, default="restricted"
    )
    told = {found.path for found in result.diagnostics if found.code == "pod-security"}
    assert len(told) == sum(level != "restricted" for level, _ in levels.values())


@each_project
def test_a_real_project_has_every_default_of_production(path: Path) -> None:
    project = load_project(LoadOptions(working_dir=path.parent, files=[path.name])).project
    assert broken_rules(render(project, RenderOptions(environment="production")).objects, project) == {}


def test_the_list_of_pods_that_are_not_restricted_is_up_to_date() -> None:
    script = ROOT / "scripts" / "generate_pod_security.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, f"run python {script.relative_to(ROOT)}"
