"""A picture of every screen into build/screens, and what was wrong with them in summary.json.

The pictures are taken by the browser test that also looks for faults: one list of screens.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path("build/screens")
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
        name: sum(part[name] for part in parts)
        for name in ("screens", "axe_violations", "csp_reports", "console_errors")
    }
    summary["pictures"] = [picture for part in parts for picture in part["pictures"]]
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=1))
    print(f"{summary['screens']} screens in {FOLDER}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
