"""What is measured: the upstream itself, nginx as a plain proxy, and a Valetkey hub, its vault inside or beside."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from bench.tools import Tools
from valetkey.demo.story.browser import Browser

UPSTREAM_TOKEN = "bench-upstream-token-0123456789abcdef0123456789abcdef"
PASSWORD = "four unrelated words here"
SCOPES = ["connectors:read", "connections:read", "connections:write", "permissions:write"]

NGINX = """
{user}
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000; keepalive_timeout 3600; tcp_nodelay on;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5; client_body_buffer_size 64k;
  upstream mcp {{
    server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 3600;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location /mcp {{
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {token}";
      proxy_pass http://mcp;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """`url` takes calls with `token`; `pid` is the root of the processes whose CPU and memory count as its own."""

    name: str
    url: str
    token: str
    pid: int

    def stop(self) -> None:
        self._tell(signal.SIGSTOP)

    def go_on(self) -> None:
        self._tell(signal.SIGCONT)

    def _tell(self, what: signal.Signals) -> None:
        for pid in tree(self.pid):
            os.kill(pid, what)

    def cpu_seconds(self) -> float:
        """User and system time of the process tree so far."""
        ticks = 0
        for pid in tree(self.pid):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(stat[11]) + int(stat[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident memory of the process tree, in MB."""
        status = (Path(f"/proc/{pid}/status").read_text() for pid in tree(self.pid))
        found = (re.search(r"VmRSS:\s+(\d+)", text) for text in status)
        return sum(int(each[1]) for each in found if each) / 1024


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in tree(int(child)))]


@contextmanager
def open_targets(directory: Path, tools: Tools, *, only_hubs: bool = False) -> Iterator[dict[str, Target]]:
    """Starts all (nginx only if it is installed; the hub both ways) and stops them in the end."""
    with ExitStack() as running:
        port = free_port()
        command = [*tools.upstream, "-p", str(port), "-A", UPSTREAM_TOKEN[:12]]
        upstream = running.enter_context(started(command, directory / "upstream.log"))
        wait_for(port)
        url = f"http://127.0.0.1:{port}/mcp"
        targets = {} if only_hubs else {"direct": Target("direct", url, UPSTREAM_TOKEN, upstream.pid)}
        if not only_hubs and (nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")):
            targets["nginx"] = running.enter_context(open_nginx(nginx, directory, port))
        for name, vault in (("valetkey", "inline"), ("process", "process")):
            own = directory / name
            own.mkdir()
            targets[name] = running.enter_context(open_hub(name, own, url, vault=vault))
        yield targets


@contextmanager
def open_nginx(program: str, directory: Path, upstream: int) -> Iterator[Target]:
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not write below a private directory
    config = directory / "nginx.conf"
    config.write_text(NGINX.format(user=user, directory=directory, port=port, upstream=upstream, token=UPSTREAM_TOKEN))
    with started([program, "-c", str(config), "-e", str(directory / "nginx.log")], directory / "nginx.out") as process:
        wait_for(port)
        yield Target("nginx", f"http://127.0.0.1:{port}/mcp", "of-no-interest-to-nginx", process.pid)


@contextmanager
def open_hub(name: str, directory: Path, upstream: str, *, vault: str) -> Iterator[Target]:
    """A hub with one person, who connected the upstream with a sealed header and switched its tool on."""
    data, log = directory / "data", directory / "hub.log"
    command = [
        sys.executable, "-m", "valetkey", "serve", "--data", str(data), "--root-key", str(directory / "root.key"),
        "--port", "0", "--allow-network", "127.0.0.1/32", "--privacy-policy", "template", "--vault", vault,
    ]  # fmt: skip
    with started(command, log) as process:
        ready = wait_for_line(log, process, r"^ready: (\S+)$")
        link = wait_for_line(log, process, r"^sign in: (\S+)$")
        login = operator(data, "user", "list")["items"][0]["login"]
        slug, token = connect(ready, sign_in(ready, link), data, login, upstream)
        # By address, as the others: the load generator does not look names up.
        yield Target(name, f"http://127.0.0.1:{ready.rpartition(':')[2]}/c/{slug}/mcp", token, process.pid)


def sign_in(hub: str, link: str) -> str:
    """Signs a person in by their one-time link; gives a token of theirs for the API, which nobody else may make."""
    browser = Browser()
    browser.open(link)
    browser.press("Continue")
    browser.press("Set password", {"password": PASSWORD, "repeat": PASSWORD})
    browser.open(f"{hub}/settings/tokens/new")
    if browser.page.has("Is it you?"):
        browser.press("Confirm", {"password": PASSWORD})
    asked = {"name": "Bench", "audience": "/api/v1", "days": "1", "scope": SCOPES}
    page = browser.press("Create", asked)
    token = next(found[0] for code in page.codes if (found := re.search(r"vkt_[\w-]+", code)))
    browser.close()
    return token


def connect(hub: str, token: str, data: Path, login: str, upstream: str) -> tuple[str, str]:
    """Adds and connects the upstream, switches its tools on; gives the slug and a token for its endpoint."""
    # 1. The operator adds the connector, and makes the token for its endpoint.
    added = operator(
        data,
        "connector",
        "add",
        upstream,
        "--name",
        "Bench",
        "--auth",
        "header",
        "--header",
        "Authorization",
        "--user",
        login,
    )
    path = f"/c/{added['slug']}/mcp"
    made = operator(data, "token", "create", "--user", login, "--resource", path)
    # 2. The person connects it and switches its tools on.
    api = httpx2.Client(
        base_url=f"{hub}/api/v1", headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30
    )
    with api:
        values = {"Authorization": f"Bearer {UPSTREAM_TOKEN}"}
        # What is said of the service is to be read, and its version given back.
        seen = good(api.get(f"/directory/{added['slug']}"))["disclosure"]["version"]
        given = {"connector": added["slug"], "values": values, "acknowledged": seen}
        connection = good(api.post("/connections/headers", json=given))["id"]
        tools = good(api.get(f"/connections/{connection}/tools"))["items"]
        on = [{"name": tool["name"], "fingerprint": tool["fingerprint"]} for tool in tools]
        good(api.post(f"/connections/{connection}/tools", json={"on": on}))
    return str(added["slug"]), str(made["token"])


def operator(data: Path, *arguments: str) -> Any:
    """What `valetkey … --json` prints on the hub's own machine."""
    command = [sys.executable, "-m", "valetkey", *arguments, "--data", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: valetkey {arguments[0]} {arguments[1]} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def good(answer: httpx2.Response) -> Any:
    if answer.status_code >= 400:
        raise SystemExit(f"bench: {answer.request.url.path}: {answer.status_code} {answer.text[:500]}")
    return answer.json()


@contextmanager
def started(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process, until the end of the block; what it says goes to `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"bench: nothing listens on port {port}.")


def wait_for_line(log: Path, process: subprocess.Popen[bytes], pattern: str) -> str:
    for _ in range(600):
        if found := re.search(pattern, log.read_text(), re.MULTILINE):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"bench: the hub did not start: {log.read_text()[-2000:]}")
