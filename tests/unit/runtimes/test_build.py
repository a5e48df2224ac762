"""Building images without a container engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.base.errors import UserInputError
from leeward.cluster.interface.runtime import Image
from leeward.cluster.runtimes.process.build import build
from leeward.cluster.runtimes.process.images import ImageStore


class Bench:
    """A build context and an image store."""

    def __init__(self, directory: Path) -> None:
        self.context = directory / "context"
        self.context.mkdir()
        self.store = ImageStore(directory / "images")

    def put(self, **files: str) -> None:
        for name, text in files.items():
            path = self.context / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def build(
        self, dockerfile: str, target: str | None = None, args: dict[str, str] | None = None
    ) -> tuple[Image, list[str]]:
        path = self.context / "Dockerfile"
        path.write_text(dockerfile)
        return build(self.store, "shop/web", context=self.context, dockerfile=path, target=target, args=args)

    def files(self, image: Image) -> dict[str, str]:
        (layer,) = self.store.layers(image.id)
        found = {path for path in layer.rglob("*") if path.is_file()}
        return {str(path.relative_to(layer)): path.read_text() for path in sorted(found)}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_files_and_configuration_are_as_the_dockerfile_says(bench: Bench) -> None:
    bench.put(app="x", src__a="A", src__b="B")

    image, notes = bench.build(
        "FROM python:3.12\nWORKDIR /srv\nWORKDIR app\nCOPY app .\nCOPY src /data/\nENV MODE=fast\n"
        'USER nobody\nEXPOSE 80 90/udp\nSTOPSIGNAL SIGINT\nENTRYPOINT ["python3"]\nCMD ["app"]\n'
    )

    assert bench.files(image) == {"srv/app/app": "x", "data/a": "A", "data/b": "B"}
    assert (image.entrypoint, image.cmd) == (["python3"], ["app"])
    assert (image.working_dir, image.user, image.stop_signal) == ("/srv/app", "nobody", "SIGINT")
    assert image.env["MODE"] == "fast"
    assert image.exposed_ports == ["80", "90/udp"]
    assert notes == []


def test_an_entrypoint_forgets_the_command_before_it(bench: Bench) -> None:
    image, _ = bench.build("FROM python\nCMD a\nENTRYPOINT b c\n")

    assert (image.entrypoint, image.cmd) == (["/bin/sh", "-c", "b c"], [])


def test_a_run_step_is_reported_with_its_line(bench: Bench) -> None:
    _, notes = bench.build("FROM python\nRUN pip install x\n")

    assert len(notes) == 1
    assert "Dockerfile:2: RUN is not executed" in notes[0]


def test_arguments_come_from_outside_over_their_defaults(bench: Bench) -> None:
    dockerfile = "ARG BASE=python\nFROM $BASE\nARG A=1\nARG BASE\nENV X=$A Y=$BASE\n"

    default, _ = bench.build(dockerfile)
    given, _ = bench.build(dockerfile, args={"A": "2", "BASE": "node"})

    assert (default.env["X"], default.env["Y"]) == ("1", "python")
    assert (given.env["X"], given.env["Y"]) == ("2", "node")


def test_a_target_ends_the_build_at_its_stage(bench: Bench) -> None:
    dockerfile = "FROM python AS one\nCMD one\nFROM one AS two\nCMD two\n"

    assert bench.build(dockerfile, target="One")[0].cmd[-1] == "one"
    assert bench.build(dockerfile)[0].cmd[-1] == "two"
    with pytest.raises(UserInputError, match="has no stage 'three'"):
        bench.build(dockerfile, target="three")


def test_files_come_from_another_stage(bench: Bench) -> None:
    bench.put(a="A")

    image, notes = bench.build(
        "FROM node AS built\nCOPY a /out/\nRUN make\nFROM python\nCOPY --from=built /out /app\n"
        "COPY --from=built /made /app/made\nCOPY --from=nginx:1 /etc/nginx /x\n"
    )

    assert bench.files(image) == {"app/a": "A"}
    assert [note.split(": ", 1)[1] for note in notes] == [
        "RUN is not executed by the process runtime: make",
        "/made is not there without its RUN steps",
        "files of image nginx:1 are not copied",
    ]


def test_ignored_files_stay_out_and_the_last_rule_decides(bench: Bench) -> None:
    bench.put(keep="", **{".git__config": "", "logs__a": "", "logs__keep": "", "sub__x.pyc": ""})
    (bench.context / ".dockerignore").write_text("# no\n.git\nlogs/*\n!logs/keep\n**/*.pyc\n.dockerignore\n")

    image, _ = bench.build("FROM python\nCOPY . /app\n")

    assert set(bench.files(image)) == {"app/Dockerfile", "app/keep", "app/logs/keep"}


@pytest.mark.parametrize("source", ["../secret", "/../../secret", "a/../../secret"])
def test_nothing_from_outside_the_context_is_copied(bench: Bench, source: str) -> None:
    (bench.context.parent / "secret").write_text("s")

    with pytest.raises(UserInputError, match=r"Dockerfile:2: .* is (outside|not in) the build context"):
        bench.build(f"FROM python\nCOPY {source} /\n")


def test_nothing_is_written_outside_the_layer(bench: Bench) -> None:
    bench.put(a="A")

    image, _ = bench.build("FROM python\nCOPY a ../../../../escaped\n")

    assert bench.files(image) == {"escaped": "A"}


def test_a_missing_source_is_refused_with_its_line(bench: Bench) -> None:
    with pytest.raises(UserInputError, match="Dockerfile:2: nothing is not in the build context"):
        bench.build("FROM python\nCOPY nothing /\n")


def test_the_same_content_is_the_same_image(bench: Bench) -> None:
    bench.put(a="A")
    first, _ = bench.build("FROM python\nCOPY a /\n")
    again, _ = bench.build("FROM python\nCOPY a /\n")
    bench.put(a="B")
    other, _ = bench.build("FROM python\nCOPY a /\n")

    assert first.id == again.id != other.id
    assert [path.name for path in bench.store.directory.iterdir() if path.name.startswith(".")] == []


def test_a_failed_build_leaves_nothing_behind(bench: Bench) -> None:
    with pytest.raises(UserInputError):
        bench.build("FROM python\nCOPY nothing /\n")

    assert list(bench.store.directory.iterdir()) == []


def layer_of(bench: Bench, image: Image) -> Path:
    (layer,) = bench.store.layers(image.id)
    return layer


@pytest.mark.parametrize(
    "steps",
    [
        "COPY dir /app\nCOPY passwd /app/out/passwd\n",
        "COPY dir /app\nCOPY passwd /app/out/\n",
        "COPY dir /app\nCOPY sub /app\n",
        "COPY dir /app\nWORKDIR /app/out\nCOPY passwd passwd\n",
        "FROM python AS one\nCOPY dir /app\nFROM one\nCOPY passwd /app/out/passwd\n",
    ],
)
def test_a_link_in_the_layer_leads_nowhere_out_of_it(bench: Bench, steps: str) -> None:
    outside = bench.context.parent / "outside"
    outside.mkdir()
    bench.put(passwd="p", dir__a="A", sub__out__passwd="p")
    (bench.context / "dir" / "out").symlink_to(outside)

    image, _ = bench.build(f"FROM python\n{steps}")

    layer = layer_of(bench, image)
    assert list(outside.iterdir()) == []
    assert (layer / str(outside).lstrip("/") / "passwd").read_text() == "p"


def test_a_file_takes_the_place_of_a_link_and_not_of_what_it_points_to(bench: Bench) -> None:
    outside = bench.context.parent / "outside"
    outside.write_text("theirs")
    bench.put(sub__a="A")
    (bench.context / "links").mkdir()
    (bench.context / "links" / "a").symlink_to(outside)

    image, _ = bench.build("FROM python\nCOPY links /app\nCOPY sub /app\n")

    assert outside.read_text() == "theirs"
    assert bench.files(image) == {"app/a": "A"}


@pytest.mark.parametrize("source", ["link", "dir/file", "li*", "dir/*"])
def test_a_link_out_of_the_context_is_not_followed(bench: Bench, source: str) -> None:
    outside = bench.context.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret")
    (bench.context / "link").symlink_to(outside / "file")
    (bench.context / "dir").symlink_to(outside)

    with pytest.raises(UserInputError, match="is not in the build context"):
        bench.build(f"FROM python\nCOPY {source} /x\n")


def test_a_source_that_is_a_link_is_followed_inside_the_context(bench: Bench) -> None:
    bench.put(real__a="A", real__b="B")
    (bench.context / "file").symlink_to("real/a")
    (bench.context / "absolute").symlink_to("/real/b")
    (bench.context / "dir").symlink_to("real")

    image, _ = bench.build("FROM python\nCOPY file absolute /x/\nCOPY dir /y\n")

    assert bench.files(image) == {"x/absolute": "B", "x/file": "A", "y/a": "A", "y/b": "B"}


def test_links_in_a_directory_stay_links_wherever_they_point(bench: Bench) -> None:
    bench.put(dir__a="A")
    (bench.context / "dir" / "link").symlink_to("/etc/hostname")
    (bench.context / "dir" / "inner").symlink_to("a")

    image, _ = bench.build("FROM python\nCOPY dir /app\n")

    layer = layer_of(bench, image)
    assert (layer / "app" / "link").readlink() == Path("/etc/hostname")
    assert (layer / "app" / "inner").readlink() == Path("a")


def test_wildcards_also_match_hidden_files_and_stay_within_a_name(bench: Bench) -> None:
    bench.put(**{"a.md": "", ".b.md": "", "sub__c.md": "", "sub__d.txt": ""})

    image, _ = bench.build("FROM python\nCOPY *.md /x\nCOPY */[^x].txt s?b/c.md /y/\n")

    assert set(bench.files(image)) == {"x/a.md", "x/.b.md", "y/c.md", "y/d.txt"}


def test_what_is_in_the_way_is_told_with_its_line(bench: Bench) -> None:
    bench.put(a="A", dir__a__b="")

    with pytest.raises(UserInputError, match="Dockerfile:3: a cannot be copied: the image has a directory"):
        bench.build("FROM python\nCOPY dir /\nCOPY a /\n")
    with pytest.raises(UserInputError, match="Dockerfile:3: /a/b: File exists"):
        bench.build("FROM python\nCOPY dir /\nWORKDIR /a/b\n")


def test_a_file_that_is_left_out_cannot_be_copied(bench: Bench) -> None:
    bench.put(secret="s", dir__a="A")
    (bench.context / ".dockerignore").write_text("secret\ndir\n")
    (bench.context / "link").symlink_to("secret")

    for source in ("secret", "link", "dir"):
        with pytest.raises(UserInputError, match=f"Dockerfile:2: {source} is not in the build context"):
            bench.build(f"FROM python\nCOPY {source} /\n")


def test_a_known_base_image_brings_its_command_until_there_is_an_entrypoint(bench: Bench) -> None:
    assert bench.build("FROM python:3.12\n")[0].cmd == ["python3"]
    assert bench.build('FROM python:3.12\nENTRYPOINT ["x"]\n')[0].cmd == []
    assert bench.build("FROM nobody/knows\n")[0].cmd == []
