"""The real kubectl, and clients in Python, talk to Pods: exec, attach, cp, port-forward, proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live import NEEDS_KUBECTL, NEEDS_PODS, Kubectl, Leeward

pytestmark = [*NEEDS_PODS, NEEDS_KUBECTL]
NAME = "talk"
RAW = "/api/v1/namespaces/default"
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: python:3.12
    command: [python, -c, "PROGRAM"]
    workingDir: /tmp
    ports: [{containerPort: 8000}]
    env: [{name: COLOUR, value: red}]
    readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: terminal, image: busybox, stdin: true, tty: true, command: [sh]}
  - name: echo
    image: busybox
    stdin: true
    command: [sh, -c, "while read a; do echo got $a; done; sleep 600"]
---
apiVersion: v1
kind: Pod
metadata: {name: crashed}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - {name: gone, image: busybox, command: ["true"]}
  - {name: main, image: busybox, command: [sleep, "600"]}
"""
# Answers any method with what was asked, on every address of the Pod.
PROGRAM = r"""
import http.server
class Echo(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0))
        while size := self.headers.get('transfer-encoding') and int(self.rfile.readline(), 16):
            body += self.rfile.read(size + 2)[:-2]
        code = 302 if self.path == '/away' else 200
        said = '%s %s %s %s' % (self.command, self.path, body.decode(), self.headers.get('authorization'))
        self.send_response(code)
        self.send_header('location', '/there')
        self.send_header('content-length', str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer
http.server.ThreadingHTTPServer(('', 8000), Echo).serve_forever()
"""


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    directory = tmp_path_factory.mktemp("exec")
    leeward = Leeward(directory / "home", directory)
    leeward.ok("cluster", "start", "--name", NAME, "--zones", "1")
    try:
        running = Kubectl(directory / "home" / NAME / "kubeconfig")
        program = json.dumps(PROGRAM)[1:-1]
        running.ok("apply", "-f", "-", stdin=PODS.replace("PROGRAM", program).encode())
        running.ok("wait", "--for=condition=Ready", "pod/web", "pod/shell", "--timeout=60s")
        ended = "jsonpath={.status.containerStatuses[?(@.name=='gone')].state.terminated.reason}=Completed"
        running.ok("wait", f"--for={ended}", "pod/crashed", "--timeout=60s")
        yield running
    finally:
        leeward.run("cluster", "stop", "--name", NAME)


