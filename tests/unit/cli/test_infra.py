"""A repository of clusters, as people use it: made, added to, replicated, checked, priced; mistakes told."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from leeward.infra.aws import nodegroups, session


@pytest.fixture
def repository(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with one cluster, and work in it."""
    assert tool("infra", "init", str(tmp_path / "repo"))[0] == 0
    monkeypatch.chdir(tmp_path / "repo")
    assert tool("infra", "add", "prod-use1", "--region", "us-east-1")[0] == 0
    return tmp_path / "repo"


def _spec(repository: Path, name: str = "prod-use1") -> Path:
    return repository / "clusters" / name / "cluster.yaml"


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _tree(directory: Path) -> dict[str, bytes]:
    found = directory.rglob("*")
    return {str(path.relative_to(directory)): path.read_bytes() for path in found if path.is_file()}


def test_a_repository_is_made_once_and_is_as_the_specs_say(tool: Any, repository: Path) -> None:
    before = _tree(repository)

    assert tool("infra", "render", "--check")[0] == 0
    assert tool("infra", "render")[:2] == (0, "Everything is as the specs say.\n")
    assert tool("infra", "init", ".")[0] == 0
    assert _tree(repository) == before


def test_a_replica_is_one_command_and_has_addresses_of_its_own(tool: Any, repository: Path) -> None:
    assert tool("infra", "clone", "prod-use1", "prod-euw1", "--region", "eu-west-1")[0] == 0

    one, other = (
        json.loads((repository / f"clusters/{name}/cluster.auto.tfvars.json").read_text(encoding="utf-8"))
        for name in ("prod-use1", "prod-euw1")
    )
    assert {key for key in one if one[key] != other[key]} == {
        "cidr", "control_plane_zones", "name", "region", "zone_slots", "node_groups",
    }  # fmt: skip
    assert tool("infra", "diff", "prod-use1", "prod-euw1")[2].endswith(
        "but for its name, place and addresses\n"
    )
    _change(_spec(repository, "prod-euw1"), "max: 4", "max: 6")
    _, differs, _ = tool("infra", "diff", "prod-use1", "prod-euw1")
    assert [line.split() for line in differs.splitlines()] == [
        ["SETTING", "PROD-USE1", "PROD-EUW1"], ["node_groups.general.max", "4", "6"],
    ]  # fmt: skip
    code, out, _ = tool("infra", "check", "--output", "json")
    assert code == 0
    assert "overlapping-addresses" not in out


def test_the_order_of_zones_and_groups_changes_no_file(tool: Any, repository: Path) -> None:
    spec = _spec(repository)
    _change(spec, "region: us-east-1\n", "region: us-east-1\nzones: [us-east-1c, us-east-1a, us-east-1b]\n")
    _change(spec, "access:", "  batch: {types: m7i.large}\naccess:")
    assert tool("infra", "render")[0] == 0
    before = _tree(repository)
    text = spec.read_text(encoding="utf-8")
    groups = text[text.index("  general:") : text.index("  batch:")]
    spec.write_text(
        text.replace(groups, "")
        .replace("  batch: {types: m7i.large}\n", "  batch: {types: m7i.large}\n" + groups)
        .replace("[us-east-1c, us-east-1a, us-east-1b]", "[us-east-1b, us-east-1c, us-east-1a]"),
        encoding="utf-8",
    )

    assert tool("infra", "render")[:2] == (0, "Everything is as the specs say.\n")
    after = _tree(repository)
    assert {name for name in after if after[name] != before[name]} == {"clusters/prod-use1/cluster.yaml"}


def test_what_people_write_survives_every_command(tool: Any, repository: Path) -> None:
    extra = repository / "clusters/prod-use1/extra.tf"
    extra.write_text("# ours\n", encoding="utf-8")
    _change(_spec(repository), "max: 4", "max: 6   # for the sale")

    for command in (["render", "--force"], ["clone", "prod-use1", "two"], ["render"], ["check"], ["cost"]):
        assert tool("infra", *command)[0] == 0, command
    assert extra.read_text(encoding="utf-8") == "# ours\n"
    assert "# for the sale" in _spec(repository).read_text(encoding="utf-8")
    assert "# for the sale" in _spec(repository, "two").read_text(encoding="utf-8")


