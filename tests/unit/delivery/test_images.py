"""Which digest each service of a project gets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from leeward.base.errors import DiagnosticsError, OperationError, UserInputError
from leeward.compose.load import LoadOptions, load_project
from leeward.compose.project import Project
from leeward.delivery.images.engines import Engine, Log, Order
from leeward.delivery.images.pinning import ImagePinner, Pinned, origin_labels
from leeward.delivery.images.plan import ImageOptions
from leeward.delivery.images.references import Reference, parse_reference

ASKED, BUILT, GIVEN = (f"sha256:{pair * 32}" for pair in ("a1", "b2", "c3"))


class FakeRegistry:
    """Has every image but those that are missing; remembers how many were asked for at once."""

    def __init__(self, missing: tuple[str, ...] = ()) -> None:
        self.missing = missing
        self.asked: list[str] = []
        self.under_way = self.most = 0

    async def digest(self, reference: Reference) -> str:
        self.asked.append(str(reference))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _ in range(3):
            await asyncio.sleep(0)
        self.under_way -= 1
        if reference.repository in self.missing:
            raise UserInputError(f"no image {reference}", remedy="Is the tag right?")
        return ASKED


class FakeEngine:
    """Builds nothing, and remembers what it was to build."""

    name = "fake"

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.orders: list[Order] = []

    async def build_and_push(self, order: Order, log: Log) -> str:
        self.orders.append(order)
        log(f"builds {order.reference}")
        if self.error:
            raise OperationError(self.error)
        return BUILT


def project(directory: Path, text: str) -> Project:
    (directory / "compose.yaml").write_text(text)
    return load_project(LoadOptions(working_dir=directory, project_name="shop")).project


def pin(
    found: Project,
    engine: Engine | None = None,
    registry: FakeRegistry | None = None,
    options: ImageOptions | None = None,
) -> Pinned:
    pinner = ImagePinner(registry or FakeRegistry(), engine, options or ImageOptions(), lambda line: None)
    return asyncio.run(pinner.pin(found))


def problems(found: Project, engine: Engine | None = None, **given: str) -> list[str]:
    registry = FakeRegistry(missing=("library/gone",))
    with pytest.raises(DiagnosticsError) as caught:
        pin(found, engine, registry, ImageOptions(given=given))
    return str(caught.value).splitlines()


def test_tags_become_digests_and_digests_stay(tmp_path: Path) -> None:
    text = f"services: {{a: {{image: 'nginx:1.27'}}, b: {{image: 'r.io/b:2@{GIVEN}'}}}}"
    registry = FakeRegistry()
    found = pin(project(tmp_path, text), registry=registry)
    assert found == Pinned(images={"a": f"nginx@{ASKED}", "b": f"r.io/b@{GIVEN}"}, built={})
    assert registry.asked == ["nginx:1.27"]


def test_resolve_gives_the_images_alone(tmp_path: Path) -> None:
    pinner = ImagePinner(FakeRegistry(), None, ImageOptions(), lambda line: None)
    images: Mapping[str, str] = asyncio.run(
        pinner.resolve(project(tmp_path, "services: {a: {image: redis}, p: {provider: {type: x}}}"))
    )
    assert images == {"a": f"redis@{ASKED}"}


def test_the_same_image_is_asked_for_once_and_not_too_many_at_once(tmp_path: Path) -> None:
    names = ["nginx", "docker.io/nginx:latest", "library/nginx", *(f"r.io/{n}" for n in range(20))]
    services = "".join(f"  s{n}: {{image: '{name}'}}\n" for n, name in enumerate(names))
    registry = FakeRegistry()
    found = pin(project(tmp_path, f"services:\n{services}"), registry=registry)
    assert (len(registry.asked), registry.most) == (21, 8)
    assert found.images["s1"] == f"docker.io/nginx@{ASKED}"


def test_what_is_given_wins_over_everything(tmp_path: Path) -> None:
    text = f"services: {{a: {{build: .}}, b: {{image: 'r.io/b@{ASKED}'}}, c: {{image: nginx}}}}"
    given = {"a": f"r.io/a@{GIVEN}", "b": f"r.io/b:2@{GIVEN}", "c": "r.io/c:3"}
    registry = FakeRegistry()
    found = pin(project(tmp_path, text), registry=registry, options=ImageOptions(given=given))
    assert found.images == {"a": f"r.io/a@{GIVEN}", "b": f"r.io/b@{GIVEN}", "c": f"r.io/c@{ASKED}"}
    assert registry.asked == ["r.io/c:3"]


def test_what_has_a_build_is_built_and_pushed(tmp_path: Path) -> None:
    text = """
services:
  web:
    image: r.io/web:1.2
    platform: linux/arm64
    build:
      context: src
      args: [FROM_ENV, UNSET, A=1]
      labels: {l: mine}
      secrets: [{source: token, target: npm}, file]
