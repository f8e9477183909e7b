"""Vetoing: rooms above say which payment methods something living is still charged to.

Customers cannot ask upwards, so reactions.py installs the question.
"""

from collections.abc import Callable, Sequence

# Ids of methods -> those among them that must not be deleted now.
FindUsed = Callable[[Sequence[int]], frozenset[int]]

_asked: list[FindUsed] = []


def install(questions: Sequence[FindUsed]) -> None:
    _asked[:] = questions


def find_used(method_ids: Sequence[int]) -> frozenset[int]:
    return frozenset().union(*(find(method_ids) for find in _asked))