def on_a_terminal(command: list[str], typed: bytes) -> str:
    """Run a command on a terminal of its own and type something; returns all that was shown."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    shown = b""
    try:
        os.write(terminal, typed)
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:  # EIO: it has ended
        pass
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return shown.decode()


def test_a_command_runs_where_the_container_runs_and_its_exit_code_is_told(kubectl: Kubectl) -> None:
    script = "echo $COLOUR; pwd; hostname; echo wrong >&2; exit 3"
    done = kubectl.run("exec", "web", "--", "sh", "-c", script)
    assert done.returncode == 3
    assert done.stdout == b"red\n/tmp\nweb\n"
    assert done.stderr == b"wrong\ncommand terminated with exit code 3\n"
    assert kubectl.run("exec", "web", "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_a_command_is_in_the_network_of_its_pod(kubectl: Kubectl) -> None:
    address = kubectl.ok("get", "pod", "web", "-o", "jsonpath={.status.podIP}")
    script = (
        "import socket; s = socket.create_connection(('127.0.0.1', 8000)); print(socket.gethostbyname('web'))"
    )
    assert kubectl.ok("exec", "web", "--", "python3", "-c", script).strip() == address


def test_input_is_read_to_its_end_and_nothing_of_it_is_lost(kubectl: Kubectl) -> None:
    sent = os.urandom(2_000_000)
    done = kubectl.run("exec", "-i", "web", "--", "cat", stdin=sent)
    assert done.stdout == sent
    assert kubectl.run("exec", "web", "--", "cat", stdin=sent).stdout == b""


def test_a_terminal_is_one_has_a_type_and_takes_what_is_typed(kubectl: Kubectl) -> None:
    script = "tty; echo $TERM; read a; echo said $a; exit 5"
    shown = on_a_terminal([*kubectl.command, "exec", "-it", "web", "--", "sh", "-c", script], b"hello\n")
    assert "/dev/pts/" in shown
    assert "xterm" in shown
    assert "said hello" in shown
    assert "exit code 5" in shown


def test_what_cannot_be_run_is_told(kubectl: Kubectl) -> None:
    assert "nonsense: there is no such program" in kubectl.fails("exec", "web", "--", "nonsense")
    assert "container nope is not valid for pod web" in kubectl.fails("exec", "web", "-c", "nope", "--", "ls")
    assert 'container not found ("gone")' in kubectl.fails("exec", "crashed", "-c", "gone", "--", "ls")
    assert 'pods "none" not found' in kubectl.fails("exec", "none", "--", "ls")
    assert "Upgrade request required" in kubectl.fails(
        "get", "--raw", f"{RAW}/pods/web/exec?command=ls&stdout=true"
    )


def test_attaching_carries_input_and_output_of_the_container(kubectl: Kubectl) -> None:
    attach = [*kubectl.command, "attach", "-i", "shell", "-c", "echo"]
    with subprocess.Popen(attach, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got one\n"
        process.kill()
    assert "got one" in kubectl.ok("logs", "shell", "-c", "echo")


def test_attaching_to_a_terminal_ends_with_the_program(kubectl: Kubectl) -> None:
    attach = [*kubectl.command, "attach", "-it", "shell", "-c", "terminal"]
    assert "42" in on_a_terminal(attach, b"echo $((40+2))\nexit\n")


def test_run_with_input_ends_when_the_input_does(kubectl: Kubectl) -> None:
    command = ["run", "once", "-i", "--rm", "--restart=Never", "--image=busybox", "--quiet", "--", "sh", "-c"]
    assert kubectl.ok(*command, "cat; echo end", stdin=b"some text\n").splitlines()[:2] == [
        "some text",
        "end",
    ]


def test_a_container_that_is_added_for_looking_sees_the_processes_of_its_target(kubectl: Kubectl) -> None:
    debug = ("debug", "shell", "--image=busybox", "--target=echo", "--quiet")
    script = "tr '\\0' ' ' < /proc/1/cmdline; hostname; read a; echo got $a; exit 4"
    done = kubectl.run(*debug, "-i", "--container=look", "--", "sh", "-c", script, stdin=b"typed\n")
    shown = kubectl.ok("logs", "shell", "-c", "look") + done.stdout.decode()
    for text in ("while read a", "shell\n", "got typed"):
        assert text in shown
    ended = "jsonpath={.status.ephemeralContainerStatuses[?(@.name=='look')].state.terminated.exitCode}=4"
    kubectl.ok("wait", f"--for={ended}", "pod/shell", "--timeout=20s")
    shown = on_a_terminal([*kubectl.command, *debug, "-it", "--", "sh"], b"echo $((40+2))\nexit\n")
    assert "42" in shown
    kubectl.ok(*debug, "--container=stay", "--", "sleep", "600")
    running = "jsonpath={.status.ephemeralContainerStatuses[?(@.name=='stay')].ready}=false"
    kubectl.ok("wait", f"--for={running}", "pod/shell", "--timeout=20s")
    assert kubectl.ok("exec", "shell", "-c", "stay", "--", "hostname") == "shell\n"
    assert kubectl.ok("get", "pod", "shell", "-o", "jsonpath={.status.phase}") == "Running"


@pytest.mark.skipif(shutil.which("tar") is None, reason="kubectl cp needs tar")
def test_files_are_copied_both_ways(kubectl: Kubectl, tmp_path: Path) -> None:
    sent = os.urandom(3_000_000)
    (tmp_path / "there").write_bytes(sent)
    kubectl.ok("cp", str(tmp_path / "there"), "web:/tmp/copied")
    kubectl.ok("cp", "web:/tmp/copied", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == sent


@pytest.mark.parametrize("target", [("pod/web", ":8000"), ("service/web", ":80")], ids=["pod", "service"])
def test_a_forwarded_port_takes_many_connections(kubectl: Kubectl, target: tuple[str, str]) -> None:
    with kubectl.forwarding(*target) as (port, _):
        for number in range(20):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{number}", timeout=10) as answer:
                assert answer.read() == f"GET /{number}  None".encode()


def test_a_port_that_nobody_listens_on_is_told(kubectl: Kubectl) -> None:
    with kubectl.forwarding("pod/web", ":81") as (port, process):
        with pytest.raises(OSError):  # noqa: PT011 - closed or reset, as it comes
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
        assert process.stderr is not None
        assert "dial tcp4 127.0.0.1:81: connect: connection refused" in process.stderr.readline()


@pytest.mark.parametrize("target", ["pods/web", "pods/web:8000", "services/web", "services/http:web:80"])
def test_a_proxy_passes_requests_on_without_credentials(kubectl: Kubectl, target: str) -> None:
    assert kubectl.ok("get", "--raw", f"{RAW}/{target}/proxy/a%20b?c=d") == "GET /a%20b?c=d  None"
    assert (
        kubectl.ok("create", "--raw", f"{RAW}/{target}/proxy/x", "-f", "-", stdin=b"{}") == "POST /x {} None"
    )
    assert kubectl.ok("delete", "--raw", f"{RAW}/{target}/proxy/x").startswith("DELETE /x ")


def test_a_proxy_says_who_is_not_there(kubectl: Kubectl) -> None:
    kubectl.ok("create", "service", "clusterip", "empty", "--tcp=80")
    assert 'no endpoints available for service "empty"' in kubectl.fails(
        "get", "--raw", f"{RAW}/services/empty/proxy/"
    ) or "no endpoints available" in kubectl.fails("get", "--raw", f"{RAW}/services/empty:80/proxy/")
    assert "connect: connection refused" in kubectl.fails("get", "--raw", f"{RAW}/pods/web:82/proxy/")
    assert 'pods "none" not found' in kubectl.fails("get", "--raw", f"{RAW}/pods/none/proxy/")


def test_who_may_only_get_may_not_exec(kubectl: Kubectl) -> None:
    kubectl.ok("create", "role", "reader", "--verb=get", "--resource=pods,pods/exec")
    kubectl.ok("create", "rolebinding", "reader", "--role=reader", "--user=jane")
    refused = kubectl.fails("exec", "web", "--as=jane", "--", "true")
    assert 'cannot create resource "pods/exec"' in refused
    kubectl.ok("create", "role", "runner", "--verb=create", "--resource=pods/exec")
    kubectl.ok("create", "rolebinding", "runner", "--role=runner", "--user=jane")
    kubectl.ok("exec", "web", "--as=jane", "--", "true")


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-talk}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CONNECT], resources: [pods/exec, services/proxy]}
  validations: [{expression: "request.userInfo.username != 'eve'", message: not you, reason: Forbidden}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-talk}
spec: {policyName: no-talk, validationActions: [Deny]}
"""


