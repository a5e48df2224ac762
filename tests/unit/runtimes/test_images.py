"""What can run as a process of this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from leeward.cluster.interface.runtime import ImageFailureError
from leeward.cluster.runtimes.process.images import ImageStore, repository


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("node:20", "node"),
        ("docker.io/library/node:20-alpine", "node"),
        ("registry:5000/team/web", "web"),
        ("web@sha256:abc", "web"),
        ("a/b:1@sha256:abc", "b"),
    ],
)
def test_the_repository_is_the_last_part_of_a_name(reference: str, expected: str) -> None:
    assert repository(reference) == expected


def test_a_base_image_runs_when_its_program_is_here(tmp_path: Path) -> None:
    image = asyncio.run(ImageStore(tmp_path).pull("docker.io/library/busybox:1.36"))

    assert image.cmd == ("sh",)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("postgres:16", "cannot run as a process of this machine.*`build:`"),
        ("leeward.local/shop/web", "is not built.*Run `leeward up`"),
    ],
)
def test_what_cannot_run_is_refused_with_what_to_do(tmp_path: Path, reference: str, message: str) -> None:
    with pytest.raises(ImageFailureError, match=message):
        asyncio.run(ImageStore(tmp_path).pull(reference))


def test_a_base_image_whose_program_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    refusal = ImageStore(tmp_path).why_not("ruby:3")

    assert refusal is not None
    assert refusal.message == "image ruby:3 needs ruby, which this machine has not"
    assert "leeward cluster start --runtime simulated" in refusal.remedy


def test_an_image_is_found_by_every_name_given_to_it(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    layer = tmp_path / "made"
    layer.mkdir()
    (layer / "a").write_text("A")
    image = store.write("shop/web:1", layer, {"cmd": ["x"]})

    store.tag("shop/web:latest", image.id)

    assert [store.read(name) and store.read(name).id for name in ("shop/web:latest", image.id)] == [  # type: ignore[union-attr]
        image.id,
        image.id,
    ]
    assert store.read("shop/other") is None


def test_a_built_image_is_found_by_its_digest_under_any_name(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    layer = tmp_path / "layer"
    layer.mkdir()
    built = store.write("leeward.local/shop/web:1", layer, {"cmd": ["run"]})

    found = store.read(f"leeward.local/shop/web@{built.id}")
    assert found is not None
    assert (found.id, found.cmd) == (built.id, ("run",))
    assert store.read(f"leeward.local/shop/web@sha256:{'0' * 64}") is None
    assert store.why_not(f"python@sha256:{'0' * 64}") is None
