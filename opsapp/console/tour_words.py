"""The tour of a demo installation, step by step. Keys of the catalogue, no text."""

# Title, what is to be seen there. The door knows where each step is.
STEP: dict[str, tuple[str, str]] = {
    "home": (
        "Your day begins here",
        "What waits for you stands first. Every number leads to the rows it counts.",
    ),
    "payments": (
        "Find any payment",
        "Filters make an address that you can share. Save it as a view, or export what it finds.",
    ),
    "failed_payment": (
        "A renewal that failed",
        "The reason in plain words, whose turn it is, and the next try with its date.",
    ),
    "customer": (
        "One customer, one screen",
        "What failed, what to say, and the buttons to act. Personal data is masked until you ask.",
    ),
    "refunded_payment": (
        "Money that went back",
        "The timeline shows each try and each person. What can still be refunded stands beside it.",
    ),
    "ticket": (
        "A case for a person",
        "Its clock runs until somebody answers. Take it, write, or hand it over.",
    ),
    "jobs": (
        "Does the machine keep up?",
        "Queues and gateways, by themselves up to date. Nothing is lost when one of them is down.",
    ),
    "audit": (
        "Everything is written down",
        "Who did what, when and why. The log is sealed, so that nobody can change it later.",
    ),
}
