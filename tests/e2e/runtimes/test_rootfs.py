"""What a container can change: its own files and volumes, nothing of the machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.base.ids import SeededIds
from leeward.cluster.interface.runtime import ContainerConfig, ContainerExit, Mount, SandboxConfig
from leeward.cluster.runtimes.process import isolation
from leeward.cluster.runtimes.process.images import ImageStore
from leeward.cluster.runtimes.process.isolation import Isolation, Mode
from leeward.cluster.runtimes.process.launcher import linux
from leeward.cluster.runtimes.process.runtime import ProcessRuntime

pytestmark = pytest.mark.e2e
ROOT = sys.platform == "linux" and os.geteuid() == 0
MODES: list[Mode] = ["root"] if ROOT else []
if sys.platform == "linux" and isolation._user_namespaces_work():
    MODES.append("userns")
needs_root = pytest.mark.skipif(not ROOT, reason="needs root on Linux")
DISK = "/srv"  # another file system is mounted here


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    found: Mode = request.param
    return found


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that containers see: they have a /tmp of their own."""
    directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
    yield directory
    shutil.rmtree(directory)


def output(
    home: Path,
    mode: Mode,
    script: str,
    *,
    image: dict[str, str] | None = None,
    disk: Path | None = None,
    **options: object,
) -> list[str]:
    """Run `script` in a container; returns what it said, on both streams.

    Args:
        home: for the runtime's files.
        mode: of the runtime.
        script: for sh.
        image: files of the image.
        disk: what is mounted on `DISK` of this machine meanwhile, and at "inner" there.
        options: of the container.
    """
    result: list[str] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            if disk is not None:
                linux.unshare(linux.CLONE_NEWNS)  # of this thread alone
                linux.attach("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
                linux.attach(str(disk), DISK, flags=linux.MS_BIND)
                linux.attach(str(disk / "inner"), f"{DISK}/inner", flags=linux.MS_BIND)
            result.extend(asyncio.run(_output(home, mode, script, image or {}, options)))
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return result


async def _output(
    home: Path, mode: Mode, script: str, image: dict[str, str], options: dict[str, object]
) -> list[str]:
    images = ImageStore(home / "images")
    for path, text in image.items():
        target = home / "layer" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)
    if image:
        images.write("shop/web", home / "layer", {})
    runtime = ProcessRuntime(
        directory=home / "run",
        images=images,
        network=None,
        isolation=Isolation(mode, ()),
        ids=SeededIds(),
    )
    exits: asyncio.Queue[ContainerExit] = asyncio.Queue()
    runtime.on_exit(exits.put_nowait)
    await runtime.start()
    try:
        sandbox = await runtime.run_sandbox(
            SandboxConfig(pod_uid="u", namespace="shop", name="web-0", node="n1", hostname="web-0")
        )
        config = ContainerConfig(
            name="web",
            image="shop/web" if image else "busybox",
            command=["sh", "-c", f"exec 2>&1\n{script}"],
            log_path=home / "web.log",
            **options,  # type: ignore[arg-type]
        )
        container = await runtime.create_container(sandbox.id, config)
        await runtime.start_container(container)
        async with asyncio.timeout(30):
            await exits.get()
    finally:
        await runtime.stop()
    return [line.split(" ", 3)[3] for line in (home / "web.log").read_text().splitlines()]


def tell_writable(*paths: str) -> str:
    """Return a script that says which of these directories can be written."""
    return "\n".join(f"(echo x > {path}/leeward-test) 2>/dev/null && echo {path}" for path in paths)


PLACES = ("/", "/tmp", "/run", "/var/run", "/var/tmp", "/var/log", "/root", "/dev", "/dev/shm", "/new/work")


def test_a_container_can_write_where_programs_expect_it(home: Path, mode: Mode) -> None:
    said = output(
        home,
        mode,
        tell_writable(*PLACES, "$HOME"),
        env={"HOME": "/home/me"},
        working_dir="/new/work",
        image={"/home/me/a": ""},
    )

    assert said == [*PLACES, "/home/me"]
    assert [path for path in PLACES if os.path.exists(f"{path}/leeward-test")] == []


def test_a_container_cannot_change_the_machines_files(home: Path, mode: Mode) -> None:
    (home / "file").write_text("the machine's")
    script = (
        f"echo x > {home}/file\necho x > {home}/new\nrm -f {home}/file\nchmod 700 {home}\nmkdir {home}/sub"
    )

    output(home, mode, script)

    assert (home / "file").read_text() == "the machine's"
    assert {path.name for path in home.iterdir()} - {"run", "web.log", "images"} == {"file"}


def test_the_machines_devices_and_kernel_settings_stay_as_they_are(home: Path, mode: Mode) -> None:
    script = (
        "chmod 666 /dev/null && echo changed\necho fine > /dev/null && head -c 1 /dev/zero | wc -c\n"
        "echo x > /dev/shm/leeward-test\necho x > /dev/leeward-test\n"
        "value=$(cat /proc/sys/vm/swappiness)\necho $value > /proc/sys/vm/swappiness && echo changed\n"
        "ls /dev | grep -c '^vd\\|^sd\\|^nvme'\necho to-stdout > /dev/stdout"
    )

    said = output(home, mode, f"({script}) 2>/dev/null")

    assert said == ["1", "0", "to-stdout"]
    assert not Path("/dev/shm/leeward-test").exists()
    assert not Path("/dev/leeward-test").exists()