def test_a_generated_file_that_was_edited_is_told_and_kept(tool: Any, repository: Path) -> None:
    main = repository / "clusters/prod-use1/main.tf"
    main.write_text("# mine\n", encoding="utf-8")
    _change(_spec(repository), "max: 4", "max: 6")

    code, _, err = tool("infra", "render")

    assert code == 1
    assert "main.tf was edited since it was rendered" in err
    assert "--force" in err
    assert main.read_text(encoding="utf-8") == "# mine\n"
    variables = (repository / "clusters/prod-use1/cluster.auto.tfvars.json").read_text(encoding="utf-8")
    assert '"max": 4' in variables  # nothing was written
    assert tool("infra", "render", "--force")[0] == 0
    assert main.read_text(encoding="utf-8") != "# mine\n"


def test_a_wrong_spec_writes_nothing_and_is_told_with_its_line(tool: Any, repository: Path) -> None:
    before = _tree(repository)
    _change(_spec(repository), "[m7i.large, m6i.large]", "[m7i.lagre]")

    code, _, err = tool("infra", "render")

    assert code == 2
    assert "clusters/prod-use1/cluster.yaml:8" in err
    assert 'Did you mean "m7i.large"?' in err
    assert {name for name, text in _tree(repository).items() if before.get(name) != text} == {
        "clusters/prod-use1/cluster.yaml"
    }


