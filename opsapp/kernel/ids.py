"""Random references: what leaves the building never shows a serial number."""

import secrets

# Crockford's base 32 without digits runs long enough to look like a card number: every second
# character is a letter, so no reference ever passes for a PAN (invariant I12).
_LETTERS = "abcdefghjkmnpqrstvwxyz"
_MIXED = "0123456789" + _LETTERS
_PAIRS = [letter + mixed for letter in _LETTERS for mixed in _MIXED]


def new_ref(prefix: str, *, pairs: int = 9) -> str:
    """`prefix_` and 2 x `pairs` random characters: about 81 bits at the default."""
    # One draw for all pairs: a billing run makes three references for each charge.
    number, body = secrets.randbelow(len(_PAIRS) ** pairs), []
    for _ in range(pairs):
        number, place = divmod(number, len(_PAIRS))
        body.append(_PAIRS[place])
    return f"{prefix}_{''.join(body)}"
