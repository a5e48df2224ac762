"""Which cluster an environment is taken off, when several are written in ``leeward.yaml``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType

import pytest

from leeward.base.errors import OperationError
from leeward.cli import envremoving
from leeward.cli.hub import Application, Reach
from leeward.kube.http import UnreachableError
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from leeward.settings.config import Config

APPLICATION = Application(name="shop", config=Config(), reach=Reach())


class Client:
    """A cluster that has the environment when its server says so."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        if "silent" in self.access.server:
            raise UnreachableError("nobody answers")
        return {"metadata": {"name": name}} if "has" in self.access.server else None


def found(monkeypatch: pytest.MonkeyPatch, *servers: str) -> str:
    """Return where the environment is found, of clusters with these servers."""

    def accesses(application: Application, silent: list[str]) -> Iterator[tuple[str, Access]]:
        yield from ((server, Access(server=server)) for server in servers)

    async def work() -> str:
        async with envremoving._cluster_of(APPLICATION, "qa") as (place, _):
            return place

    monkeypatch.setattr(envremoving, "_accesses", accesses)
    monkeypatch.setattr("leeward.kube.client.KubeClient", Client)
    return asyncio.run(work())


def test_the_one_cluster_that_has_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, "silent", "none", "old-has") == "old-has"


def test_which_of_several_is_meant_has_to_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        OperationError, match="several clusters have the environment qa of shop: a-has, b-has"
    ):
        found(monkeypatch, "a-has", "none", "b-has")


def test_the_same_cluster_by_two_names_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, "a-has", "a-has") == "a-has"


def test_what_did_not_answer_is_told_when_none_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OperationError, match="no cluster that could be asked") as caught:
        found(monkeypatch, "silent", "none")
    assert "nobody answers" in capsys.readouterr().err
    assert "--context" in str(caught.value.remedy)
