"""Vetoing: rooms above say which of their subjects must not be charged any more.

Payments cannot ask upwards, so reactions.py installs one question per subject type. It is asked
again at every claim: what was planned, or was in a worker's hand, before a subscription was
cancelled must not be charged after it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

# Ids of one subject type -> those among them that must not be charged now.
Vetoes = Mapping[str, Callable[[Sequence[int]], frozenset[int]]]
Subject = tuple[str, int]

_vetoes: dict[str, Callable[[Sequence[int]], frozenset[int]]] = {}


def install(vetoes: Vetoes) -> None:
    _vetoes.clear()
    _vetoes.update(vetoes)


def find_vetoed(subjects: Iterable[Subject]) -> frozenset[Subject]:
    """One question per subject type, however many subjects there are."""
    by_type: dict[str, list[int]] = defaultdict(list)
    for subject_type, subject_id in subjects:
        by_type[subject_type].append(subject_id)
    return frozenset(
        (subject_type, subject_id)
        for subject_type, ids in by_type.items()
        if subject_type in _vetoes
        for subject_id in _vetoes[subject_type](ids)
    )
