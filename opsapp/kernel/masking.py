"""Personal and payment data as most eyes may see it."""


def mask_name(name: str) -> str:
    """홍길동 -> 홍*동, 김민 -> 김*, John Smith -> J********h."""
    if len(name) <= 1:
        return "*" * len(name)
    if len(name) == 2:
        return name[0] + "*"
    return name[0] + "*" * (len(name) - 2) + name[-1]


def mask_phone(phone: str) -> str:
    """010-1234-5678 -> 010-****-5678."""
    digits = [c for c in phone if c.isdigit()]
    if len(digits) < 8:
        return "*" * len(phone)
    return f"{''.join(digits[:3])}-****-{''.join(digits[-4:])}"


def mask_email(email: str) -> str:
    """someone@example.com -> so*****@example.com."""
    name, at, domain = email.partition("@")
    return name[:2] + "*" * max(len(name) - 2, 1) + at + domain if at else "*" * len(email)


def mask_account(number: str) -> str:
    """All but the last four of an account or card number."""
    return "*" * max(len(number) - 4, 0) + number[-4:]
