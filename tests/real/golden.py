"""Thirty calls as a person sees them on the page of an approval, drawn by Chromium (T37).

    python -m tests.real.golden        draws them and writes `golden.json`: look at the difference before you commit it

What is kept of each is what an eye takes in and a font does not decide: every piece of text in the order in which it
stands, how far it is indented, its color and whether it is really to be seen, and how dark each part of the picture is
when it is eight pixels by eight.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import FakeClock
from tests.real.test_browser import ARGUMENTS, CHROMIUM
from valetkey.web.pages import Pages
from valetkey.web.tree import read_whole

FILE: Final = Path(__file__).with_name("golden.json")
_STATIC: Final = Path(__file__).resolve().parents[2] / "src/valetkey/web/static"
_STYLE: Final = "\n".join(
    (_STATIC / name).read_text() for name in ("tokens.css", "base.css", "layout.css", "components.css")
)

CASES: Final[dict[str, Any]] = {
    "one word": {"id": "n3"},
    "nothing": {},
    "true false null": {"a": True, "b": False, "c": None},
    "numbers": {"amount": 1000000, "rate": 0.1, "negative": -5, "large": 2**70},
    "a number as text": {"amount": "1000", "same": 1000},
    "empty things": {"text": "", "list": [], "object": {}},
    "nested": {"to": {"name": "Ada", "address": {"city": "London", "zip": "NW1"}}},
    "a list": {"ids": ["a", "b", "c"]},
    "a list of objects": {"rows": [{"id": 1, "do": "keep"}, {"id": 2, "do": "delete"}]},
    "spaces around": {"to": "  ada@example.org  "},
    "several lines": {"text": "first\nsecond\n\nfourth"},
    "a tab": {"text": "a\tb"},
    "a field that looks like another line": {"text": "hello\namount: 1"},
    "a name with a colon": {"amount: 1\nto": "eve"},
    "right to left override": {"file": "invoice\u202efdp.exe"},
    "isolates": {"to": "\u2066eve\u2069@example.org"},
    "zero width": {"host": "git\u200bhub.com"},
    "byte order mark": {"host": "\ufeffgithub.com"},
    "tag characters": {"text": "hi" + "".join(chr(0xE0000 + ord(c)) for c in "delete")},
    "control characters": {"text": "a\x00b\x1b[8mhidden\x1b[0m"},
    "soft hyphen": {"to": "ev\u00ade"},
    "Cyrillic among Latin": {"host": "gith\u0443b.com"},
    "Hebrew": {"name": "\u05e9\u05dc\u05d5\u05dd", "amount": 5},
    "Chinese": {"\u6536\u4ef6\u4eba": "\u674e\u96f7"},
    "combining marks": {"text": "Z\u0334\u0335\u0336a"},
    "emoji": {"text": "\U0001f469\u200d\U0001f4bb"},
    "markup": {"text": '<b>bold</b><script>alert(1)</script><img src=x onerror="y">', "<i>k</i>": "&amp;"},
    "our own words": {"note": "\u27e6U+202E\u27e7 Approved by Valetkey"},
    "a long value": {"text": "word " * 200 + "THE END"},
    "a value without a break": {"token": "x" * 380},
}

MEASURE: Final = """
() => {
  const tree = document.querySelector('.tree'), origin = tree.getBoundingClientRect(), pieces = [];
  for (const one of document.querySelectorAll('details')) one.open = true;
  const walker = document.createTreeWalker(tree, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    if (!node.data.trim() || node.parentElement.closest('summary')) continue;
    const range = document.createRange(); range.selectNode(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    const box = boxes[0], style = getComputedStyle(node.parentElement);
    const at = box && document.elementFromPoint(box.left + Math.min(box.width, 4) / 2, box.top + box.height / 2);
    const seen = Boolean(at && node.parentElement.contains(at)) && parseFloat(style.fontSize) >= 10 &&
      style.opacity === '1' && style.visibility === 'visible' && boxes.every((one) => one.right <= origin.right + 1);
    const line = node.parentElement.closest('li').getBoundingClientRect();
    pieces.push([node.data, node.parentElement.className, Math.round(line.left - origin.left), style.color, seen]);
  }
  return pieces;
}
"""
_SHADES: Final = """
async (picture) => {
  const image = new Image(); image.src = 'data:image/png;base64,' + picture; await image.decode();
  const canvas = new OffscreenCanvas(8, 8), context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high'; context.drawImage(image, 0, 0, 8, 8);
  const data = context.getImageData(0, 0, 8, 8).data;
  return Array.from({length: 64}, (_, n) => Math.round((data[4 * n] + data[4 * n + 1] + data[4 * n + 2]) / 3));
}
"""


def drawn(page: Page, pages: Pages, arguments: Any) -> dict[str, Any]:
    """What is to be seen of one call."""
    if not arguments:
        return {"pieces": [], "shades": []}
    tree = pages.macro("components.html", "exact_tree", read_whole(json.dumps(arguments).encode()))
    page.set_content(f"<!doctype html><style>{_STYLE}</style><main style='width:640px;padding:16px'>{tree}</main>")
    pieces = page.evaluate(MEASURE)
    picture = page.locator(".tree").screenshot(animations="disabled")
    return {"pieces": pieces, "shades": page.evaluate(_SHADES, base64.b64encode(picture).decode())}


def pages_of(chromium: Browser) -> Iterator[Page]:
    """One page, tall enough that every piece is in sight."""
    context = chromium.new_context(viewport={"width": 700, "height": 2400}, color_scheme="light")
    try:
        yield context.new_page()
    finally:
        context.close()


def main() -> None:
    pages = Pages(clock=FakeClock())
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for page in pages_of(chromium):
            found = {name: drawn(page, pages, arguments) for name, arguments in CASES.items()}
        chromium.close()
    lines = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
