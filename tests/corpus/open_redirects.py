"""Addresses that lead elsewhere while looking as if they stayed: how `open_redirects.txt` is made.

    python -m tests.corpus.open_redirects        writes the file anew; a test says when it is not what this makes

Rules, not samples: each is a way in which some parser of addresses was once fooled. One entry a line, as a JSON string,
since many hold what no line can.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from urllib.parse import quote

FILE = Path(__file__).with_suffix(".txt")
EVIL = "evil.example"
US = "localhost:8484"

SLASHES = (
    "//",
    "///",
    "////",
    "/\\",
    "\\\\",
    "\\/",
    "/\\/",
    "\\",
    "/\\\\",
    "/ /",
    "/./\\",
    "/.//",
    "/..//",
    "/a//",
    "/%5c/",
)
SPACES = (
    "\t",
    "\n",
    "\r",
    "\r\n",
    " ",
    "\x00",
    "\x0b",
    "\x0c",
    "\x1f",
    "\x7f",
    "\u00a0",
    "\u2028",
    "\ufeff",
    "\u3000",
    "\u200b",
)
SLASH_LIKE = ("\u2044", "\u2215", "\u29f8", "\uff0f", "\u2571", "\uff3c", "\u2216")
DOT_LIKE = ("\u3002", "\uff0e", "\uff61", "\u2024")
SCHEMES = (
    *(
        "http",
        "https",
        "HTTPS",
        "hTtP",
        "ftp",
        "ws",
        "javascript",
        "JaVaScRiPt",
        "data",
        "vbscript",
        "file",
        "blob",
        "about",
    ),
    *("mailto", "tel", "view-source", "jar", "feed", "intent", "chrome", "cursor", "ms-settings", "x", "1http"),
)
ADDRESSES = (
    "2130706434",
    "0x7f.1",
    "017700000002",
    "127.1",
    "[::ffff:8.8.8.8]",
    "[::1%25lo]",
    "8.8.8.8",
    "xn--80ak6aa92e.com",
)
HEADERS = (
    "\r\nlocation: https://evil.example",
    "\nset-cookie: sid=x",
    "\r\n\r\n<script>",
    "%0d%0alocation:%20//evil.example",
)


def made() -> list[str]:
    """Every entry by rule, in order, each once."""
    entries: list[str] = []
    # 1. slashes of every kind before a host
    entries += [f"{slashes}{EVIL}{tail}" for slashes, tail in product(SLASHES, ("", "/", "/%2f..", "/?x=/connections"))]
    # 2. what browsers drop from an address, in every place where it hides a second slash or a scheme
    for space in SPACES:
        entries += [f"{space}//{EVIL}", f"/{space}/{EVIL}", f"//{space}{EVIL}", f"{space}https://{EVIL}"]
        entries += [
            f"/{space}\\{EVIL}",
            f"java{space}script:alert(1)",
            f"https:{space}//{EVIL}",
            f"/connections{space}",
        ]
    # 3. the same, written in percent signs once and twice: whoever decodes before looking is fooled
    for text in (f"//{EVIL}", f"/\\{EVIL}", f"\\\\{EVIL}", f"https://{EVIL}", "javascript:alert(1)", f"/\t/{EVIL}"):
        once = quote(text, safe="")
        entries += [once, f"/{once}", quote(once, safe=""), text.replace("/", "%2f"), text.replace("/", "%252f")]
        entries += [text.replace(":", "%3a"), text.replace("/", "%2F").replace("\\", "%5C"), f"/%2e%2e/{once}"]
    # 4. schemes, with no, one, two and too many slashes
    for scheme in SCHEMES:
        entries += [
            f"{scheme}:{EVIL}",
            f"{scheme}:/{EVIL}",
            f"{scheme}://{EVIL}",
            f"{scheme}:///{EVIL}",
            f"/{scheme}:{EVIL}",
        ]
        entries += [f"{scheme}:\\\\{EVIL}"]
    # 5. our name as a name of theirs: before an @, as their subdomain, in their path, their port, their fragment
    for ours in (US, "localhost", "hub.example"):
        entries += [
            f"//{ours}@{EVIL}",
            f"//{ours}:x@{EVIL}",
            f"//{EVIL}@{ours}@{EVIL}",
            f"//{ours}.{EVIL}",
            f"//{ours}%40{EVIL}",
        ]
        entries += [
            f"https://{ours}@{EVIL}/",
            f"https://{EVIL}/{ours}",
            f"https://{EVIL}#{ours}",
            f"https://{EVIL}?{ours}",
        ]
        entries += [
            f"//{EVIL}:80/{ours}",
            f"//{EVIL}\\@{ours}",
            f"//{ours}\\.{EVIL}",
            f"http://{ours}#@{EVIL}/",
            f"//{ours}&{EVIL}",
        ]
        entries += [f"https://{ours};{EVIL}", f"//{ours}\uff20{EVIL}", f"http://{ours}", f"https://{ours}/connections"]
    # 6. characters that some part of the way turns into a slash or a dot
    for like in SLASH_LIKE:
        entries += [f"{like}{like}{EVIL}", f"/{like}{EVIL}", f"https:{like}{like}{EVIL}", f"/{quote(like)}{EVIL}"]
    for like in DOT_LIKE:
        entries += [f"//evil{like}example", f"/{like}{like}/{EVIL}", f"/connections/{like}{like}//{EVIL}"]
    # 7. folders that climb
    for climb in ("..", ".", "%2e%2e", "%2E%2e", "..;", ".%2e", "...", "..\\", "..%5c", "%2e%2e%2f", "\uff0e\uff0e"):
        entries += [
            f"/{climb}//{EVIL}",
            f"/connections/{climb}/{climb}//{EVIL}",
            f"/{climb}/\\{EVIL}",
            f"{climb}//{EVIL}",
        ]
        entries += [f"/{climb}/signout", f"/connections/{climb}/signout"]
    # 8. addresses without a name
    for number in ADDRESSES:
        entries += [f"//{number}", f"http://{number}/", f"/\\{number}", f"//{number}:8484/connections"]
    # 9. header lines that would follow `location`
    for header, path in product(HEADERS, ("/", "/connections", "/connections?x=", "//", "")):
        entries.append(path + header)
    # 10. ends and edges: nothing, too much, only a query or a fragment, markup
    entries += [
        "",
        "?",
        "#",
        "?to=//evil.example",
        "#//evil.example",
        "*",
        "/*",
        "/" + "a" * 7000,
        "//",
        "/\\",
        "///",
        ":",
        "@",
    ]
    entries += [
        '/"><script>alert(1)</script>',
        "/'onmouseover=alert(1)",
        "/<svg/onload=alert(1)>",
        "/{{7*7}}",
        "/${7*7}",
        "/;@x",
    ]
    entries += [
        "/connections#//evil.example",
        "/connections;//evil.example",
        "/connections@evil.example",
        "/@evil.example",
    ]
    # 11. leading back into signing in or out
    entries += [
        "/signin",
        "/signin/",
        "/signin?to=//evil.example",
        "/signin/again?to=https://evil.example",
        "/signout",
        "/signout/x",
    ]
    return list(dict.fromkeys(entries))


HAND_MADE = [
    # From what was reported of other products, and from looking at our own code for an afternoon.
    "/https://evil.example",
    "/http:evil.example",
    "https:evil.example",
    "https:/evil.example",
    "http:\\\\evil.example",
    "http:/\\/\\evil.example",
    "////localhost:8484/..//evil.example",
    "//evil.example/%2e%2e%2f",
    "/%09/evil.example",
    "/%2f%2fevil.example",
    "/%68%74%74%70%73://evil.example",
    "/.evil.example",
    "//.evil.example",
    "///localhost:8484@evil.example",
    "/localhost:8484@evil.example/..//",
    "http://[::ffff:evil.example]",
    "//[evil.example]",
    "//evil%00.example",
    "//evil.example%E3%80%82",
    "javascript://localhost:8484/%0aalert(1)",
    "javascript://%250Aalert(1)//",
    "\x01javascript:alert(1)",
    "jav&#x09;ascript:alert(1)",
    "&#47;&#47;evil.example",
    "\\u002f\\u002fevil.example",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "/connections?next=//evil.example\r\n",
    "/oauth/../../evil.example",
    "/oauth//evil.example",
    "/static/..//evil.example",
    "/connections//evil.example/..",
    "/c/x/mcp\\..\\..\\evil.example",
    "=//evil.example",
    "url=//evil.example",
    "0;url=//evil.example",
    "/0;url=//evil.example",
    "/a;url='//evil.example'",
]


def main() -> None:
    entries = list(dict.fromkeys([*made(), *HAND_MADE]))
    FILE.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    print(f"{len(entries)} entries")


def read() -> list[str]:
    """The entries of the file."""
    return [json.loads(line) for line in FILE.read_text().splitlines()]


if __name__ == "__main__":
    main()