def test_policies_say_who_may_talk_to_pods_and_services(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", stdin=POLICY.encode())
    eve = ("--as=eve", "--as-group=system:masters")
    try:
        assert "denied request: not you" in kubectl.fails("exec", "web", *eve, "--", "true")
        assert "not you" in kubectl.fails("get", "--raw", f"{RAW}/services/web/proxy/", *eve)
        kubectl.ok("get", "--raw", f"{RAW}/pods/web/proxy/", *eve)
        kubectl.ok("exec", "web", "--", "true")
    finally:
        kubectl.ok("delete", "-f", "-", stdin=POLICY.encode())


def is_running(*command: str) -> bool:
    """Tell whether a command runs anywhere on this machine."""
    wanted = "\0".join((*command, "")).encode()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if each.read_bytes() == wanted:
                return True
        except OSError:  # it has ended
            continue
    return False


def test_a_command_that_takes_no_input_ends_with_its_client(kubectl: Kubectl) -> None:
    stuck = ("sleep", "43210")
    with (
        Path("/dev/zero").open("rb") as zeros,
        subprocess.Popen([*kubectl.command, "exec", "-i", "web", "--", *stuck], stdin=zeros) as process,
    ):
        until(lambda: is_running(*stuck))
        time.sleep(2)  # until nothing more fits between the two
        process.kill()
    until(lambda: not is_running(*stuck))


def until(holds: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "that takes too long"
        time.sleep(0.2)


def python(script: str, kubeconfig: Path) -> list[str]:
    """Return the lines that a program prints; clients leave sockets and threads behind, and warn."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(kubeconfig)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_official_python_client_executes_and_forwards(kubectl: Kubectl) -> None:
    script = """
import sys
from kubernetes import client, config
from kubernetes.stream import portforward, stream
api = client.CoreV1Api(config.new_client_from_config(sys.argv[1]))
command = ["sh", "-c", "read a; echo got $a; echo err >&2; exit 4"]
talk = stream(api.connect_get_namespaced_pod_exec, "web", "default", command=command,
              stdin=True, stdout=True, stderr=True, _preload_content=False)
talk.write_stdin("this\\n")
talk.run_forever(timeout=20)
print([talk.read_stdout(), talk.read_stderr(), talk.returncode])
socket = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports="8000").socket(8000)
socket.setblocking(True)
socket.sendall(b"GET /py HTTP/1.0\\r\\n\\r\\n")
answer = b""
while chunk := socket.recv(4096):
    answer += chunk
print(answer.splitlines()[-1])
"""
    assert python(script, kubectl.kubeconfig) == [r"['got this\n', 'err\n', 4]", "b'GET /py  None'"]


def test_kr8s_executes_and_forwards(kubectl: Kubectl) -> None:
    script = """
import sys, urllib.request, kr8s
pod = next(iter(kr8s.api(kubeconfig=sys.argv[1]).get("pods", "web", namespace="default")))
done = pod.exec(["sh", "-c", "echo out; exit 2"], check=False)
print(done.stdout, done.returncode)
with pod.portforward(remote_port=8000, local_port="auto") as port:
    print(urllib.request.urlopen(f"http://127.0.0.1:{port}/kr8s", timeout=10).read())
"""
    assert python(script, kubectl.kubeconfig) == [r"b'out\n' 2", "b'GET /kr8s  None'"]


def test_lightkube_executes(kubectl: Kubectl) -> None:
    script = """
import sys
from lightkube import Client, KubeConfig
client = Client(config=KubeConfig.from_file(sys.argv[1]))
done = client.exec("web", namespace="default", command=["sh", "-c", "cat; exit 6"], stdin="in", stdout=True)
print([done.stdout, done.exit_code])
"""
    assert python(script, kubectl.kubeconfig) == ["['in', 6]"]
