from opsapp.console import export_rows
from opsapp.exports import running
from opsapp.kernel.actors import Actor
from workers.runtime import job


@job
def write(export_ids: list[int]) -> None:
    running.write_exports(export_ids, export_rows.open_source, by=Actor("worker", "exports.write"))
