import io
import json
import sys

import structlog

from opsapp.kernel import diagnostics


class Writes(io.StringIO):
    """Remembers each write, as the operating system would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, piece: str) -> int:
        self.pieces.append(piece)
        return len(piece)


def lines_of(monkeypatch, **values):
    out = Writes()
    monkeypatch.setattr(sys, "stderr", out)
    diagnostics.configure()
    structlog.get_logger().error("it", **values)
    return out.pieces


def test_a_line_leaves_in_one_piece_so_that_threads_do_not_mix_theirs(monkeypatch):
    [piece] = lines_of(monkeypatch, status=500)
    assert piece.endswith("}\n")


def test_the_row_that_broke_a_constraint_stays_out_of_the_log(monkeypatch):
    text = (
        "(UniqueViolation) customers_email\nDETAIL:  Key (email)=(a@b.kr) already exists.\n[SQL: x]"
    )
    [piece] = lines_of(monkeypatch, exc_info=ValueError(text))
    [told] = json.loads(piece)["exception"]
    assert "a@b.kr" not in piece
    assert "[SQL: x]" in told["exc_value"]
