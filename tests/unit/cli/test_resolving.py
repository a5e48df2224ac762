"""Where what is built is pushed: the registry of leeward.yaml or of the command line."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward.base.errors import UserInputError
from leeward.cli import resolving
from leeward.cli.hub import Application, Reach
from leeward.cli.resolving import image_options, resolver_of
from leeward.settings.config import Cluster, Config, Embedded, Environment


@pytest.mark.parametrize(
    ("written", "place", "insecure"),
    [
        ("", "", ()),
        ("registry.example.com/team", "registry.example.com/team", ()),
        ("https://registry.example.com/team/", "registry.example.com/team", ()),
        ("http://registry.local:5000/team", "registry.local:5000/team", ("registry.local:5000",)),
        ("docker.io/team", "docker.io/team", ()),
        ("localhost:5000", "localhost:5000", ()),
    ],
)
def test_a_registry_is_a_place_with_or_without_tls(
    written: str, place: str, insecure: tuple[str, ...]
) -> None:
    found = image_options({"TAG": "1"}, written)
    assert (found.registry, tuple(found.insecure), found.variables) == (place, insecure, {"TAG": "1"})


@pytest.mark.parametrize("written", ["team", "registry.example.com/Team", "ftp://x", "x.example.com/web:1"])
def test_what_is_no_registry_is_refused(written: str) -> None:
    with pytest.raises(UserInputError, match="is no registry"):
        image_options({}, written)


@pytest.mark.parametrize(
    ("given", "taken"), [("", "r.example.com/all"), ("r.example.com/mine", "r.example.com/mine")]
)
def test_the_registry_of_leeward_yaml_is_taken_unless_another_is_named(
    given: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = image_options

    def options(variables: Any, registry: str) -> Any:
        seen.append(registry)
        return real(variables, registry)

    async def no_engine(name: object) -> None:
        return None

    monkeypatch.setattr(resolving, "image_options", options)
    monkeypatch.setattr("leeward.delivery.images.engines.find_engine", no_engine)
    config = Config(
        registry="r.example.com/all",
        environments={"ci": Environment(cluster="far")},
        clusters={"far": Cluster(context="far")},
    )

    async def resolve() -> None:
        async with resolver_of(Application("shop", config, Reach()), "ci", {}, given) as resolver:
            assert resolver() is not None

    asyncio.run(resolve())
    assert seen == [taken]


def test_nothing_is_pushed_from_an_embedded_cluster_which_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = Config(environments={"ci": Environment()}, clusters={"local": Cluster(embedded=Embedded())})

    async def resolve() -> None:
        async with resolver_of(Application("shop", config, Reach()), "ci", {}, "r.example.com/mine"):
            pass

    asyncio.run(resolve())
    assert "nothing is pushed to r.example.com/mine: ci is on an embedded cluster" in capsys.readouterr().err
