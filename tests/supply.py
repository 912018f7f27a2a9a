"""`./x audit` and `./x sbom`: what is known of the parts we ship, and a list of them for whoever has to keep one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LOCKS = ("run.txt", "dev.txt", "supply.txt", "fuzz.txt")
UNREACHED = 2
_PROVES = "This proves nothing."


def audit(locks: tuple[str, ...] = LOCKS) -> int:
    """0 nothing is known against any locked version; 1 something is; 2 nobody could be asked, which proves nothing."""
    worst = 0
    for lock in locks:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            command = [
                *("pip-audit", "--requirement", str(HERE / "requirements" / lock), "--require-hashes", "--disable-pip"),
                *("--progress-spinner", "off", "--format", "json", "--output", str(report)),
            ]
            done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
            if not report.exists():
                print(f"? {lock:<11} NOT AUDITED: the database of advisories could not be asked. {_PROVES}")
                print(f"  {last_words(done.stderr)}")
                worst = worst or UNREACHED
                continue
            said = told(lock, json.loads(report.read_text()))
            worst = 1 if 1 in (said, worst) else max(worst, said)
    return worst


def told(lock: str, report: dict[str, Any]) -> int:
    """Prints what a report says; 1 when it knows of a weakness, 2 when it could not say of every package."""
    known = [(one["name"], one["version"], weak) for one in report["dependencies"] for weak in one.get("vulns", ())]
    unknown = [one["name"] for one in report["dependencies"] if "skip_reason" in one]
    asked = len(report["dependencies"]) - len(unknown)
    for name, version, weak in known:
        print(f"✗ {name} {version}: {weak['id']}, mended in {', '.join(weak['fix_versions']) or 'no version yet'}")
    if not asked:
        print(f"? {lock:<11} NOT AUDITED: the database knew none of its packages, so it was not reached. {_PROVES}")
        return UNREACHED
    if unknown:
        print(f"? {lock:<11} NOT AUDITED: {', '.join(unknown)}")
    print(f"{'✗' if known else '?' if unknown else '✓'} {lock:<11} {asked} packages asked for, {len(known)} weaknesses")
    return 1 if known else UNREACHED if unknown else 0


def last_words(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else "It ended without a word."


def sbom(target: Path) -> int:
    """Writes the bill of materials of the product (not of its tests) to `target`, once it is known to be one."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "bom.json"
        command = [
            *("cyclonedx-py", "requirements", "requirements/run.txt", "--pyproject", "pyproject.toml"),
            *("--mc-type", "application", "--output-reproducible", "--sv", "1.6", "--of", "JSON", "-o", str(made)),
        ]
        done = subprocess.run([BIN / command[0], *command[1:]], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"✗ {last_words(done.stderr)}")
            return 1
        text = made.read_text()
    wrong = [*problems(text), *missing(json.loads(text))]
    if wrong:
        print("\n".join(f"✗ {each}" for each in wrong))
        return 1
    target.write_text(text)
    print(f"✓ {target}: {len(json.loads(text)['components'])} parts, CycloneDX 1.6, checked against its schema")
    return 0


def problems(text: str) -> list[str]:
    """What the schema has against it."""
    from cyclonedx.schema import SchemaVersion  # here, since `./x check` reads this file without the supply lock
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return [] if found is None else [str(found)[:500]]


def missing(document: dict[str, Any]) -> list[str]:
    """Locked packages that it does not hold with their version, their address among packages, and a hash."""
    held = {part["name"].lower().replace("_", "-"): part for part in document["components"]}
    wrong = []
    for line in (HERE / "requirements/run.txt").read_text().splitlines():
        name, sign, rest = line.partition("==")
        if not sign or line[0] in " #":
            continue
        part = held.get(name.lower().replace("_", "-"))
        version = rest.split(" ")[0].rstrip("\\").strip()
        if part is None or part.get("version") != version:
            wrong.append(f"{name} {version} is locked and not in the bill")
        elif not part.get("purl", "").startswith("pkg:") or not hashes(part):
            wrong.append(f"{name} has no address or no hash in the bill")
    return wrong


def hashes(part: dict[str, Any]) -> list[str]:
    places = [part, *part.get("externalReferences", ())]
    return [each["content"] for place in places for each in place.get("hashes", ())]


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    sys.exit(audit() if verb == "audit" else sbom(Path(rest[0]) if rest else Path("sbom.json")))
