"""What a Pod's volumes hold, and how files change under a running container."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.client import Client
from leeward.cluster.interface.runtime import RuntimeFailureError
from leeward.cluster.kubelet.ownership import give_to_group
from leeward.cluster.kubelet.volumes import Volumes, make_mounts
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.registry.tokens import Tokens
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj


@pytest.fixture
def client() -> Client:
    made = Registry(
        MemoryStore(),
        clock=VirtualClock(),
        ids=SeededIds(1),
        options=AdmissionOptions(disabled=("ServiceAccount",)),
    ).client("system:admin")
    made.create("namespaces", {"metadata": {"name": "shop"}})
    return made


@pytest.fixture
def volumes(client: Client, tmp_path: Path) -> Volumes:
    return Volumes(client, tmp_path / "pod", {"status.podIP": "10.0.0.7"}, VirtualClock())


def _config_map(client: Client, name: str = "settings", **data: str) -> None:
    client.create("configmaps", {"metadata": {"name": name, "namespace": "shop"}, "data": data})


def _change(client: Client, name: str = "settings", **data: str) -> None:
    found = client.get("configmaps", "shop", name)
    client.update("configmaps", {**found, "data": data})


def _pod(*volumes: Obj, **labels: str) -> Obj:
    meta = {"name": "web", "namespace": "shop", "labels": labels}
    return {"metadata": meta, "spec": {"containers": [{"name": "c"}], "volumes": list(volumes)}}


def _files(path: Path) -> dict[str, str]:
    """Return what a program sees in a volume."""
    found = (each for each in path.rglob("*") if each.is_file())
    shown = {str(each.relative_to(path)): each.read_text() for each in found}
    return {name: text for name, text in shown.items() if not name.startswith("..")}


def _of_map(**source: Any) -> Obj:
    return {"name": "v", "configMap": {"name": "settings", **source}}


def test_every_key_of_a_config_map_is_a_file(client: Client, volumes: Volumes) -> None:
    _config_map(client, mode="fast", size="3")
    path = volumes.prepare(_pod(_of_map()))["v"]
    assert _files(path) == {"mode": "fast", "size": "3"}
    assert (path / "mode").stat().st_mode & 0o777 == 0o644


def test_secrets_and_binary_data_are_decoded(client: Client, volumes: Volumes) -> None:
    encoded = base64.b64encode(b"s3cret").decode()
    meta = {"name": "login", "namespace": "shop"}
    client.create("secrets", {"metadata": meta, "data": {"password": encoded}})
    client.create("configmaps", {"metadata": {**meta, "name": "settings"}, "binaryData": {"raw": encoded}})
    secret = {"name": "s", "secret": {"secretName": "login", "defaultMode": 0o400}}
    paths = volumes.prepare(_pod(secret, _of_map()))
    assert _files(paths["s"]) == {"password": "s3cret"}
    assert (paths["s"] / "password").stat().st_mode & 0o777 == 0o400
    assert _files(paths["v"]) == {"raw": "s3cret"}


def test_items_choose_keys_paths_and_modes(client: Client, volumes: Volumes) -> None:
    _config_map(client, a="1", b="2", c="3")
    items = [{"key": "a", "path": "conf/deep/a.txt", "mode": 0o600}, {"key": "b", "path": "b"}]
    path = volumes.prepare(_pod(_of_map(items=items, defaultMode=0o440)))["v"]
    assert _files(path / "conf") == {"deep/a.txt": "1"}
    assert (path / "b").read_text() == "2"
    assert not (path / "c").exists()
    assert (path / "conf/deep/a.txt").stat().st_mode & 0o777 == 0o600
    assert (path / "b").stat().st_mode & 0o777 == 0o440


def test_a_missing_source_is_an_error_unless_it_is_optional(client: Client, volumes: Volumes) -> None:
    with pytest.raises(RuntimeFailureError, match='configmap "settings" not found'):
        volumes.prepare(_pod(_of_map()))
    assert _files(volumes.prepare(_pod(_of_map(optional=True)))["v"]) == {}
    _config_map(client, a="1")
    items = [{"key": "none", "path": "x"}, {"key": "a", "path": "a"}]
    with pytest.raises(RuntimeFailureError, match="non-existent configMap key: none of settings"):
        volumes.prepare(_pod(_of_map(items=items)))
    assert _files(volumes.prepare(_pod(_of_map(items=items, optional=True)))["v"]) == {"a": "1"}


def test_a_change_appears_and_what_was_removed_disappears(client: Client, volumes: Volumes) -> None:
    _config_map(client, stays="1", goes="2")
    pod = _pod(_of_map())
    path = volumes.prepare(pod)["v"]
    _change(client, stays="3", comes="4")
    assert _files(path) == {"stays": "1", "goes": "2"}
    volumes.refresh(pod)
    assert _files(path) == {"stays": "3", "comes": "4"}


def test_a_change_is_seen_whole_or_not_at_all(client: Client, volumes: Volumes) -> None:
    _config_map(client, a="1", b="1")
    pod = _pod(_of_map())
    path = volumes.prepare(pod)["v"]
    opened = (path / "..data").resolve()
    assert (path / "a").resolve().parent == (path / "b").resolve().parent == opened
    _change(client, a="2", b="2")
    volumes.refresh(pod)
    assert (path / "..data").resolve() != opened
    assert not opened.exists()
    assert {entry.name for entry in path.iterdir()} == {"..data", (path / "..data").resolve().name, "a", "b"}


def test_nothing_is_written_when_nothing_changed(client: Client, volumes: Volumes) -> None:
    _config_map(client, a="1")
    pod = _pod(_of_map())
    path = volumes.prepare(pod)["v"]
    before = (path / "..data").resolve()
    volumes.refresh(pod)
    assert volumes.prepare(pod)["v"] == path
    assert (path / "..data").resolve() == before


def test_a_kubelet_that_was_restarted_writes_the_volume_anew(client: Client, tmp_path: Path) -> None:
    _config_map(client, a="1")
    pod = _pod(_of_map())
    Volumes(client, tmp_path, {}, VirtualClock()).prepare(pod)
    _change(client, b="2")
    path = Volumes(client, tmp_path, {}, VirtualClock()).prepare(pod)["v"]
    assert _files(path) == {"b": "2"}


def test_fields_of_the_pod_are_files_that_follow_its_labels(volumes: Volumes) -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "ip", "fieldRef": {"fieldPath": "status.podIP"}},
    ]
    volume = {"name": "v", "downwardAPI": {"items": items}}
    path = volumes.prepare(_pod(volume, app="web"))["v"]
    assert _files(path) == {"labels": 'app="web"', "ip": "10.0.0.7"}
    volumes.refresh(_pod(volume, app="shop"))
    assert (path / "labels").read_text() == 'app="shop"'


def test_a_projected_volume_puts_several_sources_together(client: Client, volumes: Volumes) -> None:
    _config_map(client, a="1", both="map")
    _config_map(client, "more", b="2", both="more")
    fields = {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}
    sources = [{"configMap": {"name": "settings"}}, {"configMap": {"name": "more"}}, {"downwardAPI": fields}]
    path = volumes.prepare(_pod({"name": "v", "projected": {"sources": sources, "defaultMode": 0o640}}))["v"]
    assert _files(path) == {"a": "1", "b": "2", "both": "more", "name": "web"}
    assert (path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/etc/outside"])
def test_a_file_may_not_leave_its_volume(client: Client, volumes: Volumes, tmp_path: Path, path: str) -> None:
    _config_map(client, a="1")
    with pytest.raises(RuntimeFailureError, match="leads out of its volume"):
        volumes.prepare(_pod(_of_map(items=[{"key": "a", "path": path}])))
    assert not list(tmp_path.rglob("outside"))


def test_a_token_is_kept_until_four_fifths_of_its_time_are_over(tmp_path: Path) -> None:
    clock, ids = VirtualClock(), SeededIds(2)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    tokens = Tokens(pem, clock=clock, ids=ids)
    client = Registry(MemoryStore(), clock=clock, ids=ids, tokens=tokens).client("system:admin")
    client.create("namespaces", {"metadata": {"name": "shop"}})
    client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "shop"}})
    _config_map(client, "kube-root-ca.crt", **{"ca.crt": "-----"})
    spec: Obj = {"containers": [{"name": "c", "image": "web:1"}]}
    pod = client.create("pods", {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
    volumes = Volumes(client, tmp_path / "pod", {}, clock)
    path = volumes.prepare(pod)[pod["spec"]["volumes"][0]["name"]] / "token"
    first = path.read_text()
    claims = tokens.read(first)
    assert claims is not None
    assert claims["kubernetes.io"]["pod"]["name"] == "web"

    clock.advance(0.8 * 3607 - 1)
    volumes.prepare(pod)
    assert path.read_text() == first
    clock.advance(2)
    volumes.prepare(pod)
    assert path.read_text() != first


def test_a_token_of_an_account_that_is_gone_is_said_so(client: Client, volumes: Volumes) -> None:
    pod = _pod({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}})
    pod["metadata"]["uid"] = "1"
    with pytest.raises(RuntimeFailureError, match='serviceaccounts "default" not found'):
        volumes.prepare(pod)


def test_an_empty_dir_is_for_everybody_and_keeps_its_files(volumes: Volumes) -> None:
    pod = _pod({"name": "v", "emptyDir": {}})
    path = volumes.prepare(pod)["v"]
    assert path.stat().st_mode & 0o777 == 0o777
    (path / "kept").write_text("x")
    assert _files(volumes.prepare(pod)["v"]) == {"kept": "x"}
    volumes.remove()
    assert not path.exists()


def test_a_kind_of_volume_that_is_unknown_here_is_said_so(volumes: Volumes) -> None:
    with pytest.raises(RuntimeFailureError, match="nfs volumes cannot be mounted here"):
        volumes.prepare(_pod({"name": "v", "nfs": {"server": "x", "path": "/"}}))


@pytest.mark.parametrize(
    ("kind", "exists", "fails"),
    [("", False, False), ("Directory", True, False), ("Directory", False, True), ("File", False, True)],
)
def test_a_host_path_is_checked(
    volumes: Volumes, tmp_path: Path, kind: str, exists: bool, fails: bool
) -> None:
    path = tmp_path / "there"
    if exists:
        path.mkdir()
    pod = _pod({"name": "v", "hostPath": {"path": str(path), "type": kind}})
    if fails:
        with pytest.raises(RuntimeFailureError, match="hostPath type check failed"):
            volumes.prepare(pod)
    else:
        assert volumes.prepare(pod)["v"] == path


def test_a_host_path_is_made_when_it_asks_for_it(volumes: Volumes, tmp_path: Path) -> None:
    directory, file = tmp_path / "a/b", tmp_path / "c/d"
    volumes.prepare(
        _pod(
            {"name": "v", "hostPath": {"path": str(directory), "type": "DirectoryOrCreate"}},
            {"name": "w", "hostPath": {"path": str(file), "type": "FileOrCreate"}},
        )
    )
    assert directory.is_dir()
    assert file.is_file()
    volumes.remove()
    assert directory.is_dir()


def test_a_claim_leads_to_the_directory_of_its_volume(
    client: Client, volumes: Volumes, tmp_path: Path
) -> None:
    pod = _pod({"name": "v", "persistentVolumeClaim": {"claimName": "data"}})
    with pytest.raises(RuntimeFailureError, match='persistentvolumeclaim "data" not found') as caught:
        volumes.prepare(pod)
    assert caught.value.reason == "FailedMount"
    meta = {"name": "data", "namespace": "shop"}
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = client.create("persistentvolumeclaims", {"metadata": meta, "spec": wanted})
    with pytest.raises(RuntimeFailureError, match='persistentvolumeclaim "data" not bound'):
        volumes.prepare(pod)
    place = tmp_path / "volumes" / "one"
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": str(place)},
    }
    client.create("persistentvolumes", {"metadata": {"name": "one"}, "spec": spec})
    client.update("persistentvolumeclaims", {**claim, "spec": {**claim["spec"], "volumeName": "one"}})
    assert volumes.prepare(pod)["v"] == place
    (place / "kept").write_text("x")
    volumes.remove()
    assert (place / "kept").exists()


def _mounted(base: Path, **mount: Any) -> tuple[str, str, bool]:
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data", **mount}]}
    (found,) = make_mounts(container, {"v": base}, {"NAME": "web", "UP": ".."})
    return str(found.host_path), found.container_path, found.read_only


def test_a_mount_shows_a_volume_or_a_part_of_it(tmp_path: Path) -> None:
    assert _mounted(tmp_path) == (str(tmp_path), "/data", False)
    assert _mounted(tmp_path, readOnly=True)[2]
    (tmp_path / "file").write_text("x")
    assert _mounted(tmp_path, subPath="file")[0] == str(tmp_path / "file")
    assert _mounted(tmp_path, subPath="made/for/it")[0] == str(tmp_path / "made/for/it")
    assert (tmp_path / "made/for/it").is_dir()
    assert _mounted(tmp_path, subPathExpr="$(NAME)/logs")[0] == str(tmp_path / "web/logs")


def test_a_part_whose_name_only_looks_like_the_way_out_is_fine(tmp_path: Path) -> None:
    assert _mounted(tmp_path, subPath="..data")[0] == str(tmp_path / "..data")


@pytest.mark.parametrize("part", [{"subPath": "../x"}, {"subPath": "/etc"}, {"subPathExpr": "a/$(UP)/../x"}])
def test_a_part_may_not_leave_its_volume(tmp_path: Path, part: Obj) -> None:
    with pytest.raises(RuntimeFailureError, match="leads out of its volume"):
        _mounted(tmp_path / "volume", **part)


def test_a_link_may_not_lead_a_part_out_of_its_volume(tmp_path: Path) -> None:
    base = tmp_path / "volume"
    base.mkdir()
    (base / "innocent").symlink_to(tmp_path)
    with pytest.raises(RuntimeFailureError, match="leads out of its volume"):
        _mounted(base, subPath="innocent")


def test_a_container_without_mounts_mounts_nothing(tmp_path: Path) -> None:
    assert list(make_mounts({}, {"v": tmp_path}, {})) == []


class TestVolumesOfAGroup:
    """The group is this process's own: any user may give files to it."""

    def _pod(self, volume: Obj) -> Obj:
        pod = _pod(volume)
        return {**pod, "spec": {**pod["spec"], "securityContext": {"fsGroup": os.getgid()}}}

    def test_files_of_a_secret_are_readable_and_no_more(self, client: Client, volumes: Volumes) -> None:
        _config_map(client, a="1")
        place = volumes.prepare(self._pod(_of_map(defaultMode=0o400)))["v"] / "a"
        assert (stat.S_IMODE(place.stat().st_mode), place.stat().st_gid) == (0o440, os.getgid())

    def test_a_claim_is_given_once(self, tmp_path: Path) -> None:
        root, file = tmp_path / "claim", tmp_path / "claim" / "below" / "file"
        file.parent.mkdir(parents=True)
        file.write_text("x")
        file.chmod(0o600)
        give_to_group(root, os.getgid())
        assert stat.S_IMODE(file.stat().st_mode) == 0o660
        assert [stat.S_IMODE(path.stat().st_mode) & 0o2070 for path in (root, file.parent)] == [0o2070] * 2
        file.chmod(0o600)  # as a database insists on
        give_to_group(root, os.getgid())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_a_directory_of_the_machine_stays_as_it_is(self, volumes: Volumes, tmp_path: Path) -> None:
        (tmp_path / "own").mkdir(mode=0o700)
        volumes.prepare(self._pod({"name": "v", "hostPath": {"path": str(tmp_path / "own")}}))
        assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o700
