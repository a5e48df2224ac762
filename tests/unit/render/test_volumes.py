from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward.render.renderers.memory import parse_options

Render = Callable[..., Any]
NFS = """
    services: {a: {image: x, volumes: ['media:/media']}}
    volumes:
      media: {driver_opts: {type: nfs4, o: 'addr=10.0.0.9,soft,rw', device: ':/export/media'}}
    """


def _project(volume: str, *services: str) -> str:
    each = ", ".join(f"{name}: {{image: x, volumes: ['vol:/data']}}" for name in services)
    return f"{{services: {{{each}}}, volumes: {{vol: {volume}}}}}"


def test_a_volume_of_one_writer_is_a_claim_template_mounted_below_the_root_of_its_disk(
    render_text: Render,
) -> None:
    result = render_text(_project("{}", "db"), environment="production")
    stateful_set = result.find("StatefulSet", "db")
    assert [each["metadata"]["name"] for each in stateful_set["spec"]["volumeClaimTemplates"]] == ["vol"]
    assert result.container("StatefulSet", "db")["volumeMounts"][0]["subPath"] == "data"
    assert "PersistentVolumeClaim" not in {obj["kind"] for obj in result.objects}


def test_a_volume_of_two_services_is_one_claim_for_many_writers_and_disks_are_told_of(
    render_text: Render,
) -> None:
    result = render_text(_project("{}", "a", "b"), environment="production")
    claim = result.find("PersistentVolumeClaim", "vol")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "shared-volume" in result.codes()
    for name in ("a", "b"):
        (volume,) = result.pod("Deployment", name)["volumes"]
        assert volume["persistentVolumeClaim"] == {"claimName": "vol"}


def test_class_and_access_of_a_volume_are_its_claims(render_text: Render) -> None:
    settings = "{x-leeward: {class: efs, access: ReadWriteOncePod, size: 5Gi}}"
    claim = render_text(_project(settings, "a", "b"), environment="production").find(
        "PersistentVolumeClaim", "vol"
    )
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": "5Gi"}},
        "storageClassName": "efs",
    }


@pytest.mark.parametrize("volume", ["{external: true, name: there}", "{x-leeward: {claim: there}}"])
def test_a_claim_that_is_there_is_mounted_as_it_is_and_never_made(volume: str, render_text: Render) -> None:
    result = render_text(_project(volume, "a"), environment="production")
    made = [obj for obj in result.objects if obj["kind"] in ("Deployment", "StatefulSet")]
    spec = made[0]["spec"]["template"]["spec"]
    assert spec["volumes"][0]["persistentVolumeClaim"] == {"claimName": "there"}
    assert "subPath" not in spec["containers"][0]["volumeMounts"][0]
    assert "volumeClaimTemplates" not in made[0]["spec"]
    assert not result.names("PersistentVolumeClaim")


def test_an_nfs_export_is_a_volume_bound_to_its_claim(render_text: Render) -> None:
    result = render_text(NFS, environment="production", namespace="shop")
    disk = result.find("PersistentVolume", "shop-media")
    assert "namespace" not in disk["metadata"]
    assert disk["spec"]["nfs"] == {"server": "10.0.0.9", "path": "/export/media", "readOnly": False}
    assert disk["spec"]["mountOptions"] == ["soft", "nfsvers=4"]
    claim = result.find("PersistentVolumeClaim", "media")["spec"]
    assert (claim["volumeName"], claim["storageClassName"]) == ("shop-media", "")


def test_the_embedded_cluster_gets_a_directory_of_its_own_for_an_nfs_export(render_text: Render) -> None:
    result = render_text(NFS)
    assert not result.names("PersistentVolume")
    assert result.names("PersistentVolumeClaim") == ["media"]
    assert "nfs-volume" in result.codes()


def test_who_is_kept_in_a_zone_is_said_once_a_volume(render_text: Render) -> None:
    text = "{services: {db: {image: x, volumes: ['vol:/data', 'v:/log']}}, volumes: {vol: {}}}"
    pinned = [found.path for found in render_text(text).diagnostics if found.code == "pinned-to-a-zone"]
    assert pinned == ["volumes.vol"]


def test_nocopy_says_that_an_empty_volume_is_meant(render_text: Render) -> None:
    mount = "{type: volume, source: v, target: /data, volume: {nocopy: true, subpath: logs}}"
    text = f"{{services: {{db: {{image: x, volumes: [{mount}]}}}}, volumes: {{v: {{}}}}}}"
    result = render_text(text, environment="production")
    assert "starts-empty" not in result.codes()
    assert result.container("StatefulSet", "db")["volumeMounts"][0]["subPath"] == "data/logs"


@pytest.mark.parametrize("kind", ["npipe", "cluster"])
def test_mounts_that_only_other_platforms_have_are_refused(kind: str, render_text: Render) -> None:
    mount = f"{{type: {kind}, source: there, target: /x}}"
    assert "mount-refused" in render_text(f"services: {{a: {{image: x, volumes: [{mount}]}}}}").codes()


def test_an_image_volume_is_empty_where_images_cannot_be_mounted(render_text: Render) -> None:
    text = "services: {a: {image: x, volumes: [{type: image, source: 'models:1', target: /m}]}}"
    (real,) = render_text(text, environment="production").pod("Deployment", "a")["volumes"]
    assert real["image"]["reference"] == "models:1"
    (stand_in,) = render_text(text).pod("Deployment", "a")["volumes"]
    assert stand_in["emptyDir"] == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (None, False, [])),
        ("size=64m,mode=1777", (64 * 2**20, False, [])),
        ("ro,noexec,uid=1000", (None, True, ["noexec", "uid=1000"])),
        ("size=10%,mode=700", (None, False, ["size=10%", "mode=700"])),
    ],
)
def test_tmpfs_options_are_kept_or_told(text: str, expected: tuple[int | None, bool, list[str]]) -> None:
    assert parse_options(text) == expected


def test_memory_directories_are_volumes_in_memory(render_text: Render) -> None:
    text = "services: {a: {image: x, tmpfs: ['/run:size=1m,gid=5'], shm_size: 64m}}"
    result = render_text(text)
    volumes = {each["name"]: each["emptyDir"] for each in result.pod("Deployment", "a")["volumes"]}
    assert volumes == {
        "tmp-0": {"medium": "Memory", "sizeLimit": "1Mi"},
        "shm": {"medium": "Memory", "sizeLimit": "64Mi"},
    }
    assert "approximated" in result.codes()
