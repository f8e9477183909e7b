"""Random references: what leaves the building never shows a serial number."""

import secrets

# Crockford's base 32 without digits runs long enough to look like a card number: every second
# character is a letter, so no reference ever passes for a PAN (invariant I12).
_LETTERS = "abcdefghjkmnpqrstvwxyz"
_MIXED = "0123456789" + _LETTERS


def new_ref(prefix: str, *, pairs: int = 9) -> str:
    """`prefix_` and 2 x `pairs` random characters: about 81 bits at the default."""
    body = "".join(secrets.choice(_LETTERS) + secrets.choice(_MIXED) for _ in range(pairs))
    return f"{prefix}_{body}"
