"""Makes the volumes of a Pod on this machine.

ConfigMaps, Secrets and downward API files are written into a directory of their own and switched over by
renaming a link (``..data``), so that a reader never sees half of a change.

Source: pkg/volume/util/atomic_writer.go; mount propagation is not handled.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from leeward.base.clock import PassiveClock
from leeward.cluster.interface.client import Client
from leeward.cluster.interface.runtime import Mount, RuntimeFailureError
from leeward.cluster.kubelet.environment import contents, expand, field_value, find_source, resource_value
from leeward.cluster.kubelet.ownership import give_to_group
from leeward.kube.objects import Obj
from leeward.kube.status import StatusError

_PROJECTED = ("configMap", "secret", "downwardAPI")
_WRITABLE = ("emptyDir", "persistentVolumeClaim")  # what belongs to nobody but Pods
Files = dict[str, tuple[bytes, int]]  # path below the volume → (content, mode)


class Volumes:
    """The volumes of one Pod.

    Args:
        client: reads ConfigMaps, Secrets, claims; asks for tokens.
        directory: of this Pod's volumes.
        facts: fields of the downward API that only the kubelet knows.
        clock: when tokens are renewed.
    """

    def __init__(
        self, client: Client, directory: Path, facts: Mapping[str, str], clock: PassiveClock
    ) -> None:
        self._reader = self._client = client
        self._clock = clock
        self._tokens: dict[tuple[str, str], tuple[bytes, float]] = {}  # and when to ask for the next one
        self._directory = directory
        self._facts = facts
        self._written: dict[str, Files] = {}
        self._turn = 0

    def prepare(self, pod: Obj) -> dict[str, Path]:
        """Make every volume; returns volume name → directory or file of this machine.

        Raises:
            RuntimeFailureError: something is not there yet; worth trying again.
        """
        places = {}
        for volume in pod["spec"].get("volumes") or ():
            place = places[volume["name"]] = self._prepare(pod, volume)
            group = _group(pod)
            if group is not None and not volume.keys().isdisjoint(_WRITABLE):
                give_to_group(place, group)
        return places

    def refresh(self, pod: Obj) -> None:
        """Write again what changed in ConfigMaps, Secrets and downward API files."""
        for volume in pod["spec"].get("volumes") or ():
            files = self._files(pod, volume)
            if files is not None and files != self._written.get(volume["name"]):
                self._write(volume["name"], files, _group(pod))

    def remove(self) -> None:
        """Remove everything that belongs to the Pod alone."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _prepare(self, pod: Obj, volume: Obj) -> Path:
        name = volume["name"]
        path: Path = self._directory / name
        if "persistentVolumeClaim" in volume:
            return self._claimed(pod, volume["persistentVolumeClaim"]["claimName"])
        if "hostPath" in volume:
            return _host_path(volume["hostPath"])
        files = self._files(pod, volume)
        if files is not None:
            if files != self._written.get(name):
                self._write(name, files, _group(pod))
            return path
        if "emptyDir" not in volume:
            kind = next((key for key in volume if key != "name"), "of no kind")
            raise RuntimeFailureError(
                f"volume {name}: {kind} volumes cannot be mounted here", reason="FailedMount"
            )
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
        return path

    def _claimed(self, pod: Obj, name: str) -> Path:
        claim = self._reader.find("persistentvolumeclaims", pod["metadata"]["namespace"], name)
        volume_name = (claim or {}).get("spec", {}).get("volumeName")
        volume = self._reader.find("persistentvolumes", "", volume_name) if volume_name else None
        if volume is None:
            what = "not found" if claim is None else "not bound"
            raise RuntimeFailureError(f'persistentvolumeclaim "{name}" {what}', reason="FailedMount")
        spec = volume["spec"]
        path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
        if not path:
            raise RuntimeFailureError(
                f"volume {volume_name} is of a type that cannot be mounted here", reason="FailedMount"
            )
        Path(path).mkdir(parents=True, exist_ok=True)
        return Path(path)

    def _files(self, pod: Obj, volume: Obj) -> Files | None:
        """Return the files of a volume made of objects; None for other volumes."""
        for kind in _PROJECTED:
            if kind in volume:
                return self._source_files(pod, kind, volume[kind], volume[kind].get("defaultMode", 0o644))
        if "projected" in volume:
            return self._projected_files(pod, volume["name"], volume["projected"])
        return None

    def _projected_files(self, pod: Obj, name: str, projected: Obj) -> Files:
        files, mode = Files(), projected.get("defaultMode", 0o644)
        for source in projected.get("sources") or ():
            if "serviceAccountToken" in source:
                token = source["serviceAccountToken"]
                files[token["path"]] = (self._token(pod, token), mode)
                continue
            if not source.keys() <= set(_PROJECTED):
                raise RuntimeFailureError(
                    f"volume {name}: {', '.join(source)} cannot be projected here", reason="FailedMount"
                )
            for kind in _PROJECTED:
                if kind in source:
                    files.update(self._source_files(pod, kind, source[kind], mode))
        return files

    def _token(self, pod: Obj, source: Obj) -> bytes:
        """Return a token for the Pod's account, the same one until four fifths of its time are over."""
        meta, now = pod["metadata"], self._clock.monotonic()
        key, seconds = (source["path"], source.get("audience") or ""), source.get("expirationSeconds") or 3600
        token, until = self._tokens.get(key, (b"", 0.0))
        if now < until:
            return token
        spec: Obj = {
            "expirationSeconds": seconds,
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]},
        }
        if source.get("audience"):
            spec["audiences"] = [source["audience"]]
        account = pod["spec"].get("serviceAccountName") or "default"
        try:
            made = self._client.request_token(meta["namespace"], account, {"spec": spec})
        except StatusError as error:
            raise RuntimeFailureError(
                f"no token for {account}: {error.message}", reason="FailedMount"
            ) from None
        token = str(made["status"]["token"]).encode()
        self._tokens[key] = (token, now + 0.8 * seconds)
        return token

    def _source_files(self, pod: Obj, kind: str, source: Obj, mode: int) -> Files:
        if kind == "downwardAPI":
            return {
                item["path"]: (self._downward(pod, item), item.get("mode", mode))
                for item in source.get("items") or ()
            }
        resource = "configmaps" if kind == "configMap" else "secrets"
        found = find_source(self._reader, resource, pod["metadata"]["namespace"], source)
        data = contents(found) if found else {}
        items = source.get("items")
        if not items:
            return {key: (value, mode) for key, value in data.items()}
        missing = [item["key"] for item in items if item["key"] not in data and not source.get("optional")]
        if missing:
            name = source.get("name") or source.get("secretName")
            raise RuntimeFailureError(
                f"references non-existent {kind} key: {missing[0]} of {name}", reason="FailedMount"
            )
        return {i["path"]: (data[i["key"]], i.get("mode", mode)) for i in items if i["key"] in data}

    def _downward(self, pod: Obj, item: Obj) -> bytes:
        if "fieldRef" in item:
            return field_value(pod, item["fieldRef"]["fieldPath"], self._facts).encode()
        reference = item["resourceFieldRef"]
        return resource_value(pod, {"name": reference.get("containerName")}, reference, self._facts).encode()

    def _write(self, name: str, files: Files, group: int | None) -> None:
        """Write files into a new directory and switch ``..data`` over to it."""
        root = self._directory / name
        root.mkdir(parents=True, exist_ok=True)
        self._turn += 1
        fresh = root / f"..{self._turn}"
        shutil.rmtree(fresh, ignore_errors=True)
        for relative, (content, mode) in files.items():
            path = _beneath(fresh, relative, "path")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(mode)
        fresh.mkdir(exist_ok=True)
        if group is not None:
            give_to_group(fresh, group, read_only=True)
        old = os.readlink(root / "..data") if (root / "..data").is_symlink() else None
        link = root / "..data_tmp"
        link.unlink(missing_ok=True)
        link.symlink_to(fresh.name)
        link.rename(root / "..data")
        _link_names(root, {relative.split("/")[0] for relative in files})
        if old and old != fresh.name:
            shutil.rmtree(root / old, ignore_errors=True)
        self._written[name] = files


