"""Copies the front-end files that come out of Python wheels into static/vendor/ at build time.

django-htmx carries htmx and is present only while building; nothing of it is imported or shipped.
The folder is git-ignored: no third-party file is committed, and no Node is needed.
"""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HTMX_FILES = ("htmx-2.min.js",)

# In a checkout the application reads these where they stand; in a wheel, inside the package.
PLACE_IN_WHEEL = {
    "locale": "opsapp/_locale",
    "migrations": "opsapp/_migrations",
    "static": "opsapp/_static",
    "templates": "opsapp/_templates",
    "wsgi.py": "wsgi.py",
}


class VendorFiles(BuildHookInterface):
    """The build hook that hatch runs before a wheel or an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill static/vendor/, and say where a wheel holds the folders beside the packages.

        Raises FileNotFoundError when django-htmx is absent or no longer holds one of the files.
        """
        spec = importlib.util.find_spec("django_htmx")
        if spec is None or spec.origin is None:
            raise FileNotFoundError(
                "django-htmx is needed while building (it carries htmx): run `make install`, "
                "which takes it from requirements/build.txt"
            )
        source = Path(spec.origin).parent / "static" / "django_htmx"
        vendor = Path(self.root) / "static" / "vendor"
        vendor.mkdir(parents=True, exist_ok=True)
        for name in HTMX_FILES:
            shutil.copyfile(source / name, vendor / name)
        if version == "standard":  # the other version is "editable"
            build_data["force_include"].update(PLACE_IN_WHEEL)
