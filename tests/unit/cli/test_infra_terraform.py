"""Plan, apply and destroy as people use them, with a Terraform that answers what it is told to: what is asked
before what, what is refused, and every mistake in words. The real one is in tests/e2e/infra."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leeward.cli import infraapplying
from leeward.cli.main import run
from leeward.infra.aws.nodegroups import Size
from tests.unit.infra.plans import CLUSTER, GROUP, change, group, plan

_SCRIPT = """\
#!/bin/sh
here={here}
echo "$@" >> $here/calls
env > $here/environment
case "$1" in
version) cat $here/version ;;
show) cat $here/show.json ;;
plan)
    for each in "$@"; do case "$each" in -out=*) echo plan > "${{each#-out=}}" ;; esac; done
    [ -f $here/next.json ] && mv $here/next.json $here/show.json.after ;;
init) mkdir -p .terraform ;;
esac
[ -f $here/$1.out ] && cat $here/$1.out
if [ -f $here/show.json.after ] && [ "$1" = show ]; then mv $here/show.json.after $here/show.json; fi
exit $(cat $here/$1.code 2>/dev/null || echo 0)
"""


@dataclass
class Fake:
    """A Terraform that answers what it is told to."""

    here: Path

    @property
    def path(self) -> str:
        return str(self.here / "terraform")

    @property
    def calls(self) -> list[str]:
        file = self.here / "calls"
        if not file.exists():
            return []
        return [line.split()[0] for line in file.read_text().splitlines() if not line.startswith("version")]

    def plans(self, *found: dict[str, Any]) -> None:
        """Let the plans that are made be these, one after the other."""
        (self.here / "show.json").write_text(json.dumps(found[0]))
        if len(found) > 1:
            (self.here / "next.json").write_text(json.dumps(found[1]))

    def fails(self, command: str, *said: dict[str, Any] | str) -> None:
        lines = [
            each if isinstance(each, str) else json.dumps({"type": "diagnostic", "diagnostic": each})
            for each in said
        ]
        (self.here / f"{command}.out").write_text("\n".join(lines) + "\n")
        (self.here / f"{command}.code").write_text("1")

    def says(self, command: str, *lines: dict[str, Any]) -> None:
        (self.here / f"{command}.out").write_text("".join(json.dumps(each) + "\n" for each in lines))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Let Terraform be one that plans nothing, until it is told otherwise."""
    here = tmp_path / "fake"
    here.mkdir()
    found = Fake(here)
    (here / "version").write_text('{"terraform_version": "1.11.4"}')
    (here / "terraform").write_text(_SCRIPT.format(here=here))
    (here / "terraform").chmod(0o755)
    found.plans(plan())
    monkeypatch.setenv("LEEWARD_TERRAFORM", found.path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TF_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository with one cluster."""
    root = tmp_path_factory.mktemp("made") / "repo"
    before = Path.cwd()
    try:
        assert run(["infra", "init", str(root)]) == 0
        os.chdir(root)
        assert run(["infra", "add", "prod-use1", "--region", "us-east-1"]) == 0
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a copy of the repository."""
    shutil.copytree(made, tmp_path / "repo")
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def _change(repository: Path, old: str, new: str, tool: Any) -> None:
    path = repository / "clusters/prod-use1/cluster.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert tool("infra", "render")[0] == 0


_GROWS = plan(change(GROUP, ["update"], group("general-a", 1, 2, 4), group("general-a", 1, 2, 8)))
_ANEW = plan(
    change(
        GROUP, ["create", "delete"], group("general-a", 2, 3, 4), group("general-a", 2, 3, 4),
        replace_paths=[["instance_types"]],
    )
)  # fmt: skip
_RAISES = plan(change(GROUP, ["update"], group("general-a", 1, 1, 4), group("general-a", 3, 1, 6)))
_RAISED = plan(change(GROUP, ["update"], group("general-a", 1, 3, 4), group("general-a", 3, 3, 6)))


def test_a_plan_says_what_changes_and_exits_as_terraform_does(
    tool: Any, repository: Path, fake: Fake
) -> None:
    fake.plans(_GROWS)

    code, out, _ = tool("infra", "plan", "prod-use1")

    assert code == 0
    assert "prod-use1: 1 to change\n" in out
    assert "scaling_config.max_size: 4 -> 8" in out
    assert tool("infra", "plan", "prod-use1", "--detailed-exitcode")[0] == 2
    fake.plans(plan())
    assert tool("infra", "plan", "prod-use1", "--detailed-exitcode")[:2] == (
        0,
        "prod-use1 is as its file says: nothing to do\n",
    )


def test_a_plan_for_programs_has_everything(tool: Any, repository: Path, fake: Fake) -> None:
    fake.plans(_ANEW)

    _, out, _ = tool("infra", "plan", "prod-use1", "-o", "json")

    found = json.loads(out)
    assert found["counts"] == {"create": 0, "update": 0, "replace": 1, "destroy": 0, "forget": 0}
    assert found["changes"][0]["forced_by"] == ["instance_types"]
    assert found["consequences"] == [
        {
            "about": 'node_groups.eks_node_group["general-a"]',
            "message": "2 to 4 nodes (3 now) of us-east-1a: drained after new ones are up because of "
            "instance_types.",
            "grave": True,
        }
    ]


def test_init_runs_once_and_again_when_providers_or_modules_change(
    tool: Any, repository: Path, fake: Fake
) -> None:
    for _ in range(2):
        tool("infra", "plan", "prod-use1")
    assert fake.calls == ["init", "plan", "show", "plan", "show"]

    extra = repository / "clusters/prod-use1/extra.tf"
    extra.write_text("# a comment\n", encoding="utf-8")
    tool("infra", "plan", "prod-use1")
    assert fake.calls.count("init") == 1
    extra.write_text('module "shop" {\n  source = "./shop"\n}\n', encoding="utf-8")
    tool("infra", "plan", "prod-use1")
    assert fake.calls.count("init") == 2


def test_a_directory_that_was_not_initialised_after_all_is(tool: Any, repository: Path, fake: Fake) -> None:
    tool("infra", "plan", "prod-use1")
    fake.fails("plan", {"severity": "error", "summary": "Module not installed", "detail": "Run init."})

    code, _, err = tool("infra", "plan", "prod-use1")

    assert code == 1
    assert fake.calls[-3:] == ["plan", "init", "plan"]
    assert "Module not installed" in err


def test_what_was_not_rendered_is_not_planned(tool: Any, repository: Path, fake: Fake) -> None:
    path = repository / "clusters/prod-use1/cluster.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("max: 4", "max: 5"), encoding="utf-8")

    for command in ("plan", "apply"):
        code, _, err = tool("infra", command, "prod-use1")
        assert code == 2
        assert "clusters/prod-use1/cluster.auto.tfvars.json" in err
        assert "leeward infra render" in err
    assert tool("infra", "plan", "prod-use1", "--detailed-exitcode")[0] == 1
    assert fake.calls == []


def test_a_sibling_that_is_broken_is_its_own_matter(tool: Any, repository: Path, fake: Fake) -> None:
    assert tool("infra", "clone", "prod-use1", "other")[0] == 0
    (repository / "clusters/other/cluster.yaml").write_text("name: [\n", encoding="utf-8")

    assert tool("infra", "plan", "prod-use1")[0] == 0


def test_promises_that_are_broken_stop_a_plan(tool: Any, repository: Path, fake: Fake) -> None:
    _change(repository, "min: 1\n    desired: 1", "min: 0\n    desired: 0", tool)

    code, _, err = tool("infra", "plan", "prod-use1")

    assert code == 2
    assert "clusters/prod-use1/cluster.yaml:" in err
    assert "At min there may be no untainted node in us-east-1a" in err
    assert fake.calls == []


def test_an_upgrade_of_two_versions_is_refused_with_its_line(tool: Any, repository: Path, fake: Fake) -> None:
    fake.plans(plan(change(CLUSTER, ["update"], {"version": "1.33"}, {"version": "1.35"})))

    for command in ("plan", "apply"):
        code, _, err = tool("infra", command, "prod-use1")
        assert code == 2
        assert "clusters/prod-use1/cluster.yaml:4: error: kubernetes: The cluster runs 1.33" in err
        assert 'Write kubernetes: "1.34"' in err
    assert "apply" not in fake.calls


def test_an_apply_asks_and_does_what_was_shown(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.plans(_GROWS)
    answers = iter((False, True))
    monkeypatch.setattr("leeward.cli.infraapplying.confirmed", lambda question: next(answers))
    resource = {
        "module": "module.node_groups",
        "resource_type": "aws_eks_node_group",
        "resource_name": "this",
        "resource_key": "general-a",
    }
    policy = resource | {"resource_type": "aws_iam_policy_document"}  # is only read: no step
    fake.says(
        "apply",
        {"type": "apply_complete", "hook": {"resource": policy, "action": "read"}},
        {"type": "apply_start", "hook": {"resource": resource, "action": "update"}},
        {"type": "apply_complete", "hook": {"resource": resource, "action": "update", "elapsed_seconds": 98}},
    )

    code, _, err = tool("infra", "apply", "prod-use1")
    assert (code, err.splitlines()[-1]) == (0, "Nothing was changed.")
    assert "apply" not in fake.calls
    code, out, err = tool("infra", "apply", "prod-use1")

    assert code == 0
    assert '[1/1] changed node_groups.eks_node_group["general-a"] (1 min 38 s)' in err
    assert out.endswith("prod-use1 is as its file says (1 to change: done)\n")
    planned, applied = (
        next(line for line in reversed(_lines(fake)) if line.startswith(word)) for word in ("plan", "apply")
    )
    assert planned.rpartition("-out=")[2] == applied.split()[-1]
    assert not Path(applied.split()[-1]).exists()  # plans have secrets


def _lines(fake: Fake) -> list[str]:
    return (fake.here / "calls").read_text().splitlines()


def test_nothing_to_do_asks_nothing(tool: Any, repository: Path, fake: Fake) -> None:
    assert tool("infra", "apply", "prod-use1")[:2] == (0, "prod-use1 is as its file says: nothing to do\n")
    assert "apply" not in fake.calls


def test_without_a_terminal_nobody_agrees(tool: Any, repository: Path, fake: Fake) -> None:
    for found, remedy in ((_GROWS, "Add --yes."), (_ANEW, "--yes --allow-replace")):
        fake.plans(found)
        code, _, err = tool("infra", "apply", "prod-use1")
        assert code == 2
        assert remedy in err
    assert "apply" not in fake.calls


def test_what_takes_nodes_away_wants_more_than_a_yes(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.plans(_ANEW)

    code, out, err = tool("infra", "apply", "prod-use1", "--yes")
    assert code == 2
    assert "--allow-replace" in err
    assert "! 2 to 4 nodes (3 now) of us-east-1a: drained after new ones are up" in out
    for answer, applies in (("prod-euw1", 0), ("prod-use1", 1)):
        monkeypatch.setattr("typer.prompt", lambda *words, **more: answer)  # noqa: B023
        assert tool("infra", "apply", "prod-use1")[0] == 0
        assert fake.calls.count("apply") == applies
    assert tool("infra", "apply", "prod-use1", "--yes", "--allow-replace")[0] == 0
    assert fake.calls.count("apply") == 2


class _Scaler:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def resize(self, group: str, size: Size) -> None:
        self.done.append((group, str(size)))

    def settle(self, groups: Any) -> None:
        self.done.append(list(groups))


def test_a_min_above_what_is_there_raises_that_first_and_plans_again(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaler = _Scaler()
    monkeypatch.setattr(infraapplying, "_scaler", lambda home, moves: scaler)
    fake.plans(_RAISES, _RAISED)

    code, out, err = tool("infra", "apply", "prod-use1", "--yes")

    assert code == 0, err
    assert "general-a has 1 now, fewer than its new min 3: 2 nodes more, first." in out
    assert scaler.done == [("general-a-2026", "1/3/4"), ["general-a-2026"]]
    assert fake.calls == ["init", "plan", "show", "plan", "show", "apply"]


def test_what_else_changed_while_sizes_did_was_not_agreed_to(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infraapplying, "_scaler", lambda home, moves: _Scaler())
    fake.plans(_RAISES, plan(*_RAISED["resource_changes"], change(CLUSTER, ["delete"], {"name": "x"}, None)))

    code, _, err = tool("infra", "apply", "prod-use1", "--yes")

    assert code == 1
    assert "something changed at AWS since you agreed" in err
    assert "apply" not in fake.calls


def test_who_cannot_ask_aws_gets_the_commands(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fake.plans(_RAISES)

    code, _, err = tool("infra", "apply", "prod-use1", "--yes")

    assert code == 1
    assert (
        "aws eks update-nodegroup-config --region us-east-1 --cluster-name prod-use1 "
        "--nodegroup-name general-a-2026 --scaling-config minSize=1,desiredSize=3,maxSize=4"
    ) in err
    assert "apply" not in fake.calls


def test_a_plan_that_was_kept_is_applied(tool: Any, repository: Path, fake: Fake) -> None:
    fake.plans(_GROWS)
    file = repository / "kept.tfplan"

    assert tool("infra", "plan", "prod-use1", "--out", "kept.tfplan")[2].endswith(
        "Next: leeward infra apply prod-use1 --plan kept.tfplan\n"
    )
    assert tool("infra", "apply", "prod-use1", "--plan", "kept.tfplan", "--yes")[0] == 0
    assert fake.calls.count("plan") == 1
    assert _lines(fake)[-1].endswith(str(file))
    code, _, err = tool("infra", "apply", "prod-use1", "--plan", "nowhere.tfplan", "--yes")
    assert code == 2
    assert "there is no plan nowhere.tfplan" in err
    fake.plans(_RAISES)
    code, _, err = tool("infra", "apply", "prod-use1", "--plan", "kept.tfplan", "--yes")
    assert code == 1
    assert "update-nodegroup-config" in err


def test_what_was_being_made_when_it_was_stopped_is_kept(tool: Any, repository: Path, fake: Fake) -> None:
    subnet = 'module.network.aws_subnet.private["us-east-1a"]'
    tainted = change(subnet, ["create", "delete"], {}, {}, action_reason="replace_because_tainted")
    fake.plans(plan(tainted), _GROWS)

    code, out, err = tool("infra", "apply", "prod-use1", "--yes")

    assert code == 0, err
    assert 'keeping 1 resource whose making was interrupted: network.subnet.private["us-east-1a"]' in err
    assert fake.calls == ["init", "plan", "show", "untaint", "plan", "show", "apply"]
    assert f"untaint -no-color {subnet}" in _lines(fake)
    assert "prod-use1: 1 to change" in out


def test_an_apply_that_fails_says_what_was_done_and_what_to_do(
    tool: Any, repository: Path, fake: Fake
) -> None:
    fake.plans(_GROWS)
    fake.fails(
        "apply",
        {
            "severity": "error",
            "summary": "creating EKS Node Group: LimitExceeded: too many",
            "detail": "",
            "address": GROUP,
            "range": {"filename": "../../modules/node-groups/main.tf", "start": {"line": 31}},
        },
    )

    code, _, err = tool("infra", "apply", "prod-use1", "--yes")

    assert code == 1
    assert f"modules/node-groups/main.tf:31: error: {GROUP}: creating EKS Node Group: LimitExceeded" in err
    assert "Raise the quota" in err
    assert "0 of 1 steps done; run this again to go on" in err


def _at(file: str, line: int) -> dict[str, Any]:
    return {"range": {"filename": file, "start": {"line": line}}}


@pytest.mark.parametrize(
    ("command", "said", "code", "words"),
    [
        ("plan", {"summary": "Unsupported argument", **_at("extra.tf", 7)}, 2,
         "clusters/prod-use1/extra.tf:7: error: Unsupported argument"),
        ("plan", {"summary": "Error acquiring the state lock", "detail": "ID: 12-34\n  Who: kim@ci"}, 1,
         "kim@ci has locked the state"),
        ("plan", {"summary": "No valid credential sources found", **_at("versions.tf", 11)}, 2,
         "aws sso login"),
        ("plan", {"summary": "AWS account ID not allowed: 999"}, 2, "account.id"),
        ("plan", {"summary": "reading EKS Cluster: no such host", "address": CLUSTER}, 1, "HTTPS_PROXY"),
        ("init", {"summary": "Failed to query available provider packages"}, 2, "plugin-dir"),
        ("init", {"summary": "Backend configuration changed"}, 2, "-migrate-state"),
        ("init", "Terraform v1.11 crashed", 1, "terraform init failed: Terraform v1.11 crashed"),
    ],
    ids=lambda value: value.get("summary") if isinstance(value, dict) else None,
)  # fmt: skip
def test_what_terraform_finds_wrong_is_told_in_words(
    command: str, said: Any, code: int, words: str, tool: Any, repository: Path, fake: Fake
) -> None:
    fake.fails(command, {"severity": "error", "detail": "", **said} if isinstance(said, dict) else said)

    found, out, err = tool("infra", "plan", "prod-use1")

    assert found == code
    assert words in err
    assert "Traceback" not in out + err


def test_a_terraform_that_is_missing_or_too_old_is_told(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (fake.here / "version").write_text('{"terraform_version": "1.9.8"}')
    code, _, err = tool("infra", "plan", "prod-use1")
    assert (code, "is version 1.9.8" in err, "1.10" in err) == (2, True, True)

    (fake.here / "version").write_text("hello")
    code, _, err = tool("infra", "plan", "prod-use1")
    assert (code, "is no Terraform" in err) == (2, True)

    code, _, err = tool("infra", "plan", "prod-use1", "--terraform", "/nowhere/terraform")
    assert (code, "there is no program /nowhere/terraform" in err) == (2, True)

    monkeypatch.delenv("LEEWARD_TERRAFORM")
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = tool("infra", "plan", "prod-use1")
    assert (code, "neither terraform nor tofu is installed" in err) == (2, True)

    (tmp_path / "tofu").symlink_to(fake.path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (fake.here / "version").write_text('{"terraform_version": "1.10.6"}')
    (tmp_path / "terraform").write_text("#!/bin/sh\ncat " + str(fake.here / "version"))  # not executable
    assert tool("infra", "plan", "prod-use1")[0] == 0


def test_terraform_runs_as_whom_the_spec_says(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change(repository, "access:", "account: {profile: acme-production}\naccess:", tool)

    tool("infra", "plan", "prod-use1")
    said = (fake.here / "environment").read_text().splitlines()
    assert {"AWS_PROFILE=acme-production", "TF_IN_AUTOMATION=1", "TF_INPUT=0"} <= set(said)

    _change(repository, "account: {profile: acme-production}\n", "", tool)
    monkeypatch.setenv("AWS_PROFILE", "mine")
    tool("infra", "plan", "prod-use1")
    assert "AWS_PROFILE=mine" in (fake.here / "environment").read_text().splitlines()


def test_a_cluster_is_destroyed_by_its_name_only(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.plans(plan(change(CLUSTER, ["delete"], {"name": "prod-use1", "version": "1.30"}, None)))

    code, _, err = tool("infra", "destroy", "prod-use1", "--yes")
    assert (code, "--name prod-use1" in err) == (2, True)
    code, _, err = tool("infra", "destroy", "prod-use1", "--yes", "--name", "prod")
    assert (code, "prod is not prod-use1" in err) == (2, True)
    code, _, err = tool("infra", "destroy", "prod-use1")
    assert (code, "--yes --name prod-use1" in err) == (2, True)
    monkeypatch.setattr("typer.prompt", lambda *words, **more: "yes")
    code, _, err = tool("infra", "destroy", "prod-use1")
    assert (code, "Nothing was destroyed." in err) == (0, True)
    assert "apply" not in fake.calls

    code, out, _ = tool("infra", "destroy", "prod-use1", "--yes", "--name", "prod-use1")
    assert code == 0
    assert "apply" in fake.calls
    assert any("-destroy" in line for line in _lines(fake) if line.startswith("plan"))
    assert "prod-use1 is destroyed. What stays:" in out
    assert str(repository / "clusters/prod-use1") in out


def test_a_cluster_that_hosts_something_is_not_destroyed(tool: Any, repository: Path, fake: Fake) -> None:
    _change(repository, "environments: []", "environments: [production]", tool)
    fake.plans(plan(change(CLUSTER, ["delete"], {"name": "prod-use1"}, None)))
    command = ("infra", "destroy", "prod-use1", "--yes", "--name", "prod-use1")

    code, _, err = tool(*command)
    assert (code, "prod-use1 hosts production" in err, fake.calls) == (2, True, [])
    assert tool(*command, "--hosted-too")[0] == 0
    assert "apply" in fake.calls


def test_destroying_nothing_is_said(tool: Any, repository: Path, fake: Fake) -> None:
    code, out, _ = tool("infra", "destroy", "prod-use1", "--yes", "--name", "prod-use1")

    assert code == 0
    assert "there is nothing to destroy" in out
    assert "apply" not in fake.calls


_WAITS = """\
trap 'exit 1' INT
kill -INT $PPID
while :; do sleep 0.02; done
"""


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_ctrl_c_is_passed_on_once_and_told(command: str, tool: Any, repository: Path, fake: Fake) -> None:
    fake.plans(_GROWS)
    script = Path(fake.path).read_text(encoding="utf-8")
    Path(fake.path).write_text(
        script.replace('case "$1" in', f'if [ "$1" = {command} ]; then {_WAITS} fi\ncase "$1" in'),
        encoding="utf-8",
    )

    code, _, err = tool("infra", "apply", "prod-use1", "--yes")

    assert code == 130
    assert "Terraform stops when what was begun is done, and unlocks the state" in err
    assert {
        "plan": "interrupted: nothing of prod-use1 was changed",
        "apply": "interrupted: 0 of 1 steps done; run this again to go on",
    }[command] in err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_whatever_goes_wrong_here_terraform_is_let_end_what_it_has_begun(
    tool: Any, repository: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_said: Any) -> None:
        raise BrokenPipeError

    fake.plans(_GROWS)
    ends = f"trap 'echo unlocked >> {fake.here}/calls; exit 1' INT\n"
    step = json.dumps({"type": "apply_start", "hook": {"resource": {}, "action": "update"}})
    script = Path(fake.path).read_text(encoding="utf-8")
    waits = f"{ends}echo '{step}'\nwhile :; do sleep 0.02; done\n"
    Path(fake.path).write_text(
        script.replace('case "$1" in', f'if [ "$1" = apply ]; then {waits} fi\ncase "$1" in'),
        encoding="utf-8",
    )
    monkeypatch.setattr("leeward.cli.terraforming.Progress.__call__", gone)
    monkeypatch.setattr("sys.stderr.close", lambda: None, raising=False)

    tool("infra", "apply", "prod-use1", "--yes")

    assert _lines(fake)[-1] == "unlocked"


@pytest.mark.parametrize("command", ["plan", "apply", "destroy"])
def test_a_cluster_that_is_not_there_is_told(command: str, tool: Any, repository: Path, fake: Fake) -> None:
    code, _, err = tool("infra", command, "prod-use2")

    assert code == 2
    assert 'Did you mean "prod-use1"?' in err
    assert fake.calls == []
