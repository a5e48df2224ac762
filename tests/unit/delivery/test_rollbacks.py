"""What going back to an earlier release does not bring back."""

from __future__ import annotations

from leeward.delivery.wording.rollbacks import rollback_verdict
from tests.unit.delivery.manifests import kept, rendered, service

PLAIN = service(scale=2)


def verdict(now: str, then: str) -> list[str]:
    """Return what is lost when `then` comes back in the place of `now`."""
    return rollback_verdict(kept(rendered(now)), kept(rendered(then)))


def volume(**more: str) -> str:
    return service(volumes=["data:/data"], top={"volumes": {"data": {"x-leeward": more} if more else None}})


def job(command: str) -> str:
    return (
        PLAIN.replace(
            "services:", f"services:\n  migrate: {{image: 'm:1', command: {command}, restart: 'no'}}"
        )
        + "    depends_on: {migrate: {condition: service_completed_successfully}}\n"
    )


def test_a_change_of_settings_comes_back_as_a_whole() -> None:
    assert verdict(service(scale=3, environment={"A": "2"}), PLAIN) == []


def test_data_is_as_it_was_written() -> None:
    assert verdict(volume(), volume())[0].endswith("what was written since stays written")
    assert "its data stays in the claim" in verdict(volume(), PLAIN)[0]
    assert "is empty without one" in verdict(PLAIN, volume())[0]


def test_what_jobs_did_is_not_undone() -> None:
    undone = "migrate: what it did when it ran is not undone"
    assert undone in verdict(job("up"), PLAIN)
    assert undone in verdict(job("up --all"), job("up"))
    assert verdict(job("up"), job("up")) == []


def test_secrets_of_then_are_made_of_the_variables_of_the_environment() -> None:
    now, then = service(environment={"A_TOKEN": "new"}), service(environment={"A_TOKEN": "old"})
    (line,) = verdict(now, then)
    assert line == (
        "web: Secret web-env: its values come from the environment's variables, not from the promotion"
    )


def test_what_cannot_be_changed_is_told() -> None:
    lines = verdict(service(**{"x-leeward": {"schedule": "@daily"}}), service())
    assert any("runs as CronJob → Deployment" in line for line in lines)
