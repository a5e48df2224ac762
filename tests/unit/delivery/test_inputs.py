"""Loading a project and taking down what it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.compose.load import LoadOptions
from leeward.delivery.releases.inputs import record_project
from leeward.delivery.releases.places import (
    DIRECTORY,
    Ground,
    name_of,
    path_of,
    readable,
    shelve,
    word_for,
    word_of,
)
from tests.unit.delivery.releasing import made, recorded, write

FULL: dict[str, str | bytes] = {
    "compose.yaml": """
include: [other/compose.yaml]
services:
  web:
    build: app
    env_file: [web.env, ../shared.env]
    extends: {file: base/base.yaml, service: base}
    configs: [settings]
    secrets: [token]
    volumes:
      - ./conf:/etc/app
      - ./run.sh:/run.sh
      - ./certs:/certs
      - ./data:/data
  debug: {image: x, profiles: [debug], env_file: debug.env}
configs: {settings: {file: settings.json}}
secrets: {token: {file: token.txt}}
""",
    "other/compose.yaml": "services: {other: {image: 'other:${OTHER_TAG}'}}\n",
    "other/.env": "OTHER_TAG=3\n",
    "base/base.yaml": "services: {base: {env_file: base.env}}\n",
    "base/base.env": "BASE=1\n",
    "app/Dockerfile": "FROM scratch\nUSER 1000\n",
    "app/main.py": "print()\n",
    "web.env": "WEB=1\n",
    "debug.env": "DEBUG=1\n",
    "settings.json": b"\xff\x00",
    "token.txt": "the token",
    "conf/a.ini": "a",
    "conf/sub/b.ini": "b",
    "run.sh": "#!/bin/sh\n",
    "certs/tls.key": "the key",
    "certs/tls.crt": "the certificate",
    "data/.gitkeep": "",
    "../shared.env": "SHARED=1\n",
    ".env": "TAG=1\nUNUSED=2\n",
}


def test_every_file_that_is_needed_is_taken_down_and_no_other(tmp_path: Path) -> None:
    directory = write(tmp_path / "shop", FULL)
    (directory / "run.sh").chmod(0o755)
    found = recorded(directory)

    assert sorted(found.notes.files) == [
        "../shared.env", "app/Dockerfile", "base/base.env", "base/base.yaml", "certs/tls.crt", "compose.yaml",
        "conf/a.ini", "conf/sub/b.ini", "debug.env", "other/.env", "other/compose.yaml", "run.sh",
        "settings.json", "web.env",
    ]  # fmt: skip
    assert found.notes.executable == {"run.sh"}
    assert found.notes.places["data"] == "empty"
    assert found.secret_files == {
        "token": str(directory / "token.txt"), "certs__tls.key": str(directory / "certs/tls.key"),
    }  # fmt: skip


def test_a_release_is_the_same_wherever_the_project_is(tmp_path: Path) -> None:
    first, second = (made(write(tmp_path / where / "shop", FULL)).bundle for where in ("a", "b/c/d"))

    assert first.id == second.id
    assert [need.name for need in first.secrets] == ["certs__tls.key", "token"]
    assert "_outside/0/shared.env" in first.files
    assert str(tmp_path) not in str(first.to_content())
    assert DIRECTORY not in str(first.to_content())


def test_a_release_does_not_depend_on_the_values_of_secrets(tmp_path: Path) -> None:
    ids = set()
    for token in ("one", "two"):
        directory = write(tmp_path / token / "shop", {**FULL, "token.txt": token, "certs/tls.key": token})
        ids.add(made(directory).bundle.id)

    assert len(ids) == 1


@pytest.mark.parametrize("changed", ["compose.yaml", "settings.json", "conf/a.ini", "../shared.env"])
def test_what_changes_in_a_file_changes_the_release(tmp_path: Path, changed: str) -> None:
    before = made(write(tmp_path / "a/shop", FULL)).bundle
    content = FULL[changed]
    more = content + b"#" if isinstance(content, bytes) else content + "#\n"
    after = made(write(tmp_path / "b/shop", {**FULL, changed: more})).bundle

    assert before.id != after.id


def test_files_named_from_the_root_and_from_home_keep_their_places(tmp_path: Path) -> None:
    write(tmp_path, {"root.env": "A=1\n", "home/home.env": "B=2\n"})
    text = f"services: {{web: {{image: x, env_file: [{tmp_path}/root.env, ~/home.env]}}}}\n"
    directory = write(tmp_path / "shop", {"compose.yaml": text})
    found = recorded(directory, HOME=str(tmp_path / "home"))

    assert sorted(found.notes.files) == [f"{tmp_path}/root.env", "compose.yaml", "~/home.env"]
    assert found.project.services["web"].environment == {"A": "1", "B": "2"}


def test_a_directory_full_of_data_is_no_part_of_a_release(tmp_path: Path) -> None:
    text = """
services:
  db:
    image: x
    volumes: ["./pg:/var/lib/pg"]
    x-leeward: {binds: {/var/lib/pg: data}}
"""
    found = recorded(write(tmp_path, {"compose.yaml": text, "pg/base": "rows"}))

    assert [*found.notes.files] == ["compose.yaml"]
    assert found.notes.places == {"pg": "filled"}


def test_variables_of_the_shell_and_of_dotenv_are_kept_when_the_files_use_them(tmp_path: Path) -> None:
    files = {
        "compose.yaml": """
