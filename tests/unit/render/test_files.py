from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from leeward.base.diagnostics import Severity
from leeward.render.files import DiskFiles, FileKind, MemoryFiles

Render = Callable[..., Any]


@pytest.mark.parametrize(
    ("mount", "code"),
    [
        ("/var/run/docker.sock:/var/run/docker.sock", "engine-socket"),
        ("/proc:/host/proc", "system-directory"),
        ("/:/rootfs:ro", "system-directory"),
        ("/srv/elsewhere:/data", "data-directory"),
        ("/srv/elsewhere:/shop", "host-directory"),
        ("./nothing:/data", "data-directory"),
        ("./empty:/shop", "data-directory"),
        ("./nothing:/data:ro", "missing-file"),
        ("./nothing.conf:/etc/a", "missing-file"),
        ("./src:/app", "source-mount"),
        (".:/app", "source-mount"),
    ],
)
def test_a_bind_mount_is_classified_and_reported(
    mount: str, code: str, render_text: Render, tmp_path: Path
) -> None:
    files = MemoryFiles({f"{tmp_path}/src/main.py": b"x", "/srv/elsewhere/a": b"x"})
    result = render_text(f"services: {{a: {{build: ., volumes: ['{mount}']}}}}", files=files)
    assert code in result.codes()


def test_a_mounted_file_is_an_immutable_config_map_at_its_place(render_text: Render, tmp_path: Path) -> None:
    files = MemoryFiles({f"{tmp_path}/app.ini": b"[a]\n"})
    result = render_text("services: {a: {image: x, volumes: ['./app.ini:/etc/app.ini:ro']}}", files=files)
    (name,) = result.names("ConfigMap")
    config_map = result.find("ConfigMap", name)
    assert (config_map["data"], config_map["immutable"]) == ({"app.ini": "[a]\n"}, True)
    (mount,) = result.container("Deployment", "a")["volumeMounts"]
    assert (mount["mountPath"], mount["subPath"]) == ("/etc/app.ini", "app.ini")


def test_changed_content_changes_the_name_and_so_rolls_the_pods(render_text: Render, tmp_path: Path) -> None:
    text = "services: {a: {image: x, volumes: ['./app.ini:/etc/app.ini:ro']}}"
    names = [
        render_text(text, files=MemoryFiles({f"{tmp_path}/app.ini": content})).names("ConfigMap")
        for content in (b"1", b"1", b"2")
    ]
    assert names[0] == names[1] != names[2]


def test_a_nested_directory_keeps_its_paths_and_binary_files_are_encoded_once(
    render_text: Render, tmp_path: Path
) -> None:
    files = MemoryFiles({f"{tmp_path}/www/a/b.html": b"hi", f"{tmp_path}/www/x.png": b"\xff\x00"})
    result = render_text("services: {a: {image: x, volumes: ['./www:/www']}}", files=files)
    config_map = result.find("ConfigMap", result.names("ConfigMap")[0])
    assert base64.b64decode(config_map["binaryData"]["x.png"]) == b"\xff\x00"
    items = result.pod("Deployment", "a")["volumes"][0]["configMap"]["items"]
    assert [item["path"] for item in items] == ["a/b.html", "x.png"]


def test_a_file_too_large_for_a_config_map_is_an_error(render_text: Render, tmp_path: Path) -> None:
    files = MemoryFiles({f"{tmp_path}/big": b"x" * 1_000_001})
    result = render_text("services: {a: {image: x, volumes: ['./big:/big']}}", files=files)
    assert "unreadable-file" in result.codes()


SECRETS = """
services:
  a: {image: x, secrets: [one, {source: two, target: /etc/two, mode: 0400}]}
secrets: {one: {file: one.txt}, two: {file: two.txt}}
"""


def secret_files(tmp_path: Path) -> Mapping[str, bytes]:
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_bytes(name.encode())
    return {f"{tmp_path}/one.txt": b"one", f"{tmp_path}/two.txt": b"two"}


def test_secrets_are_files_at_their_targets(render_text: Render, tmp_path: Path) -> None:
    result = render_text(SECRETS, files=MemoryFiles(secret_files(tmp_path)))
    mounts = {mount["mountPath"]: mount for mount in result.container("Deployment", "a")["volumeMounts"]}
    assert set(mounts) == {"/run/secrets", "/etc/two"}
    assert mounts["/etc/two"]["subPath"] == "content"


def test_without_secret_values_names_stay_and_objects_go(render_text: Render, tmp_path: Path) -> None:
    files = MemoryFiles(secret_files(tmp_path))
    shown = render_text(SECRETS, files=files)
    hidden = render_text(SECRETS, files=files, include_secret_values=False)
    assert len(shown.names("Secret")) == 2
    assert hidden.names("Secret") == []
    assert hidden.find("Deployment", "a") == shown.find("Deployment", "a")


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("POSTGRES_PASSWORD", "pw", True),
        ("API_KEY", "k", True),
        ("DATABASE_URL", "postgres://u:p@db/x", True),
        ("DATABASE_URL", "postgres://db/x", False),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/pw", False),
        ("ALLOW_EMPTY_PASSWORD", "yes", False),
        ("KEYBOARD", "us", False),
        ("COMPASS", "north", False),
    ],
)
def test_variables_that_look_secret_are_not_in_the_pod_template(
    name: str, value: str, secret: bool, render_text: Render
) -> None:
    result = render_text(f"services: {{a: {{image: x, environment: {{{name}: '{value}'}}}}}}")
    (entry,) = result.container("Deployment", "a")["env"]
    assert ("valueFrom" in entry) is secret
    assert len(result.names("Secret")) == int(secret)


