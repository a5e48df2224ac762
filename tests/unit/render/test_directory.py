from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from leeward.base.errors import OperationError
from leeward.render.writers.directory import same_but_for_lines, write_directory
from leeward.render.writers.index import INDEX
from leeward.render.writers.yaml import HEADER

FILES = {"web.yaml": f"{HEADER}web: 1\n", "db.yaml": f"{HEADER}db: 1\n"}
CHANGED = {**FILES, "web.yaml": f"{HEADER}web: 2\n"}


def names(path: Path) -> list[str]:
    return sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if not found.is_dir())


def test_a_directory_is_made_and_holds_the_files(tmp_path: Path) -> None:
    there = tmp_path / "a" / "b"
    written = write_directory({**FILES, "sub/x.yaml": "x\n"}, there)
    assert names(there) == [INDEX, "db.yaml", "sub/x.yaml", "web.yaml"]
    assert written.changed == ("web.yaml", "db.yaml", "sub/x.yaml")


def test_rendering_again_removes_only_what_it_wrote(tmp_path: Path) -> None:
    write_directory({**FILES, "sub/x.yaml": "x\n"}, tmp_path)
    (tmp_path / "mine.yaml").write_text("kind: Mine\n")
    written = write_directory({"web.yaml": FILES["web.yaml"]}, tmp_path)
    assert names(tmp_path) == [INDEX, "mine.yaml", "web.yaml"]
    assert not (tmp_path / "sub").exists()
    assert written.removed == ("db.yaml", "sub/x.yaml")


def test_an_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    write_directory(FILES, tmp_path)
    before = (tmp_path / "web.yaml").stat().st_mtime_ns, (tmp_path / "web.yaml").stat().st_ino
    assert write_directory(FILES, tmp_path).unchanged == ("web.yaml", "db.yaml")
    assert ((tmp_path / "web.yaml").stat().st_mtime_ns, (tmp_path / "web.yaml").stat().st_ino) == before


def test_other_line_numbers_of_origins_are_no_change(tmp_path: Path) -> None:
    one, other = (f"{HEADER}---\n# from compose.yaml:{line} services.web\na: 1\n" for line in (7, 8))
    write_directory({"web.yaml": one}, tmp_path)
    assert write_directory({"web.yaml": other}, tmp_path).unchanged == ("web.yaml",)
    assert not same_but_for_lines(one, other.replace("a: 1", "a: 2"))
    assert not same_but_for_lines("a: '# from x:1'\n", "a: '# from x:2'\n")
    assert write_directory({"web.yaml": other.replace("a: 1", "a: 2")}, tmp_path).changed == ("web.yaml",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("web.yaml", "was edited"), ("db.yaml", "was edited"), ("new.yaml", "is not of leeward")],
)
def test_what_somebody_else_wrote_stops_the_run_and_nothing_is_changed(
    name: str, reason: str, tmp_path: Path
) -> None:
    write_directory(FILES, tmp_path)
    (tmp_path / name).write_text("kind: Mine\n")
    wanted = {"web.yaml": CHANGED["web.yaml"], "new.yaml": "new\n"}  # db is gone
    before = {found: (tmp_path / found).read_text() for found in names(tmp_path)}
    with pytest.raises(OperationError, match=rf"{name} {reason}"):
        write_directory(wanted, tmp_path)
    assert {found: (tmp_path / found).read_text() for found in names(tmp_path)} == before
    write_directory(wanted, tmp_path, force=True)
    assert names(tmp_path) == [INDEX, "new.yaml", "web.yaml"]
    assert (tmp_path / "new.yaml").read_text() == "new\n"


def test_a_file_that_already_is_what_would_be_written_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(FILES["web.yaml"])
    (tmp_path / "db.yaml").write_text("db: somebody's\n")
    write_directory({"web.yaml": FILES["web.yaml"]}, tmp_path)
    assert names(tmp_path) == [INDEX, "db.yaml", "web.yaml"]


def test_files_of_a_version_without_an_index_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(f"{HEADER}old\n")
    assert write_directory(FILES, tmp_path).changed == ("web.yaml", "db.yaml")


@pytest.mark.parametrize("way", ["file", "parent"])
def test_nothing_is_written_through_a_link(way: str, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "web.yaml").write_text("precious\n")
    if way == "file":
        (inside / "web.yaml").symlink_to(outside / "web.yaml")
        files = {"web.yaml": "new\n"}
    else:
        (inside / "base").symlink_to(outside)
        files = {"base/web.yaml": "new\n"}
    with pytest.raises(OperationError, match="is a symbolic link"):
        write_directory(files, inside)
    write_directory(files, inside, force=True)
    assert (outside / "web.yaml").read_text() == "precious\n"
    assert (inside / next(iter(files))).read_text() == "new\n"


def test_a_directory_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").mkdir()
    with pytest.raises(OperationError, match=r"web\.yaml is a directory"):
        write_directory(FILES, tmp_path)


