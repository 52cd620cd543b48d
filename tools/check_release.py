"""Check the distributions of a release: `make release-check` builds and checks them.

    python tools/check_release.py dist

The directory holds exactly one source distribution and one wheel, both of the version in kiwi/__init__.py, with a
README, a licence and every file of the package that is under version control. CITATION.cff has the same version.
"""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def sole(directory: Path, pattern: str) -> Path:
    """Return the only file that matches a pattern."""
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{directory}: found {len(found)} files named {pattern}; expected 1. Remove old ones.")
    return found[0]


def mistakes(version: str, wheel: Path, sdist: Path) -> list[str]:
    """Return what is wrong with the two distributions."""
    listed = ["git", "ls-files", "kiwi"]
    tracked = set(subprocess.run(listed, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout.split())
    with zipfile.ZipFile(wheel) as file:
        in_wheel = set(file.namelist())
        metadata = email.message_from_bytes(file.read(f"kiwi_qe-{version}.dist-info/METADATA"))
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    wrong = [f"{wheel.name}: {name} is missing" for name in sorted(tracked - in_wheel)]
    wrong += [
        f"{wheel.name}: {name} is not of the package" for name in sorted(in_wheel - tracked) if "dist-info" not in name
    ]
    wrong += [f"{sdist.name}: {name} is missing" for name in sorted({*tracked, "README.md", "LICENSE"} - in_sdist)]
    expected = {"Name": "kiwi-qe", "Version": version, "License-Expression": "Apache-2.0", "License-File": "LICENSE"}
    for key, value in expected.items():
        if metadata[key] != value:
            wrong.append(f"{wheel.name}: found {key} {metadata[key]!r}; expected {value!r}")
    if not str(metadata.get_payload()).startswith("# kiwi"):
        wrong.append(f"{wheel.name}: found no README as its description")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    if cited != version:
        wrong.append(f"CITATION.cff: found version {cited}; expected {version}")
    return wrong


def main(directory: Path) -> int:
    """Print what is wrong, and return the exit status."""
    found = re.search(
        r'^__version__ = "(.+)"$', (ROOT / "kiwi" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found is not None
    wheel, sdist = sole(directory, "*.whl"), sole(directory, "*.tar.gz")
    if (names := (wheel.name, sdist.name)) != (f"kiwi_qe-{found[1]}-py3-none-any.whl", f"kiwi_qe-{found[1]}.tar.gz"):
        raise SystemExit(f"{directory}: found {', '.join(names)}; expected those of version {found[1]}.")
    wrong = mistakes(found[1], wheel, sdist)
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"kiwi {found[1]}: {'not ' if wrong else ''}ready to publish")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