secrets: {token: {environment: TOKEN}, file: {file: ./secret}}
"""
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "secret").write_bytes(b"from file")
    variables = {"TOKEN": "hidden", "FROM_ENV": "2"}
    loaded = load_project(LoadOptions(working_dir=tmp_path, environment=variables))
    engine = FakeEngine()
    options = ImageOptions(variables=loaded.environment, labels={"l": "theirs", "rev": "abc"})
    found = pin(loaded.project, engine, options=options)
    assert found == Pinned(images={"web": f"r.io/web@{BUILT}"}, built={"web": "r.io/web:1.2"})
    (order,) = engine.orders
    assert order.build.context == str(tmp_path / "src")
    assert order.build.args == {"FROM_ENV": "2", "A": "1"}
    assert order.build.labels == {"l": "mine", "rev": "abc"}
    assert order.build.platforms == ("linux/arm64",)
    assert order.secrets == {"npm": b"hidden", "file": b"from file"}
    assert "hidden" not in repr(order)


def test_what_is_the_same_is_built_once(tmp_path: Path) -> None:
    text = (
        "services: {a: {image: r.io/a, build: .}, b: {image: r.io/a, build: .}, c: {image: r.io/c, build: .}}"
    )
    engine = FakeEngine()
    found = pin(project(tmp_path, text), engine)
    assert [order.reference for order in engine.orders] == ["r.io/a:latest", "r.io/c:latest"]
    assert found.images == {"a": f"r.io/a@{BUILT}", "b": f"r.io/a@{BUILT}", "c": f"r.io/c@{BUILT}"}


def test_who_uses_what_another_service_builds_gets_the_same(tmp_path: Path) -> None:
    text = "services: {worker: {image: 'r.io/a:latest'}, web: {image: r.io/a, build: .}}"
    registry = FakeRegistry()
    found = pin(project(tmp_path, text), FakeEngine(), registry)
    assert found.images == {"worker": f"r.io/a@{BUILT}", "web": f"r.io/a@{BUILT}"}
    assert registry.asked == []
    given = ImageOptions(given={"web": f"r.io/a@{GIVEN}"})
    assert pin(project(tmp_path, text), None, registry, given).images["worker"] == f"r.io/a@{GIVEN}"


def test_images_without_a_registry_are_pushed_where_it_is_said(tmp_path: Path) -> None:
    text = "services: {my_web: {build: .}, api: {image: 'api:2', build: .}, worker: {image: 'api:2'}}"
    engine = FakeEngine()
    options = ImageOptions(registry="localhost:5000/shop/")
    found = pin(project(tmp_path, text), engine, options=options)
    assert found.built == {"my_web": "localhost:5000/shop/my-web:latest", "api": "localhost:5000/shop/api:2"}
    assert found.images["worker"] == f"localhost:5000/shop/api@{BUILT}"
    assert all(order.insecure for order in engine.orders)


def test_without_an_engine_the_ways_out_are_told(tmp_path: Path) -> None:
    (found,) = problems(project(tmp_path, "services:\n  web:\n    build: .\n  w:\n    image: nginx\n"))
    assert found == (
        "compose.yaml:3: error: services.web.build: This machine has nothing that builds the image of 'web'. "
        "Give what your CI has built: `--image web=REGISTRY/NAME@sha256:…`; "
        "or install Docker with buildx, or Podman."
    )


def test_all_problems_are_told_together_before_anything_is_built(tmp_path: Path) -> None:
    text = """
services:
  bad: {image: 'A B'}
  gone: {image: 'gone:1'}
  local: {build: .}
  needs: {image: r.io/n, build: {context: ., additional_contexts: {base: 'service:fine'}}}
  secret: {image: r.io/s, build: {context: ., secrets: [absent]}}
  fine: {image: r.io/f, build: .}
secrets: {absent: {file: ./absent}}
"""
    engine = FakeEngine()
    found = problems(project(tmp_path, text), engine, nobody="x", fine="gone:2")
    ours = [line.partition(": error: services.")[2] for line in found if ": error: services." in line]
    for line, expected in zip(
        ours,
        [
            "bad.image: 'A B' is no image",
            "local.build: The image of 'local' has no name",
            "needs.build: The additional context 'base' is another service",
            f"secret.build: The build needs the secret 'absent', but {tmp_path}/absent: No such file",
            "gone.image: no image gone:1. Is the tag right?",
        ],
        strict=True,
    ):
        assert line.startswith(expected)
    assert [line for line in found if line.startswith("error: ")] == [
        "error: --image nobody: There is no service 'nobody' in this project.",
        "error: --image fine: no image gone:2. Is the tag right?",
    ]
    assert [line.partition(": ")[0] for line in found[1:3]] == ["compose.yaml:3", "compose.yaml:5"]
    assert engine.orders == []


def test_builds_that_fail_are_told_together_with_their_lines(tmp_path: Path) -> None:
    text = "services:\n  a: {image: r.io/a, build: .}\n  b: {image: r.io/b, build: .}\n"
    engine = FakeEngine(error="failed:\n  no disk")
    assert problems(project(tmp_path, text), engine) == [
        "compose.yaml:2: error: services.a.build: failed:",
        "  no disk",
        "compose.yaml:3: error: services.b.build: failed:",
        "  no disk",
    ]


def test_labels_of_origin_have_no_password() -> None:
    labels = origin_labels("abc", "https://jane:hidden@github.com/a/b.git")
    assert labels == {
        "org.opencontainers.image.revision": "abc",
        "org.opencontainers.image.source": "https://github.com/a/b.git",
    }
    assert origin_labels("", "git@github.com:a/b.git") == {
        "org.opencontainers.image.source": "git@github.com:a/b.git"
    }


def test_a_reference_says_what_it_is() -> None:
    assert str(parse_reference(f"r.io/a:1@{GIVEN}")) == f"r.io/a:1@{GIVEN}"
