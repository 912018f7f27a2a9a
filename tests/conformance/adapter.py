"""What the suite starts as "the client": hands the scenario over to the hub's driver, and ends with what it says.

The suite's contract: the last argument is the URL of its server; scenario, revision and context are in the environment.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request


def main(url: str) -> int:
    job = {
        "url": url,
        "scenario": os.environ["MCP_CONFORMANCE_SCENARIO"],
        "revision": os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"],
        "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")),
    }
    request = urllib.request.Request(os.environ["VALETKEY_DRIVER"], json.dumps(job).encode())
    with urllib.request.urlopen(request) as answer:
        said = json.load(answer)
    print(said["words"])
    return int(said["code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1]))
