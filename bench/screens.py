"""A picture of every screen into build/screens, and what was wrong with them in summary.json.

The pictures are taken by the browser test that also looks for faults: one list of screens. Here it
takes each in both languages and themes at three widths; as a test it takes each in one look.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path("build/screens")
FAULTS = ("axe_violations", "csp_reports", "console_errors", "too_wide")
TEST = "tests/browser/test_look.py"
UNHURRIED = ("-o", "faulthandler_timeout=0")  # one test takes all the pictures, and much longer


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *UNHURRIED, TEST, *sys.argv[1:]],
        env=os.environ | {"OPSAPP_SCREENS_DIR": str(FOLDER.absolute())},
        check=False,
    )
    file = FOLDER / "summary.json"
    if not file.exists():
        return done.returncode or 1
    summary = json.loads(file.read_text())
    faults = ", ".join(f"{summary[name]} {name}" for name in FAULTS)
    print(f"{summary['screens']} pictures in {FOLDER} in {summary['took']}: {faults}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
