"""`python -m opsapp.cli`: the same as `opsapp`, where only the interpreter is known."""

from opsapp.cli import main

main(prog_name="opsapp")