def test_volumes_are_written_as_far_as_they_may(home: Path, mode: Mode) -> None:
    for name in ("own", "shown"):
        (home / name).mkdir()
    mounts = [
        Mount(host_path=home / "own", container_path="/var/run/data"),
        Mount(host_path=home / "shown", container_path="/data/shown", read_only=True),
    ]

    said = output(
        home, mode, tell_writable("/data", "/data/shown", "/run/data"), mounts=mounts, working_dir="/"
    )

    assert said == ["/data", "/run/data"]
    assert (home / "own" / "leeward-test").read_text() == "x\n"


def test_a_read_only_root_can_be_written_in_volumes_alone(home: Path, mode: Mode) -> None:
    (home / "own").mkdir()
    mounts = [Mount(host_path=home / "own", container_path="/data/own")]

    said = output(
        home,
        mode,
        tell_writable("/", "/data", "/data/own", "/var/tmp", "/root", "/work", "/var/lib"),
        mounts=mounts,
        working_dir="/work",
        read_only_root=True,
    )

    assert said == ["/data/own"]


def test_an_image_may_replace_a_program_and_a_directory_that_is_a_link(home: Path, mode: Mode) -> None:
    before = sorted(os.listdir("/usr/local/bin"))

    said = output(
        home,
        mode,
        "python3; /bin/leeward-tool; ls /bin/sh",
        image={"/usr/local/bin/python3": "#!/bin/sh\necho mine", "/bin/leeward-tool": "#!/bin/sh\necho tool"},
    )

    assert said == ["mine", "tool", "/bin/sh"]
    assert sorted(os.listdir("/usr/local/bin")) == before
    assert subprocess.run([sys.executable, "-c", "print('theirs')"], capture_output=True, check=True).stdout


@pytest.fixture
def disk(home: Path) -> Path:
    """What is mounted as another disk: a directory with a mount in it."""
    disk = home / "disk"
    (disk / "inner").mkdir(parents=True)
    (disk / "file").write_text("disk\n")
    (disk / "inner" / "file").write_text("inner\n")
    return disk


@needs_root
@pytest.mark.parametrize("read_only_root", [False, True])
def test_another_disk_of_the_machine_is_seen_and_stays_unchanged(
    home: Path, disk: Path, mode: Mode, read_only_root: bool
) -> None:
    script = (
        f"cat {DISK}/file {DISK}/inner/file\n"
        f"for path in {DISK} {DISK}/inner; do (echo x > $path/file; echo x > $path/new) 2>/dev/null; done\n"
    )

    said = output(home, mode, script, disk=disk, read_only_root=read_only_root)

    assert said == ["disk", "inner"]
    assert sorted(str(path.relative_to(disk)) for path in disk.rglob("*")) == ["file", "inner", "inner/file"]
    assert ((disk / "file").read_text(), (disk / "inner" / "file").read_text()) == ("disk\n", "inner\n")


@needs_root
def test_an_image_may_work_on_another_disk(home: Path, disk: Path, mode: Mode) -> None:
    script = "cat mine ../file ../inner/app/mine; echo x > new && cat new"

    said = output(
        home,
        mode,
        script,
        disk=disk,
        image={f"{DISK}/app/mine": "app\n", f"{DISK}/inner/app/mine": "deep\n"},
        working_dir=f"{DISK}/app",
    )

    assert said == ["app", "disk", "deep", "x"]
    assert not (disk / "app").exists()


@needs_root
def test_a_volume_on_another_disk_is_written(home: Path, disk: Path, mode: Mode) -> None:
    (home / "own").mkdir()
    mounts = [Mount(host_path=home / "own", container_path=f"{DISK}/own")]

    said = output(home, mode, f"echo x > {DISK}/own/a", disk=disk, mounts=mounts, read_only_root=False)

    assert said == []
    assert (home / "own" / "a").read_text() == "x\n"
    assert not (disk / "own").exists()


@needs_root
def test_without_the_new_system_call_each_mount_is_made_read_only(disk: Path) -> None:
    """The way of older kernels, and in a user namespace, where restrictions of mounts must be kept."""
    script = (
        "import os, sys\n"
        "from leeward.cluster.runtimes.process.launcher import children, linux\n"
        "disk = sys.argv[1]\n"
        "linux._SYS_MOUNT_SETATTR = 100000\n"
        "linux.unshare(linux.CLONE_NEWNS)\n"
        "linux.attach('none', '/', flags=linux.MS_REC | linux.MS_PRIVATE)\n"
        "linux.attach(disk, disk, flags=linux.MS_BIND)\n"
        "linux.attach('tmpfs', disk + '/inner', 'tmpfs', linux.MS_NOSUID | linux.MS_NODEV | 8)\n"
        "children.make_user_namespace(0, 0)\n"
        "linux.attach(disk, '/srv', flags=linux.MS_BIND | linux.MS_REC)\n"
        "linux.make_read_only('/srv')\n"
        "for path in ('/srv', '/srv/inner', disk):\n"
        "    try:\n"
        "        open(path + '/new', 'w').close()\n"
        "        print(path == disk)\n"
        "    except OSError as error:\n"
        "        print(error.strerror)\n"
        "linux.make_writable('/srv')\n"
        "open('/srv/more', 'w').close()\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(disk)], capture_output=True, text=True, check=False
    )

    assert (done.stderr, done.stdout.splitlines()) == ("", ["Read-only file system"] * 2 + ["True"])
