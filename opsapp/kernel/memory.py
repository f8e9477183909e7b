"""Memory: what a process keeps for good is not looked through for garbage again and again.

The loaded application is some 230,000 objects: a full collection walks them for 90 ms, in which no
other thread of the process answers, and finds nothing.
"""

import gc

# A page or a job makes tens of thousands of objects that live for one call and hold no cycles:
# looking through them after every 700, as Python does by itself, was a tenth of a job's CPU.
_YOUNG, _OLDER, _OLDEST = 50_000, 50, 100
# Looking through 50,000 stops every thread for 25 ms: it was the slowest twentieth of the pages.
_YOUNG_AT_A_PAGE = 5_000


def keep_for_good(*, for_pages: bool = False) -> None:
    """Called once the process is loaded: what is there by now stays. `for_pages`: somebody waits
    for each answer, so what is young is looked through in small pieces.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_AT_A_PAGE if for_pages else _YOUNG, _OLDER, _OLDEST)
