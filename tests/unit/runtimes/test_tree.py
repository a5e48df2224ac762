"""Paths and copies below a directory with links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leeward.cluster.runtimes.process.launcher import tree


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "a/b"),
        ("../../x", "x"),
        ("up/x", "x"),
        ("absolute/x", "etc/x"),
        ("relative/x", "etc/deep/x"),
        ("chain/x", "etc/x"),
        ("etc/deep/back", "etc"),
        ("absolute/../x", "x"),
    ],
)
def test_links_are_followed_as_if_the_directory_were_the_root(
    tmp_path: Path, path: str, expected: str
) -> None:
    (tmp_path / "etc" / "deep").mkdir(parents=True)
    (tmp_path / "up").symlink_to("../../..")
    (tmp_path / "absolute").symlink_to("/etc")
    (tmp_path / "relative").symlink_to("etc/deep")
    (tmp_path / "chain").symlink_to("/absolute")
    (tmp_path / "etc" / "deep" / "back").symlink_to("..")

    assert tree.inside(str(tmp_path), path) == str(tmp_path / expected)


def test_a_link_at_the_end_is_left_alone_when_asked(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")

    assert tree.inside(str(tmp_path), "link", last=False) == str(tmp_path / "link")


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"):
        tree.inside(str(tmp_path), "a/x")


def test_a_layer_replaces_links_and_does_not_write_through_them(tmp_path: Path) -> None:
    machine, layer, top = (tmp_path / name for name in ("machine", "layer", "top"))
    for directory in (machine, layer / "sub", top):
        directory.mkdir(parents=True)
    (machine / "python").write_text("the machine's")
    (top / "python").symlink_to(machine / "python")
    (top / "sub").symlink_to(machine)
    (layer / "python").write_text("the image's")
    (layer / "sub" / "python").write_text("the image's")
    (layer / "link").symlink_to("python")

    tree.lay(str(layer), str(top), merged=False)
    tree.lay(str(layer), str(top), merged=False)  # over what is there already

    assert (machine / "python").read_text() == "the machine's"
    assert [path.read_text() for path in (top / "python", top / "sub" / "python")] == ["the image's"] * 2
    assert not (top / "sub").is_symlink()
    assert os.readlink(top / "link") == "python"


def test_a_layer_over_the_machines_root_goes_where_its_links_lead(tmp_path: Path) -> None:
    links = [path for path in Path("/").iterdir() if path.is_symlink() and path.is_dir()]
    if not links:
        pytest.skip("this machine has no links to directories in its root")
    layer = tmp_path / "layer"
    (layer / links[0].name).mkdir(parents=True)
    (layer / links[0].name / "tool").touch()

    tree.lay(str(layer), str(tmp_path / "top"), merged=True)

    assert not (tmp_path / "top" / links[0].name).exists()
    assert (tmp_path / "top" / str(links[0].resolve()).lstrip("/") / "tool").exists()
