"""What every application of a test process compiles in the same way is compiled once.

Each test builds an application of its own. Its routes and its templates are those of the last one:
compiling them anew took more time than most tests do.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any

import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


class TemplateMemory(BytecodeCache):
    """Keyed by jinja by file, and valid for one text of it."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


def remember(patches: pytest.MonkeyPatch) -> None:
    patches.setattr(Flask, "jinja_options", {"bytecode_cache": TemplateMemory()})
    compile_builder = Rule._compile_builder
    builders: dict[tuple[object, ...], Callable[..., Any]] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        """A builder reads its converters from the rule that it is bound to, except for defaults."""
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in builders:
            builders[key] = compile_builder(rule, append_unknown)
        return builders[key]

    patches.setattr(Rule, "_compile_builder", compile_once)