def test_a_file_in_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OperationError, match="out is a file"):
        write_directory(FILES, tmp_path / "out")


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"files": []}', '{"files": {"a": 1}}', "<<<<<<< ours\n{}\n", "\xff", "[" * 100000],
)
def test_a_damaged_index_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(text.encode("latin-1"))
    with pytest.raises(OperationError, match="is damaged"):
        write_directory(FILES, tmp_path)
    assert names(tmp_path) == [INDEX]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "name", ["../victim", "a/../../victim", "..\\victim", "{outside}/victim", "C:\\victim", INDEX, "", "a\0b"]
)
def test_an_index_reaches_nothing_outside_its_directory(name: str, force: bool, tmp_path: Path) -> None:
    victim, inside = tmp_path / "victim", tmp_path / "inside"
    victim.write_text("precious\n")
    inside.mkdir()
    digest = hashlib.sha256(b"precious\n").hexdigest()
    (inside / INDEX).write_text(json.dumps({"files": {name.format(outside=tmp_path): [digest]}}))
    with pytest.raises(OperationError, match="is not below the directory"):
        write_directory(FILES, inside, force=force)
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", INDEX, ""])
def test_no_file_is_written_outside_the_directory(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not below"):
        write_directory({**FILES, name: "x\n"}, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_index_of_a_newer_leeward_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text('{"version": 9, "files": {}}')
    with pytest.raises(OperationError, match="newer"):
        write_directory(FILES, tmp_path)


def test_a_directory_of_another_project_is_left_alone_unless_forced(tmp_path: Path) -> None:
    write_directory(FILES, tmp_path, of={"project": "shop", "environment": "qa"})
    other = {"project": "shop", "environment": "uat"}
    with pytest.raises(OperationError, match="holds environment qa, not uat"):
        write_directory({"a.yaml": "a\n"}, tmp_path, of=other)
    assert names(tmp_path) == [INDEX, "db.yaml", "web.yaml"]
    write_directory({"a.yaml": "a\n"}, tmp_path, of=other, force=True)
    assert names(tmp_path) == [INDEX, "a.yaml"]
    write_directory({"a.yaml": "a\n"}, tmp_path, of=other)


def test_a_directory_in_the_way_is_not_removed_even_if_forced(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").mkdir()
    (tmp_path / "web.yaml" / "mine").write_text("x")
    with pytest.raises(OperationError, match=r"web\.yaml is a directory"):
        write_directory(FILES, tmp_path, force=True)
    assert names(tmp_path) == ["web.yaml/mine"]


def test_a_link_in_place_of_a_file_to_remove_is_removed_and_not_what_it_points_to(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write_directory({"sub/web.yaml": "web\n"}, inside)
    outside.mkdir()
    (outside / "web.yaml").write_text("web\n")
    (inside / "sub/web.yaml").unlink()
    (inside / "sub").rmdir()
    (inside / "sub").symlink_to(outside)
    with pytest.raises(OperationError, match="sub is a symbolic link"):
        write_directory({}, inside)
    write_directory({}, inside, force=True)
    assert (outside / "web.yaml").read_text() == "web\n"
    assert names(inside) == [INDEX]


def test_an_index_that_is_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text('{"files": {}}')
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / INDEX).symlink_to(tmp_path / "elsewhere")
    write_directory(FILES, tmp_path / "out")
    assert (tmp_path / "elsewhere").read_text() == '{"files": {}}'
    assert not (tmp_path / "out" / INDEX).is_symlink()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_the_file_system_refuses_is_told_and_leaves_no_part_of_a_file(
    code: int, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_directory(FILES, tmp_path)
    wanted = {"web.yaml": CHANGED["web.yaml"], "new.yaml": "new\n"}
    left = [after]

    def replace(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code), str(source))
        os.rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OperationError, match=f"(yaml|json) cannot be written: {os.strerror(code)}"):
            write_directory(wanted, tmp_path)
    assert not [name for name in names(tmp_path) if name.endswith(".new")]
    for name in ("web.yaml", "db.yaml"):
        assert (tmp_path / name).read_text() in (FILES[name], CHANGED[name])
    write_directory(wanted, tmp_path)
    assert names(tmp_path) == [INDEX, "new.yaml", "web.yaml"]


@pytest.mark.parametrize("steps", range(1, 4))
def test_the_next_run_finishes_what_was_interrupted(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_directory(FILES, tmp_path)
    wanted = {"web.yaml": CHANGED["web.yaml"], "new.yaml": "new\n"}
    left = [steps]

    def replace(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        os.rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_directory(wanted, tmp_path)
    later = {"web.yaml": f"{HEADER}web: 3\n", "new.yaml": "newer\n"}
    write_directory(later, tmp_path)
    assert {name: (tmp_path / name).read_text() for name in later} == later
    assert [name for name in names(tmp_path) if name.endswith("db.yaml")] == []
