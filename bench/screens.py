"""A picture of every screen into build/screens, and what was wrong with them in summary.json.

The pictures are taken by the browser test that also looks for faults: one list of screens. Here it
takes every screen in every look, and in English too; as a test it takes each in two looks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path("build/screens")
FAULTS = ("axe_violations", "csp_reports", "console_errors")
TEST = "tests/browser/test_look.py"


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", TEST, *sys.argv[1:]],
        env=os.environ | {"OPSAPP_SCREENS_DIR": str(FOLDER.absolute())},
        check=False,
    )
    parts = [json.loads(file.read_text()) for file in sorted(FOLDER.glob("part-*.json"))]
    summary: dict[str, Any] = {
        name: sum(part[name] for part in parts) for name in ("screens", *FAULTS)
    }
    summary["pictures"] = [picture for part in parts for picture in part["pictures"]]
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=1))
    faults = ", ".join(f"{summary[name]} {name}" for name in FAULTS)
    print(f"{summary['screens']} screens in {FOLDER}: {faults}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
