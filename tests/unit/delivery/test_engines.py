"""What engines are told to do; they are shell scripts that write down their arguments."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from leeward.base.errors import OperationError
from leeward.compose.parts import Build, Ulimit
from leeward.delivery.images.engines import Buildx, Engine, Order, Podman, find_engine

DIGEST = f"sha256:{'b2' * 32}"
_RECORD = r"""#!/bin/sh
printf '%s\n' "$*" >>"$0.calls"
for word in "$@"; do case "$word" in
  --file=*leeward-*) cat "${word#--file=}" >>"$0.files";;
  --secret=*) cat "${word##*src=}" >>"$0.files";;
esac; done
"""
_BUILDX = """
[ "$2" = version ] && { echo "github.com/docker/buildx v0.20.0"; exit 0; }
while [ $# -gt 0 ]; do
  [ "$1" = --metadata-file ] && echo '{"containerimage.digest": "DIGEST"}' >"$2"
  shift
done
echo built
""".replace("DIGEST", DIGEST)
_PODMAN = """
while [ $# -gt 0 ]; do [ "$1" = --digestfile ] && printf DIGEST >"$2"; shift; done
echo done
""".replace("DIGEST", DIGEST)


def program(directory: Path, name: str, script: str) -> Path:
    path = directory / name
    path.write_text(f"{_RECORD}{script}")
    path.chmod(0o755)
    return path


def calls(path: Path) -> list[list[str]]:
    """Return the arguments of each call."""
    return [shlex.split(line) for line in Path(f"{path}.calls").read_text().splitlines()]


def done(engine: Engine, order: Order) -> list[str]:
    """Let an engine work; return what it wrote."""
    lines: list[str] = []
    assert asyncio.run(engine.build_and_push(order, lines.append)) == DIGEST
    return lines


def everything(context: str) -> Build:
    return Build(
        context=context,
        dockerfile=f"{context}/web.Dockerfile",
        args={"A": "1", "UNSET": None},
        target="final",
        labels={"l": "x"},
        cache_from=("type=registry,ref=r.io/cache",),
        cache_to=("type=inline",),
        no_cache=True,
        pull=True,
        network="host",
        platforms=("linux/amd64", "linux/arm64"),
        shm_size=1024,
        ssh={"default": None, "key": "/k"},
        tags=("r.io/web:other",),
        additional_contexts={"base": "docker-image://alpine"},
        extra_hosts={"h": ("10.0.0.1",)},
        ulimits={"nofile": Ulimit(soft=1, hard=2)},
        provenance="false",
    )


_COMMON = [
    *("--build-arg=A=1", "--label=l=x", "--target=final", "--ssh=default", "--ssh=key=/k"),
    *("--build-context=base=docker-image://alpine", "--add-host=h:10.0.0.1", "--ulimit=nofile=1:2"),
    *("--network=host", "--shm-size=1024", "--no-cache", "--pull"),
]


def test_buildx_is_told_everything(tmp_path: Path) -> None:
    docker = program(tmp_path, "docker", _BUILDX)
    order = Order(reference="r.io/web:1", build=everything("/src"))
    assert done(Buildx(str(docker), ["--builder", "big"]), order) == ["built"]
    ((*head, metadata), *rest) = [calls(docker)[0][:6], calls(docker)[0][6:]]
    assert head == ["buildx", "build", "--progress", "plain", "--push"]
    assert metadata == "--metadata-file"
    assert rest[0][1:] == [
        *("--tag=r.io/web:1", "--tag=r.io/web:other", "--platform=linux/amd64,linux/arm64"),
        *("--cache-from=type=registry,ref=r.io/cache", "--cache-to=type=inline", "--provenance=false"),
        *("--file=/src/web.Dockerfile", *_COMMON, "--builder", "big", "/src"),
    ]


def test_podman_builds_a_list_of_several_platforms_anew_and_pushes_it(tmp_path: Path) -> None:
    podman = program(tmp_path, "podman", _PODMAN)
    lines = done(
        Podman(str(podman), ["--isolation", "chroot"]), Order(reference="r.io/w:1", build=everything("/src"))
    )
    assert lines[0] == "podman has no word for cache_from, cache_to, provenance of `build:`: left out"
    removed, built, *pushed = calls(podman)
    assert removed == ["manifest", "rm", "r.io/w:1"]
    assert built == [
        *(
            "build",
            "--manifest",
            "r.io/w:1",
            "--platform=linux/amd64,linux/arm64",
            "--layers=false",
            "--file=/src/web.Dockerfile",
        ),
        *(*_COMMON, "--isolation", "chroot", "/src"),
    ]
    assert [call[:3] + call[-2:] for call in pushed] == [
        ["manifest", "push", "--all", "r.io/w:1", "docker://r.io/web:other"],
        ["manifest", "push", "--all", "r.io/w:1", "docker://r.io/w:1"],
    ]


def test_podman_pushes_one_image_and_is_told_of_a_registry_without_tls(tmp_path: Path) -> None:
    podman = program(tmp_path, "podman", _PODMAN)
    done(Podman(str(podman)), Order(reference="localhost:5/w:1", build=Build(context="/src"), insecure=True))
    built, pushed = calls(podman)
    assert built == ["build", "--tag", "localhost:5/w:1", "--file=/src/Dockerfile", "/src"]
    assert pushed[:3] == ["push", "--tls-verify=false", "--digestfile"]
    assert pushed[4:] == ["localhost:5/w:1", "docker://localhost:5/w:1"]


def test_what_stands_in_the_compose_file_and_secrets_are_files_only_as_long_as_it_is_built(
    tmp_path: Path,
) -> None:
    docker = program(tmp_path, "docker", _BUILDX)
    build = Build(context="/src", dockerfile_inline="FROM scratch\n")
    done(Buildx(str(docker)), Order(reference="r.io/web:1", build=build, secrets={"token": b"hidden"}))
    assert Path(f"{docker}.files").read_text() == "FROM scratch\nhidden"
    (call,) = calls(docker)
    assert "hidden" not in " ".join(call)
    path = next(word for word in call if word.startswith("--secret=")).partition("src=")[2]
    assert not Path(path).exists()


def test_a_remote_context_has_its_own_dockerfile(tmp_path: Path) -> None:
    docker = program(tmp_path, "docker", _BUILDX)
    url = "https://github.com/a/b.git#main"
    done(Buildx(str(docker)), Order(reference="r.io/web:1", build=Build(context=url)))
    assert not any(word.startswith("--file") for word in calls(docker)[0])
    assert calls(docker)[0][-1] == url


def test_a_failure_shows_the_last_lines_and_no_arguments(tmp_path: Path) -> None:
    script = 'i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "line $i"; done; printf "denied: no"; exit 7'
    docker = program(tmp_path, "docker", script)
    build = Build(context="/src", args={"TOKEN": "hidden"})
    lines: list[str] = []
    with pytest.raises(OperationError) as caught:
        asyncio.run(
            Buildx(str(docker)).build_and_push(Order(reference="r.io/w:1", build=build), lines.append)
        )
    assert len(lines) == 41
    assert str(caught.value).startswith("`docker buildx build` failed with exit code 7:\n  line 30\n")
    assert str(caught.value).endswith("\n  line 40\n  denied: no")
    assert "docker login r.io" in caught.value.remedy
    assert "hidden" not in str(caught.value)


def test_an_engine_that_does_not_say_what_it_pushed_is_told(tmp_path: Path) -> None:
    order = Order(reference="r.io/w:1", build=Build(context="/src"))
    for engine in (
        Buildx(str(program(tmp_path, "docker", ""))),
        Podman(str(program(tmp_path, "podman", ""))),
    ):
        with pytest.raises(OperationError, match="does not say what it pushed"):
            asyncio.run(engine.build_and_push(order, lambda line: None))


def test_an_engine_ends_with_who_waits_for_it(tmp_path: Path) -> None:
    docker = program(
        tmp_path,
        "docker",
        f'trap "echo ended >{tmp_path}/end; exit 1" TERM; echo started; while :; do sleep 0.05; done',
    )

    async def run() -> None:
        started = asyncio.Event()
        order = Order(reference="r.io/w:1", build=Build(context="/src"))
        task = asyncio.create_task(Buildx(str(docker)).build_and_push(order, lambda line: started.set()))
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert (tmp_path / "end").exists()


def found(path: Path) -> str | None:
    engine = asyncio.run(find_engine(str(path)))
    return engine.name if engine else None


def test_docker_with_buildx_comes_before_podman(tmp_path: Path) -> None:
    assert found(tmp_path) is None
    program(tmp_path, "podman", _PODMAN)
    assert found(tmp_path) == "podman"
    program(tmp_path, "docker", _BUILDX)
    assert found(tmp_path) == "docker buildx"


@pytest.mark.parametrize("script", ["echo 'unknown command: docker buildx'; exit 1", "echo buildah 1.28.0"])
def test_docker_without_buildx_is_no_engine(tmp_path: Path, script: str) -> None:
    program(tmp_path, "docker", script)
    assert found(tmp_path) is None