def test_what_is_for_life_cannot_be_changed(tool: Any, repository: Path) -> None:
    _change(_spec(repository), "10.10.0.0/16", "10.99.0.0/16")

    code, _, err = tool("infra", "render")

    assert code == 2
    assert "cannot become 10.99.0.0/16" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "prod-use1", "--region", "us-east-1"], "already"),
        (["add", "new", "--region", "us-eats-1"], 'Did you mean "us-east-1"?'),
        (["add", "New", "--region", "us-east-1"], "lower-case"),
        (["add", "new", "--region", "us-west-1"], "three zones"),
        (["add", "new", "--region", "us-east-1", "--cidr", "10.0.0.0/8"], "/16"),
        (["add", "new", "--region", "us-east-1", "--type", "t3.nano"], "t3.medium"),
        (["add", "../new", "--region", "us-east-1"], "lower-case"),
        (["add", "a/b/c", "--region", "us-east-1"], "lower-case"),
        (["add", "", "--region", "us-east-1"], "lower-case"),
        (["check", "--manifests", "clusters"], "not of prod-use1"),
        (["cost", "prod-use1", "--manifests", "clusters"], "not of prod-use1"),
        (["cost", "--manifests", "clusters"], "Name it"),
        (["clone", "prod-use2", "new"], 'Did you mean "prod-use1"?'),
        (["clone", "prod-use1", "prod-use1"], "already"),
        (["check", "prod"], 'Did you mean "prod-use1"?'),
        (["check", "--manifests", "nowhere"], "no directory"),
        (["cost", "prod-use1", "--refresh", "nowhere.json"], "cannot be read"),
        (["cost", "--against", "HEAD"], "Name it"),
        (["diff", "prod-use1", "other"], "There are"),
        (["diff", "prod-use1", "--against=--output=leaked"], "git has no"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_is_told_and_leaves_nothing(
    arguments: list[str], words: str, tool: Any, repository: Path
) -> None:
    before = _tree(repository)

    code, out, err = tool("infra", *arguments)

    assert code == 2
    assert words in err
    assert "Traceback" not in out + err
    assert _tree(repository) == before
    assert sorted(path.name for path in (repository / "clusters").iterdir()) == ["prod-use1"]


def test_elsewhere_there_is_no_repository(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    code, _, err = tool("infra", "render")

    assert code == 2
    assert "leeward infra init" in err


def test_a_directory_with_something_else_is_left_alone(tool: Any, tmp_path: Path) -> None:
    directory = tmp_path / "full"
    directory.mkdir()
    (directory / "notes.txt").write_text("mine", encoding="utf-8")

    code, _, err = tool("infra", "init", str(directory))

    assert code == 2
    assert "notes.txt" in err
    assert [path.name for path in directory.iterdir()] == ["notes.txt"]
    assert tool("infra", "init", str(directory), "--force")[0] == 0
    assert (directory / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_check_counts_what_environments_run(tool: Any, repository: Path) -> None:
    _change(_spec(repository), "environments: []", "environments: [production]")
    manifests = repository / "production"
    manifests.mkdir()
    (manifests / "web.yaml").write_text(_WEB, encoding="utf-8")

    code, out, err = tool("infra", "check", "prod-use1", "--manifests", "production")
    assert code == 1
    assert "does not fit" in out
    assert "clusters/prod-use1/cluster.yaml:6: error: node_groups: Without us-east-1a" in err

    _change(_spec(repository), "max: 4", "max: 12")
    code, out, _ = tool("infra", "check", "prod-use1", "--manifests", "production=production")
    assert code == 0
    assert "fits after autoscaling" in out
    assert tool("infra", "check", "--strict", "--manifests", "production")[0] == 1


_WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 12
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web, resources: {requests: {cpu: "1500m", memory: 1Gi}}}]
"""


_BUDGET = """\
kind: PodDisruptionBudget
metadata: {namespace: shop}
spec: {selector: {}, maxUnavailable: some%}
"""


def test_a_change_is_told_in_words_and_money(tool: Any, repository: Path) -> None:
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *command], cwd=repository, check=True)
    _change(_spec(repository), "max: 4", "max: 8")

    _, differs, _ = tool("infra", "diff", "prod-use1")
    _, costs, _ = tool("infra", "cost", "prod-use1", "--against", "HEAD")

    assert "node_groups.general.max   4        8       in place" in differs
    assert [line.split()[-3] for line in costs.splitlines() if line.startswith("total")] == ["+931.01"]


def test_mistakes_of_every_cluster_are_told_whatever_is_asked(tool: Any, repository: Path) -> None:
    for name in ("two", "three"):
        assert tool("infra", "add", name, "--region", "us-east-1")[0] == 0
    for name in ("two", "three"):
        _change(_spec(repository, name), "m6i.large", "m6i.lagre")
    before = _tree(repository)

    for command in (
        ["add", "four", "--region", "us-east-1"],
        ["clone", "prod-use1", "four"],
        ["check"],
        ["cost"],
    ):
        code, _, err = tool("infra", *command)
        assert code == 2
        assert "clusters/two/cluster.yaml:8" in err
        assert "clusters/three/cluster.yaml:8" in err
    assert _tree(repository) == before


def test_a_removed_cluster_takes_its_terraform_along_but_not_what_people_wrote(
    tool: Any, repository: Path
) -> None:
    assert tool("infra", "add", "two", "--region", "us-east-1")[0] == 0
    (repository / "clusters/two/cluster.yaml").unlink()
    (repository / "clusters/two/terraform.tfstate").write_text("{}", encoding="utf-8")

    code, _, err = tool("infra", "render", "--check")
    assert (code, "clusters/two/main.tf (no spec wants it)" in err) == (1, True)
    code, out, err = tool("infra", "render")

    assert code == 0
    assert "clusters/two/main.tf" in out
    assert "what stays: cluster.lock.json, extra.tf, terraform.tfstate" in err
    assert "leeward infra destroy two" in err
    assert sorted(path.name for path in (repository / "clusters/two").iterdir()) == [
        "cluster.lock.json", "extra.tf", "terraform.tfstate",
    ]  # fmt: skip
    assert tool("infra", "render")[:2] == (0, "Everything is as the specs say.\n")


def test_a_spec_that_comes_back_finds_its_lock(tool: Any, repository: Path) -> None:
    spec, lock = _spec(repository), repository / "clusters/prod-use1/cluster.lock.json"
    before = lock.read_text(encoding="utf-8")

    spec.rename(spec.with_suffix(".yml"))
    assert tool("infra", "render")[0] == 0
    assert tool("infra", "render", "--check")[0] == 0
    assert lock.read_text(encoding="utf-8") == before
    spec.with_suffix(".yml").rename(spec)

    assert tool("infra", "render")[0] == 0
    assert lock.read_text(encoding="utf-8") == before


def test_a_copied_or_renamed_directory_is_told_what_to_do(tool: Any, repository: Path) -> None:
    shutil.copytree(repository / "clusters/prod-use1", repository / "clusters/two")
    code, _, err = tool("infra", "render")
    assert code == 2
    assert "The directory of this cluster is two, but its name is prod-use1" in err

    _change(_spec(repository, "two"), "prod-use1", "two")
    _change(_spec(repository, "two"), "10.10.0.0/16", "10.11.0.0/16")
    code, _, err = tool("infra", "render")
    assert code == 2
    assert "in a directory that was copied, remove its cluster.lock.json and cluster.auto.tfvars.json" in err

    (repository / "clusters/two/cluster.lock.json").unlink()
    code, _, err = tool("infra", "render")
    assert code == 2
    assert "remove cluster.auto.tfvars.json too" in err
    (repository / "clusters/two/cluster.auto.tfvars.json").unlink()
    assert tool("infra", "render")[0] == 0
    assert tool("infra", "render", "--check")[0] == 0


def test_a_replica_keeps_pins_and_line_ends(tool: Any, repository: Path) -> None:
    lock = repository / "clusters/prod-use1/cluster.lock.json"
    _change(lock, '"addons": {}', '"addons": {"vpc-cni": "v1.20.4-eksbuild.2"}')
    spec = _spec(repository)
    spec.write_bytes(b"\xef\xbb\xbf" + spec.read_bytes().replace(b"\n", b"\r\n"))
    assert tool("infra", "render", "--force")[0] == 0

    assert tool("infra", "clone", "prod-use1", "two")[0] == 0

    variables = json.loads((repository / "clusters/two/cluster.auto.tfvars.json").read_text(encoding="utf-8"))
    assert variables["addons"]["vpc-cni"] == "v1.20.4-eksbuild.2"
    assert tool("infra", "render", "--check")[0] == 0
    text = _spec(repository, "two").read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n") > 5


def test_a_new_repository_out_of_version_control_is_one(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tool("infra", "init", str(tmp_path / "new"))[0] == 0
    (tmp_path / "new/clusters").rmdir()  # which git does not keep
    monkeypatch.chdir(tmp_path / "new")

    assert tool("infra", "check")[:2] == (0, "no clusters; leeward infra add NAME --region REGION\n")
    assert tool("infra", "add", "one", "--region", "us-east-1")[0] == 0


def test_environments_share_the_cost_by_what_they_request(tool: Any, repository: Path) -> None:
    _change(_spec(repository), "environments: []", "environments: [qa, production]")
    for name, replicas in (("qa", 1), ("production", 3)):
        (repository / name).mkdir()
        text = _WEB.replace("replicas: 12", f"replicas: {replicas}")
        (repository / name / "web.yaml").write_text(text, encoding="utf-8")

    err = tool("infra", "cost", "prod-use1")[2]
    assert re.search(r"Of it ([0-9.]+) for qa, \1 for production, in equal parts", err)

    both = ["--manifests", "qa", "--manifests", "production"]
    _, out, _ = tool("infra", "cost", "prod-use1", *both, "--output", "json")
    shares = json.loads(out)["environments"]
    assert shares["production"] == pytest.approx(3 * shares["qa"])
    assert "by the CPU and memory that they request." in tool("infra", "cost", "prod-use1", *both)[2]
    err = tool("infra", "cost", "prod-use1", "--manifests", "production")[2]
    assert "0.00 for qa" in err
    assert "what qa requests is not known here" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        (_WEB.replace("replicas: 12", "replicas: many"), "not as Kubernetes has it"),
        (_WEB.replace('"1500m"', "1.5.0"), "not as Kubernetes has it"),
        ("kind: Deployment\nmetadata: [a]\nspec: {}\n", "not as Kubernetes has it"),
        ("kind: Deployment\nspec: [a]\n", "not as Kubernetes has it"),
        (f"{_WEB}---\n{_BUDGET}", "not as Kubernetes has it"),
    ],
)
def test_manifests_that_are_none_are_told(text: str, words: str, tool: Any, repository: Path) -> None:
    _change(_spec(repository), "environments: []", "environments: [production]")
    (repository / "production").mkdir()
    (repository / "production/web.yaml").write_text(text, encoding="utf-8")

    code, out, err = tool("infra", "check", "--manifests", "production")

    assert "Traceback" not in out + err
    assert code == 2
    assert words in err


def test_manifests_of_one_environment_in_several_directories_are_all_counted(
    tool: Any, repository: Path
) -> None:
    _change(_spec(repository), "environments: []", "environments: [production]")
    for name in ("web", "api"):
        (repository / name).mkdir()
        text = _WEB.replace("replicas: 12", "replicas: 2")
        (repository / name / "web.yaml").write_text(text, encoding="utf-8")

    both = [word for name in ("web", "api") for word in ("--manifests", f"production={name}")]
    found = json.loads(tool("infra", "check", *both, "--output", "json")[1])

    assert found["prod-use1"]["zones"][0]["cpu"].startswith("6 of")


def test_manifests_without_anything_are_nothing(tool: Any, repository: Path) -> None:
    _change(_spec(repository), "environments: []", "environments: [production]")
    (repository / "production").mkdir()
    text = "# nothing\n---\n- a\n---\nkind: List\nitems: [a, null]\n---\nkind: Deployment\nspec:\n"
    (repository / "production/web.yaml").write_text(text, encoding="utf-8")

    assert tool("infra", "check", "--manifests", "production")[0] == 0


def test_prices_are_not_taken_by_a_command_that_fails(tool: Any, repository: Path, tmp_path: Path) -> None:
    prices = tmp_path / "new.json"
    prices.write_text('{"date": "2026-11-01", "prices": {"nat_hour": 1}}', encoding="utf-8")

    for more in (["prod"], ["--against", "HEAD"]):
        assert tool("infra", "cost", *more, "--refresh", str(prices))[0] == 2
        assert not (repository / "prices.json").exists()
    assert tool("infra", "cost", "prod-use1", "--refresh", str(prices))[0] == 0
    assert (repository / "prices.json").exists()


def test_a_lost_lock_is_told_and_never_made_up(tool: Any, repository: Path) -> None:
    (repository / "clusters/prod-use1/cluster.lock.json").unlink()
    before = _tree(repository)

    for command in (["render"], ["render", "--force"], ["check"], ["add", "two", "--region", "us-east-1"]):
        code, _, err = tool("infra", *command)
        assert code == 2
        assert "cluster.lock.json is gone, although this cluster was rendered" in err
    assert _tree(repository) == before


def test_a_check_may_ask_aws_how_many_nodes_there_are(
    tool: Any, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "general-a-2026112810150000000000001b"
    size = nodegroups.Size(1, 1, 4)
    now = nodegroups.NodeGroupState(
        name=name, status="ACTIVE", size=size, types=(), is_spot=False, version="", release=""
    )
    monkeypatch.setattr(session, "open_aws", lambda login: login)
    monkeypatch.setattr(nodegroups, "node_groups", lambda _aws, _cluster: [now])
    assert tool("infra", "check", "--live")[0] == 0

    _change(_spec(repository), "min: 1\n    desired: 1", "min: 2\n    desired: 2")

    assert tool("infra", "check")[0] == 0
    code, _, err = tool("infra", "check", "--live")
    assert code == 1
    assert "EKS has 1 nodes in general-a and refuses a min of 2" in err
