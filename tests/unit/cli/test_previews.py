"""How previews are asked for, and what makes the objects of one distinct from all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from leeward.cli import previewing
from leeward.cli.previewing import Wish, bring_up
from leeward.cli.previews import Home, Place, find_home, preview_host, seconds_of, urls_of
from leeward.cli.projects import Source
from leeward.kube.objects import Obj
from leeward.settings.config import Previews

Tool = Callable[..., tuple[int, str, str]]
COMPOSE = """
services:
  web:
    image: "shop/web@sha256:{digest}"
    ports: ["8090:8080", "8091:9090"]
    environment:
      URL: "https://${{LEEWARD_PREVIEW:+$LEEWARD_PREVIEW-}}shop.example.com"
      LEVEL: "${{LEVEL:-none}}"
    x-leeward: {{hosts: [shop.example.com, "*.shop.example.com"], tls: true}}
  api: {{image: "shop/api:1", expose: ["80"], x-leeward: {{hosts: api.example.com, path: /v1}}}}
  db: {{image: "postgres:16", ports: ["5432:5432"], volumes: ["data:/var/lib/postgresql/data"]}}
volumes: {{data: {{}}}}
""".format(digest="a" * 64)
CONFIG = """
app: shop
environments:
  qa: {cluster: there, compose: qa.yaml, variables: {LEVEL: debug}, verify: [smoke], replicas: {api: 2}}
clusters:
  there: {context: eks-staging}
  made: {spec: cluster.yaml}
  big: {embedded: true}
previews: {cluster: there, like: qa, ttl: 5h}
"""


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a project with a leeward.yaml into the working directory."""
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    Path("compose.yaml").write_text(COMPOSE)
    Path("qa.yaml").write_text("services: {smoke: {image: 'shop/smoke:1', command: run}}\n")
    Path("cluster.yaml").write_text("{}\n")
    Path("leeward.yaml").write_text(CONFIG)


def objects_of(*arguments: str, name: str = "pr-12") -> dict[tuple[str, str], Obj]:
    cluster = "there" if "there" in arguments else "local"
    wish = Wish.of(name, Source(), cluster, None)
    rendered = previewing._render(wish, strict=False)
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered.objects}


def hosts(ingress: Obj) -> list[str]:
    return [rule["host"] for rule in ingress["spec"]["rules"]]


