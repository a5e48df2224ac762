"""Differences in Compose's words, what is dangerous about them, and what approvals are bound to."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leeward.delivery.wording.differences import Side, diff_hash, differences, summary
from leeward.kube.objects import Obj
from tests.unit.delivery.manifests import kept, rendered, said, service

OLD = "registry.example.com/shop/web@sha256:" + "3f9a12" + "0" * 58
NEW = "registry.example.com/shop/web@sha256:" + "77ab01" + "0" * 58


def web(**keys: Any) -> str:
    return service(**keys)


def worded(old: str, new: str, **versions: Any) -> list[str]:
    """Return the differences of two images of web."""
    sides = [
        Side(objects=rendered(web(), images={"web": image}), **versions.get(name, {}))
        for name, image in (("before", old), ("after", new))
    ]
    return [str(line) for line in differences(*sides)]


def test_an_image_is_told_short_and_with_what_people_call_it() -> None:
    named = {"before": {"version": "1.2"}, "after": {"version": "1.3"}}
    assert worded(OLD, NEW, **named) == [
        "web: image registry.example.com/shop/web@3f9a12… → @77ab01… (1.2 → 1.3)"
    ]
    by_image = {"before": {"version": "7", "images": {OLD: "1.2"}}, "after": {"version": "1.2"}}
    assert worded(OLD, NEW, **by_image) == ["web: image registry.example.com/shop/web@3f9a12… → @77ab01…"]


def test_an_image_of_another_name_is_told_in_full() -> None:
    assert worded("localhost:5000/web:1", "localhost:5000/shop:1") == [
        "web: image localhost:5000/web:1 → localhost:5000/shop:1"
    ]
    assert worded("localhost:5000/web:1", "localhost:5000/web:2") == ["web: image localhost:5000/web:1 → :2"]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({}, {"environment": {"FOO": "1"}}, ["+ environment FOO"]),
        ({"environment": {"FOO": "1"}}, {}, ["- environment FOO"]),
        (
            {"environment": {"LOG_LEVEL": "info"}},
            {"environment": {"LOG_LEVEL": "debug"}},
            ["environment LOG_LEVEL info → debug"],
        ),
        ({"environment": {"A": ""}}, {"environment": {"A": "x"}}, ['environment A "" → x']),
        ({"environment": {"A": "$$(B)"}}, {"environment": {"A": "$$$$"}}, ["environment A $(B) → $$"]),
        ({"environment": {"A": "a\nb"}}, {"environment": {"A": "c"}}, ["environment A a\\nb → c"]),
        ({"mem_limit": "512m"}, {"mem_limit": "1g"}, ["memory 512M → 1G"]),
        ({"cpus": 0.5}, {"cpus": 2}, ["cpus 0.5 → 2"]),
        ({"scale": 2}, {"scale": 3}, ["replicas 2 → 3"]),
        ({"command": "run"}, {"command": "run --fast 'a b'"}, ["command run → run --fast 'a b'"]),
        ({}, {"entrypoint": ["/init"]}, ["+ entrypoint /init"]),
        ({"user": "1000"}, {"user": "1001:7"}, ["user 1000 → 1001:7"]),
        ({"working_dir": "/a"}, {"working_dir": "/b"}, ["working_dir /a → /b"]),
        ({"stop_grace_period": "10s"}, {"stop_grace_period": "20s"}, ["time to stop 10s → 20s"]),
        ({}, {"tmpfs": "/tmp"}, ["+ volume tmpfs:/tmp"]),
        ({"tty": True}, {}, ["- tty true"]),
        ({}, {"cap_add": ["NET_ADMIN"]}, ["+ securityContext.capabilities"]),
    ],
)  # fmt: skip
def test_a_key_of_a_service_is_told_as_the_file_says_it(
    before: dict[str, Any], after: dict[str, Any], lines: list[str]
) -> None:
    found = said(web(**before), web(**after))
    assert [line for line in found if line.removeprefix("web: ") in lines] == [
        f"web: {each}" for each in lines
    ]
    assert not any("BREAKING" in line for line in found)


def test_a_health_check_is_told_by_what_is_otherwise() -> None:
    check = {"test": ["CMD", "check"], "interval": "3s", "retries": 3}
    before = web(healthcheck=check)
    found = said(before, web(healthcheck={**check, "test": ["CMD", "check", "-v"], "interval": "5s"}))
    assert "web: healthcheck check → check -v" in found
    assert "web: healthcheck interval 3s → 5s" in found
    assert "web: - healthcheck check" in said(before, web())
    assert not any("interval" in line for line in said(before, web()))


def test_what_a_service_waits_for_is_told() -> None:
    top = {"db": {"image": "db"}}

    def waiting(**conditions: str) -> str:
        depends = {name: {"condition": each} for name, each in conditions.items()}
        more = "".join(f"  {name}: {{image: {each['image']}}}\n" for name, each in top.items())
        return web(**({"depends_on": depends} if depends else {})).rstrip() + f"\n{more}"

    assert said(waiting(), waiting(db="service_started")) == ["web: + depends_on db service_started"]
    changed = said(waiting(db="service_started"), waiting(db="service_healthy"))
    assert changed[0] == "web: depends_on db service_started → service_healthy"


# -- secrets


def test_values_that_look_secret_are_never_shown() -> None:
    before = web(
        environment={"DB_PASSWORD": "hunter2", "URL": "x"},
        command=["run", "--db=postgres://u:sesame@db/x", "--api-token=opensesame", "--password", "swordfish"],
        healthcheck={"test": "DB_PASSWORD=tuna check"},
    )
    after = web(
        environment={"DB_PASSWORD": "hunter3", "URL": "https://u:secret@x"},
        command=["run", "--db=postgres://u:simsim@db/x", "--api-token=closesesame", "--password", "sawfish"],
        healthcheck={"test": "DB_PASSWORD=cod check"},
    )
    found = "\n".join(said(before, after))
    for value in ("hunter", "sesame", "simsim", "fish", "secret@", "tuna", "cod "):
        assert value not in found
    assert "web: environment URL x → (secret)" in found
    assert "web: environment DB_PASSWORD: secret value" in found
    assert "web: command: changed" in found


def test_one_changed_secret_of_several_is_told_as_uncertain() -> None:
    def secrets(**values: str) -> str:
        return web(environment={"A_TOKEN": "aaa", **values})

    assert said(secrets(), web(environment={"A_TOKEN": "bbb"})) == [
        "web: environment A_TOKEN: secret value changed"
    ]
    text = "web: environment A_TOKEN, B_TOKEN: secret values, of which some may have changed"
    assert said(secrets(B_TOKEN="bbb"), secrets(B_TOKEN="ccc")) == [text]
    assert said(secrets(), secrets(B_TOKEN="ccc")) == [
        "web: environment A_TOKEN: secret values, of which some may have changed",
        "web: + environment B_TOKEN",
    ]


def test_configs_secrets_and_files_are_told_by_name_and_place() -> None:
    top = {"configs": {"app": {"content": "1"}}, "secrets": {"key": {"file": "key.txt"}}}
    using: dict[str, Any] = {
        "configs": [{"source": "app", "target": "/etc/app"}],
        "secrets": ["key"],
        "volumes": ["./nginx.conf:/etc/nginx.conf:ro"],
    }
    files = {"key.txt": "k", "nginx.conf": "a"}
    before = rendered(web(top=top, **using), files)
    changed = {"configs": {"app": {"content": "2"}}, "secrets": {"key": {"file": "key.txt"}}}
    after = rendered(web(top=changed, **using), {"key.txt": "K", "nginx.conf": "b"})
    assert summary(differences(Side(objects=kept(before)), Side(objects=after))) == [
        "web: files /etc/nginx.conf: content changed",
        "config app: content changed",
        "secret key: content changed",
    ]
    come = said(web(), web(top=top, **using), files)
    assert come == [
        "web: + files /etc/nginx.conf",
        "web: + config app:/etc/app",
        "web: + secret key:/run/secrets/key",
    ]
    hidden = rendered(web(top=top, **using), {"key.txt": "K", "nginx.conf": "a"}, include_secret_values=False)
    found = differences(Side(objects=kept(before)), Side(objects=hidden))
    assert "secret key: content changed" in map(str, found)


# -- what comes and goes, and what is dangerous


def test_services_that_come_and_go_have_one_line_each() -> None:
    both = web(scale=2).replace("services:", "services:\n  worker: {image: 'w:1', scale: 2}")
    assert said(web(scale=2), both) == ["worker: + service (w:1, 2 replicas)"]
    assert said(both, web(scale=2)) == ["worker: - service"]


def test_a_service_that_others_reach_is_missed_when_it_goes() -> None:
    both = web().replace("services:", "services:\n  api: {image: 'a:1', ports: ['80:8080']}")
    assert said(both, web()) == ["api: BREAKING: - service (port 80:8080)"]


def test_a_port_that_goes_is_dangerous_and_one_that_comes_is_not() -> None:
    assert said(web(ports=["8090:80"]), web(ports=["8091:80"])) == [
        "web: BREAKING: port 8090:80 → 8091:80",
    ]
    assert "web: + port 9000:9000/udp" in said(
        web(ports=["8090:80"]), web(ports=["8090:80", "9000:9000/udp"])
    )
    gone = said(web(ports=["8090:80", "9000:9000"]), web(ports=["8090:80"]))
    assert gone[0] == "web: BREAKING: - port 9000:9000"
    assert said(web(expose=["80"]), web(ports=["8090:80"]))[0] == "web: port 80 → 8090:80"


def test_a_host_that_goes_is_dangerous() -> None:
    def hosts(*names: str) -> str:
        return web(ports=["80:80"], **{"x-leeward": {"hosts": list(names)}})

    assert said(hosts("a.example.com", "b.example.com"), hosts("a.example.com", "c.example.com")) == [
        "web: BREAKING: - host b.example.com",
        "web: + host c.example.com",
    ]


def volume(name: str = "data", **settings: Any) -> str:
    return web(
        volumes=[f"{name}:/data"], top={"volumes": {name: {"x-leeward": settings} if settings else {}}}
    )


def shared(**settings: Any) -> str:
    """Return two services that share a volume, which is a claim of its own."""
    text = volume(**settings)
    return text.replace("services:", "services:\n  api: {image: 'a:1', volumes: ['data:/data']}", 1)


def test_a_volume_that_cannot_be_changed_is_dangerous() -> None:
    stays = "it keeps its class and access, and only grows, where its class allows it"
    assert f"volume data: BREAKING: 1G, ReadWriteMany → 2G, ReadWriteMany: {stays}" in said(
        shared(), shared(size="2Gi")
    )
    found = said(shared(), shared(**{"class": "gp3"}))
    assert f"volume data: BREAKING: 1G, ReadWriteMany → 1G, ReadWriteMany, class gp3: {stays}" in found


def test_a_volume_that_goes_is_dangerous_and_its_data_stays() -> None:
    without = web().replace("services:", "services:\n  api: {image: 'a:1'}")
    found = said(shared(), without)
    assert "volume data: BREAKING: removed: its data stays in the claim until somebody deletes that" in found
    assert "web: - volume data:/data" in found
    assert "volume data: added (1G, ReadWriteMany)" in said(without, shared())


def stateful(**keys: Any) -> str:
    return web(volumes=["data:/data"], top={"volumes": {"data": keys or None}}, image="postgres:17", scale=3)


def test_what_a_stateful_set_cannot_change_is_dangerous() -> None:
    before, after = rendered(stateful()), rendered(stateful(**{"x-leeward": {"size": "2Gi"}}))
    assert any(obj["kind"] == "StatefulSet" for obj in before)
    found = [str(line) for line in differences(Side(objects=before), Side(objects=after))]
    assert found == [
        "web: BREAKING: volume data 1G, ReadWriteOnce → 2G, ReadWriteOnce: "
        "a StatefulSet's volumes cannot be changed"
    ]
    other = copy.deepcopy(before)
    next(obj for obj in other if obj["kind"] == "StatefulSet")["spec"]["serviceName"] = "x"
    (line,) = differences(Side(objects=before), Side(objects=other))
    assert str(line) == (
        "web: BREAKING: serviceName web-pods → x, which cannot be changed: it has to be made anew"
    )
    assert line.danger == "fixed"


def changed(kind: str, path: str, value: Any) -> list[str]:
    """Return the differences when one field of the object of a kind is changed."""
    before = rendered(web(ports=["80:80"], scale=2))
    after = copy.deepcopy(before)
    place = next(obj for obj in after if obj["kind"] == kind)
    *steps, last = path.split(".")
    for step in steps:
        place = place[step]
    place[last] = value
    return [str(line) for line in differences(Side(objects=before), Side(objects=after))]


def test_fields_that_no_compose_file_has_are_told_too() -> None:
    assert changed("Service", "spec.clusterIP", "None") == [
        "web: BREAKING: Service: + clusterIP None, which cannot be changed: it has to be made anew"
    ]
    (selector,) = changed("Service", "spec.selector", {"app": "x"})[:1]
    assert selector.startswith("web: BREAKING: Service: ")
    assert selector.endswith(", so that it leads elsewhere")
    (labels,) = changed("Deployment", "spec.selector.matchLabels", {})[:1]
    assert labels.startswith("web: BREAKING: - selector.matchLabels")
    assert changed("PodDisruptionBudget", "spec.maxUnavailable", 2) == [
        "web: PodDisruptionBudget: maxUnavailable 1 → 2"
    ]
    assert changed("Namespace", "metadata.labels", {"a": "b"})[-1].startswith("Namespace shop-production: ")
    assert changed("Deployment", "spec.template.spec.automountServiceAccountToken", True) == [
        "web: automountServiceAccountToken false → true"
    ]


def test_a_job_that_runs_again_is_dangerous() -> None:
    def job(command: str) -> str:
        return (
            web().replace(
                "services:", f"services:\n  migrate: {{image: 'm:1', command: {command}, restart: 'no'}}"
            )
            + "    depends_on: {migrate: {condition: service_completed_successfully}}\n"
        )

    assert said(job("up"), job("up --all")) == [
        "migrate: BREAKING: runs again",
        "migrate: command up → up --all",
    ]
    assert said(job("up"), job("up")) == []
    sides = [Side(objects=rendered(job(command))) for command in ("up --all", "up")]
    restored = differences(*sides, runs_jobs=False)
    assert [str(line) for line in restored] == ["migrate: command up --all → up"]


def test_a_service_that_becomes_another_kind_is_made_anew() -> None:
    found = said(web(), web(**{"x-leeward": {"schedule": "@daily"}}))
    assert "web: BREAKING: runs as Deployment → CronJob, for which it has to be made anew" in found
    assert "web: + schedule @daily Etc/UTC" in found


def test_autoscaling_takes_the_place_of_replicas() -> None:
    found = said(web(scale=2), web(scale=2, **{"x-leeward": {"autoscale": {"min": 2, "max": 6}}}))
    assert found[:2] == ["web: - replicas 2", "web: + autoscale 2 to 6"]


def test_services_with_dangers_come_first_and_the_important_comes_first() -> None:
    before = web(ports=["80:80"], environment={"A": "1"}).replace(
        "services:", "services:\n  api: {image: 'a:1'}"
    )
    after = web(environment={"A": "2"}, scale=2).replace("services:", "services:\n  api: {image: 'a:2'}")
    found = said(before, after)
    assert [line.partition(":")[0] for line in found[-1:]] == ["api"]
    assert found[0] == "web: BREAKING: - port 80:80"
    assert found.index("web: environment A 1 → 2") < found.index("web: replicas 1 → 2")


def test_two_environments_differ_in_what_they_run_and_not_in_where() -> None:
    here, there = rendered(web(scale=2), namespace="shop-qa"), rendered(web(scale=3), namespace="shop-uat")
    assert summary(differences(Side(objects=here), Side(objects=there))) == ["web: replicas 2 → 3"]


def test_nothing_that_changes_is_said_to_be_nothing() -> None:
    assert summary([]) == ["nothing changes"]


# -- what approvals are bound to


def test_a_difference_has_the_same_hash_in_any_order_and_without_values() -> None:
    before, after = rendered(web()), rendered(web(environment={"A_TOKEN": "x"}, scale=2))
    expected = diff_hash(before, after, 3)
    assert expected.startswith("sha256:")
    assert diff_hash(before[::-1], after[::-1], 3) == expected
    assert diff_hash(kept(before), kept(after), 3) == expected


def test_a_hash_changes_with_the_secret_with_the_variables_and_with_either_side() -> None:
    before, after = rendered(web()), rendered(web(environment={"A_TOKEN": "x"}))
    other = rendered(web(environment={"A_TOKEN": "y"}))
    hashes = {
        diff_hash(before, after, 3),
        diff_hash(before, after, 4),
        diff_hash(before, other, 3),
        diff_hash(other, after, 3),
        diff_hash([], after, 3),
        diff_hash(before, [], 3),
        diff_hash(after, before, 3),
    }
    assert len(hashes) == 7


OBJECTS = rendered(
    web(
        ports=["80:80"], environment={"A": "1", "A_TOKEN": "t"}, volumes=["data:/d"], scale=2,
        top={"volumes": {"data": None}},
    )
)  # fmt: skip
SERVICES = st.fixed_dictionaries(
    {"image": st.sampled_from(["x:1", "y"])},
    optional={
        "ports": st.sampled_from([["80:80"], ["8080"]]),
        "environment": st.sampled_from([{"A": "1"}, {"DB_PASSWORD": "s", "A": "2"}]),
        "volumes": st.sampled_from([["data:/d"], ["own:/d"]]),
        "scale": st.integers(0, 4),
        "restart": st.sampled_from(["always", "no"]),
        "healthcheck": st.just({"test": "true"}),
        "networks": st.sampled_from([["front"], ["front", "back"]]),
        "mem_limit": st.sampled_from(["1g", "512m"]),
    },
)
PROJECTS = st.dictionaries(st.sampled_from(("api", "db", "web")), SERVICES, min_size=1).map(
    lambda services: str(
        {
            "services": services,
            "volumes": {"data": {}, "own": {}},
            "networks": {"front": {}, "back": {}},
        }
    )
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(PROJECTS, PROJECTS, st.randoms())
def test_nothing_differs_from_itself_and_whatever_differs_is_told(one: str, other: str, random: Any) -> None:
    before, after = rendered(one), rendered(other)
    mixed = [*after]
    random.shuffle(mixed)
    assert differences(Side(objects=kept(after)), Side(objects=mixed)) == []
    assert diff_hash(before, after, 1) == diff_hash(before, mixed, 1)
    lines = differences(Side(objects=before), Side(objects=after))
    assert bool(lines) == (kept(sorted_(before)) != kept(sorted_(after)))


def sorted_(objects: list[Obj]) -> list[Obj]:
    return sorted(objects, key=lambda obj: (obj["kind"], obj["metadata"]["name"]))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every text and number in an object."""
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in paths(each, (*path, key))]
    if isinstance(value, list):
        return [found for index, each in enumerate(value) for found in paths(each, (*path, index))]
    return [path]


PATHS = [
    path
    for path in paths(OBJECTS)
    if not (OBJECTS[path[0]]["kind"] == "Secret" and path[1] in ("data", "stringData"))
]


@given(st.sampled_from(PATHS), st.booleans())
def test_a_hash_changes_with_any_value(path: tuple[Any, ...], earlier: bool) -> None:
    other = copy.deepcopy(OBJECTS)
    place: Any = other
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = f"{place[path[-1]]}x"
    sides = (other, OBJECTS) if earlier else (OBJECTS, other)
    assert diff_hash(*sides, 1) != diff_hash(OBJECTS, OBJECTS, 1)
