"""Writes a Compose project of many services, for measuring; the same arguments give the same bytes.

The services are of the kinds that large projects have: HTTP APIs with a health check, workers, scheduled
jobs and data stores, in teams with a network each, with anchors, ``extends`` and one override file.

Run: python bench/make_project.py DIRECTORY [--services 1000] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

TEAM_SIZE = 20
HEAD = """\
name: large
x-logging: &logging
  driver: json-file
  options: {max-size: 10m, max-file: "3"}
x-environment: &environment
  LOG_LEVEL: ${LOG_LEVEL:-info}
  REGION: ${REGION:-eu-central-1}
  OTEL_EXPORTER_OTLP_ENDPOINT: http://collector:4318
x-healthcheck: &healthcheck
  interval: 10s
  timeout: 3s
  retries: 5
  start_period: 20s

services:
  base:
    image: registry.example.com/base:1.0
    restart: unless-stopped
    init: true
    stop_grace_period: 30s
    profiles: [never]
"""


def api(name: str, index: int, chance: random.Random) -> Iterator[str]:
    """An HTTP service that needs the data store of its team."""
    yield f"    image: registry.example.com/{name}:${{TAG:-1.{chance.randrange(40)}}}"
    yield "    restart: unless-stopped"
    yield "    logging: *logging"
    yield "    environment:"
    yield "      <<: *environment"
    yield f"      PORT: {8000 + index % 1000}"
    yield f"      DATABASE_URL: postgres://app:${{DB_PASSWORD:-secret}}@{store_of(index)}:5432/{name}"
    for number in range(chance.randrange(2, 9)):
        yield f"      FEATURE_{number}: {chance.choice(['on', 'off', 'beta'])}"
    yield f'    ports: ["{10000 + index}:{8000 + index % 1000}"]'
    yield "    healthcheck:"
    yield "      <<: *healthcheck"
    yield f"      test: curl -fsS http://localhost:{8000 + index % 1000}/health"
    yield "    depends_on:"
    yield f"      {store_of(index)}: {{condition: service_healthy}}"
    yield f"    networks: [{team_of(index)}]"
    yield "    deploy:"
    yield f"      replicas: {chance.randrange(1, 4)}"
    yield "      resources:"
    cpus, memory = chance.choice(["0.5", "1", "2"]), chance.choice([128, 256, 512])
    yield f"        limits: {{cpus: '{cpus}', memory: {memory}m}}"
    yield f"    labels: [app.team={team_of(index)}, app.kind=api]"


def worker(name: str, index: int, chance: random.Random) -> Iterator[str]:
    """A process without ports, extended from the base."""
    yield "    extends: base"
    yield f"    image: registry.example.com/{name}:1.{chance.randrange(40)}"
    yield "    profiles: !override []"
    yield f"    command: worker --queue {team_of(index)} --concurrency {chance.randrange(1, 17)}"
    yield "    environment:"
    yield f"      - QUEUE={team_of(index)}"
    yield f"      - BROKER_URL=redis://{store_of(index)}:6379/{chance.randrange(4)}"
    yield f"    depends_on: [{store_of(index)}]"
    yield f"    networks: [{team_of(index)}]"
    yield "    tmpfs: /tmp"


def store(name: str, index: int, chance: random.Random) -> Iterator[str]:
    """A data store with a volume of its own."""
    yield f"    image: postgres:{chance.choice(['15', '16', '17'])}-alpine"
    yield "    environment:"
    yield "      POSTGRES_PASSWORD: ${DB_PASSWORD:-secret}"
    yield "    healthcheck:"
    yield "      <<: *healthcheck"
    yield "      test: [CMD-SHELL, pg_isready -U postgres]"
    yield f"    volumes: ['{name}-data:/var/lib/postgresql/data']"
    yield f"    networks: [{team_of(index)}]"
    yield "    shm_size: 128m"


def team_of(index: int) -> str:
    """Return the network of the service `index`."""
    return f"team-{index // TEAM_SIZE:02d}"


def store_of(index: int) -> str:
    """Return the name of the data store of the team of the service `index`."""
    return f"store-{index // TEAM_SIZE * TEAM_SIZE:04d}"


def compose_text(services: int, seed: int) -> str:
    """Return the Compose file of a project with `services` enabled services."""
    chance = random.Random(seed)
    lines: list[str] = []
    stores: list[str] = []
    for index in range(services):
        kind = store if index % TEAM_SIZE == 0 else worker if index % 4 == 0 else api
        name = f"{kind.__name__}-{index:04d}"
        if kind is store:
            stores.append(name)
        lines += [f"  {name}:", *kind(name, index, chance)]
    lines += ["networks:", *(f"  {team_of(index)}:" for index in range(0, services, TEAM_SIZE))]
    lines += ["volumes:", *(f"  {name}-data:" for name in stores)]
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    """Write the project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    text = compose_text(arguments.services, arguments.seed)
    (arguments.directory / "compose.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