def environment_of(workload: Obj) -> dict[str, str]:
    containers = workload["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in containers[0]["env"] if "value" in each}


def test_hosts_begin_with_the_name_and_their_certificates_are_for_these() -> None:
    found = objects_of("there")

    spec = found["Ingress", "web"]["spec"]
    wanted = ["pr-12-shop.example.com", "*.pr-12.shop.example.com"]
    assert hosts(found["Ingress", "web"]) == wanted
    assert spec["tls"] == [{"hosts": wanted, "secretName": "web-tls"}]
    assert hosts(found["Ingress", "api"]) == ["pr-12-api.example.com"]


def test_on_an_embedded_cluster_services_have_hosts_below_the_namespace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(previewing, "_images", lambda wish, project: {})
    found = objects_of()

    below = "shop-preview-pr-12.localhost"
    assert hosts(found["Ingress", "web"])[2:] == [f"web.{below}", f"web-9090.{below}"]
    assert not [host for host in hosts(found["Ingress", "web"]) if host == "web.localhost"]


def test_everything_is_in_the_namespace_of_the_preview_and_of_its_project() -> None:
    found = objects_of("there")

    namespace = found.pop(("Namespace", "shop-preview-pr-12"))
    assert namespace["metadata"]["labels"]["app.kubernetes.io/part-of"] == "shop-preview-pr-12"
    assert {obj["metadata"]["namespace"] for obj in found.values()} == {"shop-preview-pr-12"}


def test_nothing_is_published_on_a_host() -> None:
    assert not [
        obj
        for obj in objects_of("there").values()
        if "leeward.dev/published-ports" in (obj["metadata"].get("annotations") or {})
    ]


def test_it_is_like_the_environment_that_is_named_but_runs_nothing_that_only_verifies() -> None:
    found = objects_of("there")

    web, api = found["Deployment", "web"], found["Deployment", "api"]
    assert environment_of(web) == {"LEVEL": "debug", "URL": "https://pr-12-shop.example.com"}
    assert api["spec"]["replicas"] == 2
    assert not [name for kind, name in found if name == "smoke" and kind != "NetworkPolicy"]


def test_two_previews_share_no_host_and_no_namespace() -> None:
    one, other = objects_of("there"), objects_of("there", name="pr-13")

    def claimed(objects: dict[tuple[str, str], Obj]) -> set[str]:
        ingresses = (obj for (kind, _), obj in objects.items() if kind == "Ingress")
        return {host for ingress in ingresses for host in hosts(ingress)} | {
            name for kind, name in objects if kind == "Namespace"
        }

    assert claimed(one).isdisjoint(claimed(other))
    assert len(claimed(one)) == len(claimed(other)) == 4


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop", "pr-1-shop"),
        ("shop.example.com", "pr-1-shop.example.com"),
        ("shop.localhost", "pr-1-shop.localhost"),
        ("example.com", "pr-1.example.com"),
        ("example.co.uk", "pr-1.example.co.uk"),
        ("shop.acme.de", "pr-1-shop.acme.de"),
        ("*.example.com", "*.pr-1.example.com"),
        ("a" * 58 + ".x.com", "pr-1-" + "a" * 58 + ".x.com"),
        ("a" * 59 + ".x.com", "pr-1-" + "a" * 49 + "-c94d7bc9.x.com"),
    ],
)
def test_a_host_has_the_name_in_front_within_its_own_domain(host: str, expected: str) -> None:
    assert preview_host(host, "pr-1") == expected


def test_urls_tell_scheme_port_and_path() -> None:
    def ingress(name: str, *paths: str, **more: Any) -> Obj:
        rule = {"host": f"{name}.example", "http": {"paths": [{"path": path} for path in paths]}}
        notes = more.pop("annotations", {})
        return {"metadata": {"name": name, "annotations": notes}, "spec": {"rules": [rule], **more}}

    alb = {"alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:1"}
    found = [
        ingress("a", "/"),
        ingress("b", "/v1", tls=[{"hosts": ["b.example"]}]),
        ingress("c", "/", annotations=alb),
        {"metadata": {"name": "d"}},
    ]

    assert urls_of(found, None) == {
        "a": ["http://a.example"],
        "b": ["https://b.example/v1"],
        "c": ["https://c.example"],
        "d": [],
    }
    assert urls_of(found[:1], 8080) == {"a": ["http://a.example:8080"]}


@pytest.mark.parametrize(
    ("cluster", "context", "place"),
    [
        (None, None, Place(context="eks-staging")),
        (None, "mine", Place(context="mine")),
        ("local", None, Place()),
        ("big", None, Place(cluster="big")),
        ("other", None, Place(cluster="other")),
        ("made", "mine", Place(context="mine")),
    ],
)
def test_the_command_line_wins_over_the_file_about_where_previews_are(
    cluster: str | None, context: str | None, place: Place
) -> None:
    home = find_home(Source(), cluster, context)

    assert (home.app, home.place, home.environment) == ("shop", place, "qa")


def test_without_a_file_previews_are_local_and_named_after_the_project() -> None:
    Path("leeward.yaml").unlink()

    assert find_home(Source(), None, None) == Home("work", Previews(), Place())
    assert find_home(Source(project_name="mine"), None, None).app == "mine"


def test_previews_may_be_on_a_cluster_that_leeward_made() -> None:
    place = find_home(Source(), "made", None).place

    assert place == Place(spec=str(Path.cwd() / "cluster.yaml"))
    assert not place.is_embedded


@pytest.mark.parametrize(("ttl", "seconds"), [(None, 7200.0), ("90m", 5400.0), ("3d", 259200.0)])
def test_the_time_of_a_preview_is_that_of_the_option_else_of_the_file(
    ttl: str | None, seconds: float
) -> None:
    assert seconds_of(ttl, Previews(ttl=7200.0)) == seconds


