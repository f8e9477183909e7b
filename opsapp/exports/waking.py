"""Which exports wait for a worker, and which job writes them."""

from opsapp.exports.jobs import WRITE_EXPORTS
from opsapp.exports.models import Export
from opsapp.exports.states import OPEN
from opsapp.kernel.turns import Work

EXPORTS = Work(Export, OPEN, WRITE_EXPORTS, "export_ids")