def _group(pod: Obj) -> int | None:
    group: int | None = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return group


def _link_names(root: Path, names: set[str]) -> None:
    """Make the visible names links into ``..data``; remove those that are gone."""
    for entry in list(root.iterdir()):
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        if not os.path.lexists(root / name):
            (root / name).symlink_to(f"..data/{name}")


def _host_path(source: Obj) -> Path:
    path, kind = Path(source["path"]), source.get("type") or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    elif kind in ("Directory", "File") and not path.exists():
        raise RuntimeFailureError(f"hostPath type check failed: {path} does not exist", reason="FailedMount")
    return path


def _beneath(base: Path, relative: str, what: str) -> Path:
    """Return the real place of `relative` in `base`, whatever links are on the way.

    Raises:
        RuntimeFailureError: it is not below `base`.
    """
    place = Path(os.path.realpath(base / relative))
    if relative.startswith("/") or ".." in relative.split("/") or not place.is_relative_to(base.resolve()):
        raise RuntimeFailureError(
            f"{what} {relative} leads out of its volume", reason="CreateContainerConfigError"
        )
    return place


def make_mounts(container: Obj, volumes: Mapping[str, Path], variables: Mapping[str, str]) -> Iterable[Mount]:
    """Return what a container mounts where."""
    for mount in container.get("volumeMounts") or ():
        base = volumes[mount["name"]]
        below = mount.get("subPath") or expand(mount.get("subPathExpr") or "", variables)
        host = base
        if below:
            host = _beneath(base, below, "subPath")
            if not host.exists():  # as open as the volume, whose group it inherits
                host.mkdir(parents=True)
                host.chmod(stat.S_IMODE(base.stat().st_mode))
        yield Mount(host_path=host, container_path=mount["mountPath"], read_only=bool(mount.get("readOnly")))
