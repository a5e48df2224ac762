from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.compose.project import Mount, Project, Service
from leeward.render.bindkinds import BindKind, classify
from leeward.render.files import DiskFiles, MemoryFiles

Render = Callable[..., Any]


def errors(result: Any) -> dict[str, str]:
    return {found.path: found.code for found in result.diagnostics if found.severity is Severity.ERROR}


def told(result: Any, code: str) -> list[Diagnostic]:
    return [found for found in result.diagnostics if found.code == code]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("/etc/pihole", "system-directory"),
        ("/lib/modules", "system-directory"),
        ("/usr/src", "system-directory"),
        ("/srv/shop", "host-directory"),
        ("/media/films", "host-directory"),
        ("/home/me/.aws", "host-directory"),
    ],
)
def test_directories_of_the_machine_are_refused(source: str, code: str, render_text: Render) -> None:
    result = render_text(f"services: {{a: {{image: x, volumes: ['{source}:/d']}}}}", files=MemoryFiles({}))
    assert errors(result) == {"services.a.volumes[0]": code}
    assert "volumes" not in result.pod("Deployment", "a")


@pytest.mark.parametrize(
    "mount", ["/srv/data:/d", "~/minecraft_data:/d", "/srv/x:/var/lib/db", "./new:/new", "./empty:/e"]
)
def test_data_is_a_volume_of_its_own_and_the_report_says_why(
    mount: str, render_text: Render, tmp_path: Path
) -> None:
    files = MemoryFiles({f"{tmp_path}/empty/.gitkeep": b""})
    result = render_text(f"services: {{a: {{image: x, volumes: ['{mount}']}}}}", files=files)
    (claim,) = result.find("StatefulSet", "a")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"].startswith(("bind-", "host-"))
    (note,) = told(result, "data-directory")
    assert (note.path, note.severity) == ("services.a.volumes[0]", Severity.NOTE)


def test_what_is_in_a_directory_of_data_is_not_copied_and_that_is_a_warning(
    render_text: Render, tmp_path: Path
) -> None:
    files = MemoryFiles({f"{tmp_path}/big/{part}": b"x" * 600_000 for part in "ab"})
    result = render_text("services: {a: {image: x, volumes: ['./big:/big']}}", files=files)
    (warning,) = told(result, "data-directory")
    assert warning.severity is Severity.WARNING
    assert "is not copied: it is too large for configuration" in warning.message


def test_services_that_bind_one_directory_share_one_claim(render_text: Render) -> None:
    text = "services: {a: {image: x, volumes: ['./data:/d']}, b: {image: x, volumes: ['./data/:/e']}}"
    result = render_text(text, files=MemoryFiles({}))
    assert result.names("PersistentVolumeClaim") == ["bind-data"]


def test_names_of_volumes_say_nothing_of_the_machine_and_tell_directories_apart(render_text: Render) -> None:
    text = """
        services:
          a: {image: x, volumes: ['/home/me/shop/data:/a', '/home/me/other/data:/b']}
          b: {image: x, volumes: ['./data/dir:/c', './data-dir:/d']}
    """
    result = render_text(text, files=MemoryFiles({}))
    names = [
        claim["metadata"]["name"]
        for service in "ab"
        for claim in result.find("StatefulSet", service)["spec"]["volumeClaimTemplates"]
    ]
    assert names[:3] == ["host-data", "host-other-data", "bind-data-dir"]
    assert names[3].startswith("bind-")


@pytest.mark.parametrize("place", ["/home/me/shop", "/root/shop", "/shop"])
def test_only_a_directory_that_is_no_home_counts_as_the_project_s(place: str) -> None:
    project = Project(name="shop", working_dir=Path(place))
    beside = Mount(type="bind", source=f"{place}/../conf", target="/conf")
    files = MemoryFiles({f"{posixpath.dirname(place)}/conf/a".replace("//", "/"): b"x"})
    service = Service(name="a")
    assert classify(project, service, beside, files).kind is BindKind.OUTSIDE
    deeper = replace(project, working_dir=Path(place, "deploy"))
    inside = Mount(type="bind", source=f"{place}/conf", target="/conf")
    assert classify(deeper, service, inside, MemoryFiles({f"{place}/conf/a": b"x"})).kind is (
        BindKind.CONFIG_DIRECTORY
    )


@pytest.mark.parametrize("source", ["link.txt", "../../secret.txt"])
def test_a_file_outside_of_the_project_is_refused_unless_it_is_said_to_be_configuration(
    source: str, tmp_path: Path
) -> None:
    root = tmp_path / "work" / "shop"
    root.mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("x")
    (root / "link.txt").symlink_to("../../secret.txt")
    project, mount = (
        Project(name="shop", working_dir=root),
        Mount(type="bind", target="/d", source=str(root / source)),
    )
    assert classify(project, Service(name="a"), mount, DiskFiles()).kind is BindKind.OUTSIDE
    said = Service(name="a", extensions={"x-leeward": {"binds": {"/d": "config"}}})
    assert classify(project, said, mount, DiskFiles()).kind is BindKind.CONFIG_FILE


