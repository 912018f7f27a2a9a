"""A program for tests that speaks MCP over its pipes, or misbehaves as its first argument says."""

import json
import os
import signal
import subprocess
import sys
import time


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


how = sys.argv[1]
if how == "deaf":
    time.sleep(600)
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if how == "parent":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    sys.stderr.write(f"child {child.pid}\n")
    sys.stderr.flush()
if how == "dies":
    sys.exit(3)
if how == "garbage":
    while True:
        sys.stdout.write("Server ready! \x1b[31m not JSON\n")
        sys.stdout.flush()
if how == "one line":
    while True:
        sys.stdout.write("x" * 65536)
if how == "talks":
    sys.stderr.write(
        "token is ghp_abcdefghijklmnopqrstuvwxyz0123456789 and " + os.environ.get("SHOWN", "") + " \x1b[2J\n"
    )
    sys.stderr.flush()
is_modern = how == "modern"
waiting: list[object] = []
for line in sys.stdin:
    message = json.loads(line)
    method, number = message.get("method", ""), message.get("id")
    if method == "notifications/cancelled" and is_modern:
        waiting.remove(message["params"]["requestId"])
    if number is None or not method:
        continue
    if method != "initialize" and how == "strict":
        sys.exit(4)  # takes nothing but a handshake, as some do
    if is_modern and method == "initialize":
        error = {"code": -32022, "message": "no handshake here", "data": {"supported": ["2026-07-28"]}}
        say({"jsonrpc": "2.0", "id": number, "error": error})
    elif is_modern and "io.modelcontextprotocol/clientCapabilities" not in message["params"]["_meta"]:
        say({"jsonrpc": "2.0", "id": number, "error": {"code": -32602, "message": "no envelope"}})
    elif is_modern and method == "server/discover":
        facts = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": True}}}
        say({"jsonrpc": "2.0", "id": number, "result": {"resultType": "complete", **facts}})
    elif is_modern and method == "subscriptions/listen":
        waiting.append(number)
        stamp = {"_meta": {"io.modelcontextprotocol/subscriptionId": number}}
        for said in ("subscriptions/acknowledged", "tools/list_changed"):
            say({"jsonrpc": "2.0", "method": f"notifications/{said}", "params": stamp})
    elif is_modern and method == "tools/call" and message["params"]["arguments"].get("say") == "wait":
        waiting.append(number)
    elif is_modern and method == "tools/call" and message["params"]["arguments"].get("say") == "waiting":
        content = [{"type": "text", "text": json.dumps(waiting)}]
        say({"jsonrpc": "2.0", "id": number, "result": {"resultType": "complete", "content": content}})
    elif method == "initialize":
        how = {"strict": "well"}.get(how, how)
        version = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "odd"}}
        say({"jsonrpc": "2.0", "id": number, "result": version})
    elif method == "tools/list":
        tools = [{"name": "echo", "inputSchema": {"type": "object"}}]
        say({"jsonrpc": "2.0", "id": number, "result": {"tools": tools}})
    elif method == "tools/call":
        if how == "silent":
            continue
        if how == "dies later":
            os._exit(1)
        while how == "floods":
            say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 10_000}})
        if how == "asks":
            say({"jsonrpc": "2.0", "id": "q1", "method": "roots/list", "params": {}})
            refused = json.loads(sys.stdin.readline())
            assert refused["error"]["code"] == -32601, refused
        said = message["params"]["arguments"].get("say", "")
        text = {"pid": str(os.getpid()), "environment": json.dumps(dict(os.environ))}.get(said, said)
        token = message["params"].get("_meta", {}).get("progressToken")
        if token is not None:
            say(
                {
                    "jsonrpc": "2.0",
                    "method": "notifications/progress",
                    "params": {"progressToken": token, "progress": 1},
                }
            )
        say({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": text}]}})
    elif how != "shy":
        say({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "Method not found"}})
if how == "stubborn":
    while True:
        time.sleep(600)