def test_the_disk_is_read_as_memory_is(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_bytes(b"123")
    (tmp_path / "d" / "a").write_bytes(b"4")
    disk = DiskFiles()
    memory = MemoryFiles({f"{tmp_path}/d/e/f": b"123", f"{tmp_path}/d/a": b"4"})
    for path in (f"{tmp_path}/d", f"{tmp_path}/d/a", f"{tmp_path}/none"):
        assert disk.kind(path) is memory.kind(path)
    for limit in (2, 3, 4):
        assert disk.tree(f"{tmp_path}/d", limit) == memory.tree(f"{tmp_path}/d", limit)
    assert disk.read(f"{tmp_path}/d/e/f", 2) is None
    assert disk.read(f"{tmp_path}/none", 2) is None
    assert disk.kind("/dev/null") is FileKind.OTHER


def test_a_secret_variable_with_an_odd_name_has_a_valid_key(render_text: Render) -> None:
    text = "services: {a: {image: x, environment: {'Connections:Db': 'amqp://u:p@q'}}}"
    result = render_text(text)
    (entry,) = result.container("Deployment", "a")["env"]
    assert entry["name"] == "Connections:Db"
    secret = result.find("Secret", result.names("Secret")[0])
    assert list(secret["data"]) == [entry["valueFrom"]["secretKeyRef"]["key"]]
    assert ":" not in entry["valueFrom"]["secretKeyRef"]["key"]


def test_what_is_mounted_at_two_places_is_one_object(render_text: Render, tmp_path: Path) -> None:
    files = MemoryFiles({f"{tmp_path}/ca.crt": b"c", f"{tmp_path}/certs/ca.crt": b"c"})
    mounts = "['./ca.crt:/a/ca.crt:ro', './ca.crt:/b/ca.crt:ro', './certs:/c:ro']"
    result = render_text(f"services: {{a: {{image: x, volumes: {mounts}}}}}", files=files)
    assert [found for found in result.diagnostics if found.severity is Severity.ERROR] == []
    (name,) = result.names("ConfigMap")
    pod = result.pod("Deployment", "a")
    assert [volume["configMap"]["name"] for volume in pod["volumes"]] == [name] * 3
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == [
        "/a/ca.crt", "/b/ca.crt", "/c",
    ]  # fmt: skip


def test_only_programs_can_be_executed(render_text: Render, tmp_path: Path) -> None:
    paths = {name: f"{tmp_path}/init/{name}" for name in ("run.sh", "schema.sql")}
    files = MemoryFiles(dict.fromkeys(paths.values(), b"1"), executable=[paths["run.sh"]])
    mounts = "['./init:/init:ro', './init/run.sh:/run.sh:ro']"
    result = render_text(f"services: {{a: {{image: x, volumes: {mounts}}}}}", files=files)
    directory, file = (volume["configMap"] for volume in result.pod("Deployment", "a")["volumes"])
    assert directory["defaultMode"] == 0o644
    assert [item.get("mode") for item in directory["items"]] == [0o755, None]
    assert [item.get("mode") for item in file["items"]] == [0o755]


def test_files_whose_paths_make_the_same_key_are_both_there(render_text: Render, tmp_path: Path) -> None:
    files = MemoryFiles({f"{tmp_path}/c/sub/a": b"ONE", f"{tmp_path}/c/sub__a": b"TWO"})
    result = render_text("services: {a: {image: x, volumes: ['./c:/c:ro']}}", files=files)
    (volume,) = result.pod("Deployment", "a")["volumes"]
    data = result.find("ConfigMap", volume["configMap"]["name"])["data"]
    content = {item["path"]: data[item["key"]] for item in volume["configMap"]["items"]}
    assert content == {"sub/a": "ONE", "sub__a": "TWO"}


def test_a_mounted_private_key_is_a_secret(render_text: Render, tmp_path: Path) -> None:
    files = MemoryFiles({f"{tmp_path}/tls/server.key": b"k", f"{tmp_path}/tls/server.crt": b"c"})
    result = render_text("services: {a: {image: x, volumes: ['./tls:/tls:ro']}}", files=files)
    assert result.names("ConfigMap") == []
    (volume,) = result.pod("Deployment", "a")["volumes"]
    assert result.find("Secret", volume["secret"]["secretName"])["data"].keys() == {
        "server.crt",
        "server.key",
    }


@pytest.mark.parametrize(
    ("use", "group"),
    [
        ("mode: 0400, uid: '1000'", 1000),
        ("mode: 0440, uid: '1000', gid: '50'", 50),
        ("mode: 0444, uid: '1000'", None),
        ("uid: '1000'", None),
        ("mode: 0400", None),
        ("mode: 0400, uid: '0'", None),
    ],
)
def test_a_file_that_is_somebody_s_alone_is_readable_by_a_group_of_the_pod(
    use: str, group: int | None, render_text: Render
) -> None:
    text = f"services: {{a: {{image: x, configs: [{{source: c, {use}}}]}}}}\nconfigs: {{c: {{content: hi}}}}"
    security = render_text(text).pod("Deployment", "a")["securityContext"]
    assert security.get("fsGroup") == group


def test_a_file_of_a_user_by_name_is_told(render_text: Render) -> None:
    text = (
        "services: {a: {image: x, configs: [{source: c, mode: 0400, uid: app}]}}\nconfigs: {c: {content: hi}}"
    )
    assert "needs-number" in render_text(text).codes()