def test_a_link_to_a_directory_of_the_machine_is_that_directory(render_text: Render, tmp_path: Path) -> None:
    (tmp_path / "conf").symlink_to("/etc")
    result = render_text("services: {a: {image: x, volumes: ['./conf:/d']}}", files=DiskFiles())
    assert errors(result) == {"services.a.volumes[0]": "system-directory"}


def test_a_directory_with_a_link_that_leads_out_of_it_is_not_copied(
    render_text: Render, tmp_path: Path
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "inside").write_text("x")
    (tmp_path / "conf" / "link").symlink_to("inside")
    assert DiskFiles().tree(str(tmp_path / "conf"), 100) == {"inside": b"x", "link": b"x"}
    (tmp_path / "conf" / "passwd").symlink_to("/etc/passwd")
    result = render_text("services: {a: {image: x, volumes: ['./conf:/d']}}", files=DiskFiles())
    assert result.names("ConfigMap") == []
    assert "links that lead out" in told(result, "data-directory")[0].message


def test_a_missing_file_is_a_warning_unless_the_file_says_that_it_must_be_there(render_text: Render) -> None:
    text = """
        services:
          a:
            image: x
            volumes:
              - ./a.conf:/a.conf
              - {type: bind, source: ./b.conf, target: /b.conf, bind: {create_host_path: false}}
    """
    result = render_text(text, files=MemoryFiles({}))
    assert [found.severity for found in told(result, "missing-file")] == [Severity.ERROR, Severity.WARNING]
    assert "volumes" not in result.pod("Deployment", "a")


def test_a_large_directory_that_is_only_read_is_an_error(render_text: Render, tmp_path: Path) -> None:
    files = MemoryFiles({f"{tmp_path}/big/{part}": b"x" * 600_000 for part in "ab"})
    result = render_text("services: {a: {image: x, volumes: ['./big:/big:ro']}}", files=files)
    assert errors(result) == {"services.a.volumes[0]": "unreadable-file"}


class TestBindsThatTheFileDecides:
    TEXT = "services: {a: {image: x, volumes: ['%s:/d'], x-leeward: {binds: {/d: %s}}}}"

    def test_data_has_a_size_a_class_and_a_reason(self, render_text: Render) -> None:
        said = "{kind: data, size: 20Gi, class: gp3, reason: uploads of customers}"
        result = render_text(self.TEXT % ("/srv/d", said), files=MemoryFiles({}))
        (claim,) = result.find("StatefulSet", "a")["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["resources"]["requests"] == {"storage": "20Gi"}
        assert claim["spec"]["storageClassName"] == "gp3"
        (note,) = told(result, "data-directory")
        assert note.message == "/d is a volume of 20Gi that starts empty: uploads of customers."

    def test_a_word_is_enough(self, render_text: Render) -> None:
        result = render_text(self.TEXT % ("/srv/d", "data"), files=MemoryFiles({}))
        (mount,) = result.container("StatefulSet", "a")["volumeMounts"]
        assert (mount["name"], mount["mountPath"]) == ("host-d", "/d")
        assert errors(result) == {}

    def test_a_directory_of_a_node_needs_a_waiver(self, render_text: Render) -> None:
        result = render_text(self.TEXT % ("/var/run/docker.sock", "host"), files=MemoryFiles({}))
        (volume,) = result.pod("Deployment", "a")["volumes"]
        assert volume["hostPath"] == {"path": "/var/run/docker.sock"}
        assert errors(result) == {"services.a.volumes[0]": "host-access"}

    @pytest.mark.parametrize(("kind", "code"), [("ignore", "ignored"), ("source", "source-mount")])
    def test_what_is_left_out_is_told(self, kind: str, code: str, render_text: Render) -> None:
        said = f"{{kind: {kind}, reason: nobody reads it}}"
        result = render_text(self.TEXT % ("/srv/d", said), files=MemoryFiles({}))
        assert "volumes" not in result.pod("Deployment", "a")
        (note,) = told(result, code)
        assert note.message == "/d is left out: nobody reads it."

    def test_configuration_from_elsewhere_is_copied(self, render_text: Render) -> None:
        files = MemoryFiles({"/srv/d/app.ini": b"x"})
        result = render_text(self.TEXT % ("/srv/d", "config"), files=files)
        assert len(result.names("ConfigMap")) == 1

    def test_only_data_has_a_size(self, render_text: Render) -> None:
        result = render_text(self.TEXT % ("/srv/d", "{kind: ignore, size: 1Gi}"), files=MemoryFiles({}))
        assert errors(result) == {"services.a.x-leeward.binds./d": "bad-setting"}

    def test_a_target_that_nothing_is_mounted_at_is_an_error(self, render_text: Render) -> None:
        text = "services: {a: {image: x, volumes: ['./d:/data'], x-leeward: {binds: {/dta: ignore}}}}"
        result = render_text(text, files=MemoryFiles({}))
        assert errors(result) == {"services.a.x-leeward.binds./dta": "unknown-target"}
        assert any("/data" in found.remedy for found in result.diagnostics)
