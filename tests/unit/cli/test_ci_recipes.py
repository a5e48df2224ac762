"""The recipes of ``docs/ci.md``: valid YAML, whole workflows, and no leeward command in them that is none."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from leeward.cli.main import build_app
from leeward.settings.check import check
from leeward.settings.config import Config

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
BLOCKS: list[dict[Any, Any]] = [
    yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]
GITHUB = [block for block in BLOCKS if "jobs" in block]
GITLAB = [block for block in BLOCKS if "stages" in block]
_KEYWORDS = ("stages", "workflow", "default", "variables", "include")  # of GitLab, which are no jobs
_RESERVED = ("image", "services", "before_script", "after_script", "cache", "pages", "true", "false", "nil")


def gitlab_jobs(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: job for name, job in pipeline.items() if name not in _KEYWORDS}


def scripts() -> Iterator[tuple[str, str]]:
    """Yield the name of a job and one script of it."""
    for workflow in GITHUB:
        for name, job in workflow["jobs"].items():
            for step in job["steps"]:
                if "run" in step:
                    yield f"{workflow['name']}/{name}", step["run"]
    for pipeline in GITLAB:
        for name, job in gitlab_jobs(pipeline).items():
            for line in (*job.get("before_script", ()), *job.get("script", ())):
                yield f"gitlab/{name}", line


def simple_commands(script: str) -> Iterator[list[str]]:
    """Yield the words of every simple command of a shell script, redirections left out."""
    script = re.sub(r"\$\{\{.*?\}\}", "EXPRESSION", script)
    script = script.replace("\\\n", " ").replace("$(", " ; ")
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in (*lexer, ";"):
            if set(word) <= set("();|&"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def leeward_commands(script: str) -> list[list[str]]:
    found = []
    for words in simple_commands(script):
        if words[0] == "leeward":
            end = next((index for index, word in enumerate(words) if set(word) <= set("<>")), len(words))
            found.append(words[1:end])
    return found


def parse(arguments: list[str]) -> str:
    """Parse a command line as leeward does, without running it; returns the verb.

    Raises:
        Exception: a usage error of click's: no such command or option, or a value that does not fit.
    """
    command: Any = typer.main.get_command(build_app())
    context = command.make_context("leeward", [], resilient_parsing=True)
    context.resilient_parsing = False
    path: list[str] = []
    while hasattr(command, "resolve_command"):
        assert arguments, f"leeward {' '.join(path)} needs a command"
        name, command, arguments = command.resolve_command(context, arguments)
        path.append(str(name))
    command.make_context(path[-1], list(arguments), parent=context)
    return " ".join(path)


COMMANDS = [(job, words) for job, script in scripts() for words in leeward_commands(script)]


@pytest.mark.parametrize(
    ("job", "arguments"), COMMANDS, ids=[f"{job}: {words[0]}" for job, words in COMMANDS]
)
def test_a_command_of_a_recipe_is_understood(job: str, arguments: list[str]) -> None:
    assert parse(arguments)


def test_the_recipes_do_everything_that_a_pipeline_does() -> None:
    def verbs(host: str) -> set[str]:
        return {
            parse(words) for job, words in COMMANDS if (job.split("/")[0] == "gitlab") == (host == "gitlab")
        }

    wanted = {"release create", "release render", "promote", "up", "down", "preview list", "preview prune"}
    assert verbs("gitlab") == wanted
    assert verbs("github") == {*wanted, "check", "render", "ps"}


def test_every_command_in_the_text_is_understood() -> None:
    spans = re.findall(
        r"`(leeward [^`]+)`", re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    )

    assert len(spans) > 10
    for span in spans:
        for words in leeward_commands(span):
            try:
                assert parse(words)
            except Exception as error:
                if (
                    type(error).__name__ != "MissingParameter"
                ):  # `leeward env set` is a name here, no command line
                    raise


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("leeward previews prune", "No such command"),
        ("leeward up --previw x", "No such option"),
        ("true && leeward preview prune --all", "No such option"),
        ("x=$(leeward release create --imag web=x)", "No such option"),
        ("leeward promote 1.2 \\\n  --to", "requires an argument"),
        ("leeward up --timeout soon", "not a valid float"),
        ("leeward release create --output yaml > x", "is not one of"),
        ("leeward down pr-12", "unexpected extra argument"),
    ],
)
def test_a_command_that_is_wrong_is_found(script: str, why: str) -> None:
    (words,) = leeward_commands(script)

    with pytest.raises(Exception, match=why):
        parse(words)


def test_the_leeward_yaml_of_the_page_is_right() -> None:
    (written,) = [block for block in BLOCKS if "app" in block]

    checked = check(Config, written)
    assert list(checked.problems) == []
    found = checked.settings
    assert found is not None
    named = {*(each.cluster for each in found.environments.values()), found.previews.cluster}
    assert named == found.clusters.keys()
    assert found.previews.like in found.environments


@pytest.mark.parametrize("workflow", GITHUB, ids=lambda workflow: workflow["name"])
def test_a_workflow_of_github_is_whole(workflow: dict[Any, Any]) -> None:
    assert workflow[True]  # `on` is a truth value in YAML 1.1
    assert "permissions" in workflow
    for job in workflow["jobs"].values():
        needs = job.get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        assert set(needs) <= workflow["jobs"].keys()
        assert job["runs-on"]
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])
        known = {step.get("id") for step in job["steps"]}
        assert set(re.findall(r"steps\.(\w+)\.", yaml.safe_dump(job))) <= known
        for other, output in re.findall(r"needs\.(\w+)\.outputs\.(\w+)", yaml.safe_dump(job)):
            assert other in needs
            assert output in workflow["jobs"][other]["outputs"]


@pytest.mark.parametrize("workflow", GITHUB, ids=lambda workflow: workflow["name"])
def test_no_secret_and_no_text_of_others_is_pasted_into_a_script(workflow: dict[Any, Any]) -> None:
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            pasted = re.findall(r"\$\{\{\s*([\w.]+)", step.get("run", ""))
            assert not [
                name for name in pasted if name.startswith(("secrets.", "inputs.", "github.head_ref"))
            ]
            events = {name for name in pasted if name.startswith("github.event.")}
            assert events <= {"github.event.number"}


def test_the_pipeline_of_gitlab_is_whole() -> None:
    (pipeline,) = GITLAB
    jobs = gitlab_jobs(pipeline)
    assert jobs.keys().isdisjoint(_RESERVED)
    for name, job in jobs.items():
        if name.startswith("."):
            continue
        assert job["stage"] in pipeline["stages"]
        assert job.get("extends", name) in jobs
        assert set(job.get("needs", ())) <= jobs.keys()
        for needed in job.get("needs", ()):
            assert pipeline["stages"].index(jobs[needed]["stage"]) <= pipeline["stages"].index(job["stage"])
        assert job["script"]
        assert job["rules"]
        environment = job.get("environment", {})
        stop = environment.get("on_stop") if isinstance(environment, dict) else None
        if stop is not None:
            assert jobs[stop]["environment"] == {"name": environment["name"], "action": "stop"}


def test_the_page_is_linked_from_where_people_look() -> None:
    for page in ("README.md", "docs/releases.md"):
        assert "docs/ci.md" in (ROOT / page).read_text(encoding="utf-8"), page
