"""Credentials that end, and the programs of kubeconfigs that give them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from leeward.base.clock import VirtualClock
from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.kube import http, remote
from leeward.kube.credentials import Credential, CredentialCache
from leeward.kube.execplugin import API_VERSION, run_plugin, with_plugin
from leeward.kube.kubeconfig import Access, load_access
from leeward.kube.remote import converse


class Source:
    """Gives credentials one after the other, and counts them."""

    def __init__(self, clock: VirtualClock, seconds: float | None = 900) -> None:
        self.clock = clock
        self.seconds = seconds
        self.given = 0

    def __call__(self) -> Credential:
        self.given += 1
        ends = None if self.seconds is None else self.clock.now() + timedelta(seconds=self.seconds)
        return Credential(token=f"token-{self.given}", expires=ends)


def test_a_credential_is_kept_until_a_minute_before_its_end() -> None:
    clock = VirtualClock()
    source = Source(clock)
    cache = CredentialCache(source, clock)
    assert cache.kept() is None

    first = cache.current()
    clock.advance(839)
    assert cache.current() is first
    clock.advance(2)
    assert cache.kept() is None
    assert cache.current().token == "token-2"


def test_a_credential_without_an_end_is_kept() -> None:
    clock = VirtualClock()
    cache = CredentialCache(Source(clock, None), clock)
    first = cache.current()
    clock.advance(10**7)
    assert cache.current() is first


def test_a_refused_credential_is_replaced_once_whoever_noticed_it_first() -> None:
    clock = VirtualClock()
    source = Source(clock)
    cache = CredentialCache(source, clock)
    refused = cache.current()

    assert cache.instead_of(refused).token == "token-2"
    assert cache.instead_of(refused).token == "token-2"
    assert source.given == 2


def client_of(access: Access, answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    arguments = http.connection_arguments(access, 5.0)
    del arguments["proxy"]
    return httpx.AsyncClient(**arguments, transport=httpx.MockTransport(answer))


def test_a_request_that_is_not_let_in_is_sent_again_with_a_new_credential() -> None:
    clock, seen = VirtualClock(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(401 if len(seen) == 1 else 200)

    async def ask() -> int:
        access = Access(server="http://api", credentials=CredentialCache(Source(clock), clock))
        async with client_of(access, answer) as client:
            return (await client.get("/version")).status_code

    assert asyncio.run(ask()) == 200
    assert seen == ["Bearer token-1", "Bearer token-2"]


def test_who_is_not_let_in_twice_gets_that_answer() -> None:
    clock, seen = VirtualClock(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(401)

    async def ask() -> int:
        access = Access(server="http://api", credentials=CredentialCache(Source(clock), clock))
        async with client_of(access, answer) as client:
            return (await client.get("/version")).status_code

    assert asyncio.run(ask()) == 401
    assert len(seen) == 2


def test_a_long_life_outlives_its_first_credential() -> None:
    clock, seen = VirtualClock(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200)

    async def ask() -> None:
        access = Access(server="http://api", credentials=CredentialCache(Source(clock), clock))
        async with client_of(access, answer) as client:
            for _ in range(3):
                await client.get("/version")
                clock.advance(500)

    asyncio.run(ask())
    assert seen == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_synchronous_clients_say_who_asks_as_well() -> None:
    clock, seen = VirtualClock(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(401 if len(seen) == 1 else 200)

    access = Access(server="http://api", credentials=CredentialCache(Source(clock), clock))
    arguments = http.connection_arguments(access, 5.0)
    del arguments["proxy"]
    with httpx.Client(**arguments, transport=httpx.MockTransport(answer)) as client:
        assert client.get("/version").status_code == 200
    assert seen == ["Bearer token-1", "Bearer token-2"]


def test_the_name_of_the_certificate_is_told_with_every_request() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.extensions["sni_hostname"], request.headers["authorization"]))
        return httpx.Response(200)

    async def ask() -> None:
        access = Access(
            server="https://127.0.0.1:8443", server_name="real.example", username="u", password="p"
        )
        async with client_of(access, answer) as client:
            await client.get("/version")

    asyncio.run(ask())
    assert seen == [("real.example", "Basic dTpw")]


def test_a_certificate_of_a_credential_is_that_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Access] = []

    def context(access: Access) -> bool:
        used.append(access)
        return True

    monkeypatch.setattr(http, "ssl_context", context)
    clock = VirtualClock()
    credential = Credential(certificate_pem=b"certificate", key_pem=b"key")
    access = Access(server="https://api", credentials=CredentialCache(lambda: credential, clock))

    http.connection_arguments(access, 5.0)

    assert (used[0].client_certificate_pem, used[0].client_key_pem) == (b"certificate", b"key")


def test_a_conversation_with_a_program_does_not_go_through_a_proxy() -> None:
    async def talk() -> None:
        async with converse(Access(server="https://api", proxy="http://127.0.0.1:3128"), "/exec", ""):
            pass

    with pytest.raises(OperationError, match="do not go through the proxy"):
        asyncio.run(talk())


def test_a_conversation_with_a_program_begins_with_a_credential_that_is_good_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, used = VirtualClock(), list[Access]()

    async def connect(access: Access) -> None:
        used.append(access)
        raise http.UnreachableError("enough")

    async def talk() -> None:
        access = Access(server="https://api", credentials=CredentialCache(Source(clock), clock))
        async with converse(access, "/exec", ""):
            pass

    monkeypatch.setattr(remote, "_connect", connect)
    with pytest.raises(http.UnreachableError, match="enough"):
        asyncio.run(talk())
    assert (used[0].token, used[0].credentials) == ("token-1", None)


Plugin = Callable[..., Access]


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """Return a maker of kubeconfigs with a plug-in that is a Python program of so many lines."""

    def make(program: str, *, directory: str = "bin", **more: Any) -> Access:
        script = tmp_path / directory / "plugin"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!{sys.executable}\nimport json, os, sys\n{program}\n")
        script.chmod(0o755)
        settings = {"apiVersion": API_VERSION, "command": f"{directory}/plugin", "args": ["a", "b"], **more}
        config = {
            "clusters": [
                {"name": "c", "cluster": {"server": "https://api", "proxy-url": "http://proxy:3128"}}
            ],
            "users": [{"name": "u", "user": {"exec": settings}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return load_access(path)

    return make


ANSWER = """
status = {"token": " ".join([*sys.argv[1:], os.environ.get("EXTRA", "")])}
version = "client.authentication.k8s.io/v1"
print(json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status}))
"""


def test_a_plug_in_is_found_beside_the_kubeconfig_and_run_with_its_arguments(plugin: Plugin) -> None:
    access = plugin(ANSWER, env=[{"name": "EXTRA", "value": "c"}])

    assert access.proxy == "http://proxy:3128"
    assert run_plugin(access, os.environ) == Credential(token="a b c")


def test_a_plug_in_is_run_once_while_its_credential_is_good(plugin: Plugin, tmp_path: Path) -> None:
    program = (
        ANSWER.replace("{", "{{").replace("}", "}}").format()
        + f'open({str(tmp_path / "ran")!r}, "a").write("x")'
    )
    access = with_plugin(plugin(program), os.environ, VirtualClock())
    assert access.credentials is not None

    for _ in range(3):
        access.credentials.current()
    assert (tmp_path / "ran").read_text() == "x"


def test_a_plug_in_is_told_what_it_is_for(plugin: Plugin) -> None:
    program = ANSWER.replace('" ".join', 'os.environ["KUBERNETES_EXEC_INFO"] or " ".join')

    info = json.loads(run_plugin(plugin(program, provideClusterInfo=True), os.environ).token or "")

    assert info["kind"] == "ExecCredential"
    assert info["apiVersion"] == API_VERSION
    assert info["spec"]["interactive"] is False
    assert info["spec"]["cluster"] == {"server": "https://api", "proxy-url": "http://proxy:3128"}


def test_the_end_of_a_credential_is_read(plugin: Plugin) -> None:
    program = ANSWER.replace("print(", 'status["expirationTimestamp"] = "2030-01-01T00:14:00Z"\nprint(')

    found = run_plugin(plugin(program), os.environ)

    assert found.expires is not None
    assert found.expires.isoformat() == "2030-01-01T00:14:00+00:00"
    assert "a b" not in repr(found)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("sys.exit(7)", "failed with exit code 7"),
        ("print('secret')", "is no ExecCredential"),
        (
            "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'status': {}}))",
            "neither token",
        ),
        ("print(json.dumps({'apiVersion': 'x/v2', 'status': {'token': 'secret'}}))", "answers in x/v2"),
        ("print(json.dumps([]))", "is no ExecCredential"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_without_it(plugin: Plugin, program: str, said: str) -> None:
    with pytest.raises(OperationError, match=said) as caught:
        run_plugin(plugin(program), os.environ)
    assert "secret" not in str(caught.value)


def test_a_plug_in_that_is_not_installed_is_told_with_its_own_hint() -> None:
    settings = {
        "apiVersion": API_VERSION,
        "command": "no-such-plugin",
        "installHint": "Install no-such-plugin.",
    }

    with pytest.raises(UserInputError, match="no-such-plugin: No such file") as caught:
        run_plugin(Access(server="https://api", exec=settings), os.environ)
    assert caught.value.remedy == "Install no-such-plugin."


@pytest.mark.parametrize(
    "settings", [{"command": "x", "apiVersion": "client.authentication.k8s.io/v1alpha1"}, {"a": 1}]
)
def test_a_plug_in_of_another_time_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UserInputError, match="speaks"):
        run_plugin(Access(server="https://api", exec=settings), os.environ)


def test_a_plug_in_that_has_to_ask_needs_a_terminal(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(OperationError, match="there is no terminal"):
        run_plugin(plugin(ANSWER, interactiveMode="Always"), os.environ)


def test_a_token_of_the_kubeconfig_is_taken_instead_of_its_plug_in() -> None:
    access = Access(server="https://api", token="t", exec={"command": "x"})

    assert with_plugin(access, {}, VirtualClock()) is access


def test_a_plug_in_that_nobody_runs_is_refused() -> None:
    with pytest.raises(LeewardError, match="needs the credential plug-in 'x'"):
        http.connection_arguments(Access(server="https://api", exec={"command": "x"}), 5.0)