services: {web: {image: "web:${TAG}", environment: {A: "${PWD}", B: "${DB_PASSWORD}"}}}
""",
        ".env": "TAG=1\nUNUSED=2\nDB_PASSWORD=abc\n",
    }
    release = made(write(tmp_path, files), TAG="2")

    assert release.bundle.variables == {"TAG": "2"}
    assert release.values == {"DB_PASSWORD": b"abc"}


def test_a_secret_of_dotenv_that_is_also_an_env_file_keeps_its_name(tmp_path: Path) -> None:
    text = """
services:
  web: {image: x, env_file: .env}
  db: {image: x, environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:-abc}"}}
"""
    release = made(write(tmp_path, {"compose.yaml": text, ".env": "DB_PASSWORD=xyz\nLEVEL=info\n"}))

    assert release.values == {"DB_PASSWORD": b"xyz"}
    assert [(need.name, need.services) for need in release.bundle.secrets] == [("DB_PASSWORD", ("web", "db"))]


def test_a_release_needs_files_with_names(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="Compose files with names"):
        record_project(LoadOptions(working_dir=tmp_path, files=("-",), stdin="services: {}"))


def test_what_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticsError, match=r"compose\.yaml:1"):
        recorded(write(tmp_path, {"compose.yaml": "services: {web: {imag: x}}\n"}))


@pytest.mark.parametrize("word", ["a/b", ".", "../x/y", "../../../../x", "/etc/x", "~/x", "~"])
def test_words_and_paths_are_two_names_of_one_thing(word: str) -> None:
    assert word_of(path_of(word)) == word


def test_what_is_outside_is_kept_on_shelves() -> None:
    words = ["a", "../x/b", "../x/c", "/etc/d", "_outside/0/e"]
    shelves = shelve(words)
    names = [name_of(word, shelves) for word in words]

    assert len(set(names)) == len(names)
    assert [word_for(name, shelves) for name in names] == words
    assert all(name == "a" or name.startswith("_outside/") for name in names)


def test_paths_are_told_as_a_person_would_write_them() -> None:
    assert readable(f"{DIRECTORY}/a is not {DIRECTORY}; {path_of('../../x')}") == "./a is not .; ../../x"


def test_links_are_followed_inside_and_out_of_the_project(tmp_path: Path) -> None:
    project = write(tmp_path / "around/shop", {"a": "", "../near": ""})
    write(tmp_path, {"far": ""})
    for name, target in (("to-a", "a"), ("to-near", "../near"), ("to-far", "../../far")):
        (project / name).symlink_to(target)
    ground = Ground(str(project), "/home/jane")

    assert ground.followed(path_of("a")) == path_of("a")
    assert ground.followed(path_of("to-a")) == path_of("a")
    assert ground.followed(path_of("to-near")) == path_of("../near")
    assert ground.followed(path_of("to-far")) == str(tmp_path / "far")


REQUIRED = """
services:
  web:
    image: web:${TAG:-1}
    environment: {DB_PASSWORD: "${DB_PASSWORD:?ask the DBA}", MODE: "${MODE:?}"}
    command: serve --workers ${WORKERS:?}
"""


def test_required_variables_that_containers_read_need_no_value_where_a_release_is_made(
    tmp_path: Path,
) -> None:
    release = made(write(tmp_path / "shop", {"compose.yaml": REQUIRED})).bundle

    assert [(need.name, need.required) for need in release.secrets] == [
        ("DB_PASSWORD", True), ("MODE", True), ("WORKERS", True),
    ]  # fmt: skip
    assert release.variables == {}
    assert "${DB_PASSWORD:?ask the DBA}" in release.files["compose.yaml"].decode()


def test_a_release_is_the_same_with_and_without_the_value_of_a_required_secret(tmp_path: Path) -> None:
    files = {"compose.yaml": REQUIRED.replace("${MODE:?}", "fast").replace("${WORKERS:?}", "2")}
    ids = {
        made(write(tmp_path / "a/shop", files)).bundle.id,
        made(write(tmp_path / "b/shop", files), DB_PASSWORD="hunter2").bundle.id,
    }

    assert len(ids) == 1


@pytest.mark.parametrize(
    "key",
    [
        "image: web:${X:?}",
        "image: web\n    ports: ['${X:?}:80']",
        "image: web\n    build: {context: ., args: {A: '${X:?}'}}",
        "image: web\n    volumes: ['${X:?}:/data']",
        "image: web\n    mem_limit: ${X:?}",
        "image: web\n    x-leeward: {hosts: ['${X:?}']}",
    ],
)
def test_a_required_variable_that_decides_what_a_release_is_has_to_be_known(tmp_path: Path, key: str) -> None:
    text = f"services:\n  web:\n    environment: {{MODE: '${{MODE:?}}'}}\n    {key}\n"
    with pytest.raises(DiagnosticsError) as caught:
        recorded(write(tmp_path, {"compose.yaml": text}))

    assert [each.code for each in caught.value.diagnostics] == ["missing-variable"]
    assert "The required variable X is not set" in str(caught.value)


def test_other_mistakes_are_told_without_stand_ins(tmp_path: Path) -> None:
    text = "services: {web: {image: x, depends_on: [db], environment: {A: '${A_KEY:?}'}}}\n"
    with pytest.raises(DiagnosticsError) as caught:
        recorded(write(tmp_path, {"compose.yaml": text}))

    assert "db" in str(caught.value)
    assert "secret://" not in str(caught.value)


def test_a_required_variable_that_an_included_file_leaves_empty_is_an_input_too(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "compose.yaml": "include: [{path: other.yaml, env_file: other.env}]\nservices: {web: {image: x}}\n",
        "other.yaml": "services: {other: {image: x, environment: {KEY: '${KEY:?}'}}}\n",
        "other.env": "KEY=\n",
    }

    assert recorded(write(tmp_path, files)).unset == {"KEY"}