@pytest.mark.parametrize("ttl", ["0", "0s", "never", "", "-5m", "367d", "9" * 40 + "h", "٣h"])
def test_a_time_that_is_none_is_refused(tool: Tool, ttl: str) -> None:
    code, _, err = tool("up", "--preview", "x", f"--ttl={ttl}")

    assert code == 2
    assert "Traceback" not in err
    assert "--ttl" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "--ttl", "1h"), "--ttl is for previews only"),
        (("up", "--image", "web=x@sha256:" + "a" * 64), "--image is for previews only"),
        (("up", "--context", "x"), "--context is for previews only"),
        (("down", "--context", "x"), "--context is for previews only"),
        (("up", "--preview", "//"), "'//' is no name for a preview"),
        (("down", "--preview", ""), "'' is no name for a preview"),
        (("up", "--preview", "x", "--image", "web=shop"), "has no digest"),
        (("up", "--preview", "x", "--image", "nope=x@sha256:" + "a" * 64), "has no service 'nope'"),
        (("up", "--preview", "x", "--cluster", "made"), '"region" is required here.'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(
    tool: Tool, arguments: Sequence[str], said: str
) -> None:
    code, _, err = tool(*arguments)

    assert code == 2
    assert said in err


@pytest.mark.parametrize("verb", [("down", "--preview", "x"), ("preview", "list"), ("preview", "prune")])
def test_an_embedded_cluster_that_does_not_run_is_told(tool: Tool, verb: Sequence[str]) -> None:
    code, _, err = tool(*verb, "--cluster", "local")

    assert code == 1
    assert "cluster 'local' does not exist" in err


def test_given_images_are_taken_and_what_is_built_of_the_others_is_pushed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pin = "registry.example/web@sha256:" + "b" * 64
    asked: list[str] = []

    async def pushed(wish: Wish, project: Any) -> dict[str, str]:
        asked.extend(project.services)
        return dict.fromkeys(project.services, "registry.example/api@sha256:" + "c" * 64)

    monkeypatch.setattr(previewing, "_pushed", pushed)
    Path("qa.yaml").write_text(
        "services: {smoke: {image: 'shop/api:1', command: run}, web: {build: .}, api: {build: .}}\n"
    )
    rendered = previewing._render(Wish.of("x", Source(), None, None, images=[f"web={pin}"]), strict=False)

    images = {
        obj["metadata"]["name"]: obj["spec"]["template"]["spec"]["containers"][0]["image"]
        for obj in rendered.objects
        if obj["kind"] in ("Deployment", "StatefulSet")
    }
    assert sorted(asked) == ["api", "smoke"]  # smoke runs what api builds
    assert images["web"] == pin
    assert images["api"].startswith("registry.example/api@")
    assert images["db"] == "postgres:16"


def test_an_interrupted_preview_is_told_to_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    from leeward.cli.interrupts import InterruptedByUserError

    async def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(previewing, "_bring_up", interrupted)
    with pytest.raises(InterruptedByUserError, match="leeward down --preview pr-1"):
        bring_up(Wish.of("pr-1", Source(), None, None), _never, timeout=1, strict=False)


def _never(name: str, rendered: Any) -> None:
    pytest.fail("an embedded cluster was started")


@pytest.mark.parametrize(
    ("previews", "said"),
    [
        ("{cluster: nope}", 'There is no cluster "nope"'),
        ("{like: nope}", 'There is no environment "nope"'),
        ("{ttl: 0s}", "more than nothing"),
        ("{ttl: 400d}", "at most 366 days"),
        ("{access: {devs: promote}}", "none"),
        ("{hosts: x}", "hosts"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(tool: Tool, previews: str, said: str) -> None:
    lines = CONFIG.splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.startswith("previews"))
    Path("leeward.yaml").write_text("\n".join([*lines[: line - 1], f"previews: {previews}"]))

    code, _, err = tool("up", "--preview", "x")

    assert code == 2
    assert f"leeward.yaml:{line}:" in err
    assert said in err
