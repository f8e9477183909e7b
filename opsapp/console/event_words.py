"""What the page of gateways' notices says. Keys of the catalogue, no text."""

FINDING = {
    "same": "The gateway says what our books say.",
    "asked": "The payment was open: the gateway was asked at once.",
    "reopened": "It had waited for a person; the gateway knows by now.",
    "deposit_reversed": "The bank took the deposit back.",
    "refunded_there": "Money was given back in the gateway's own console.",
    "late_approval": "Approved after the attempt had ended. Held for a person.",
    "late_deposit": "Money arrived that nobody waited for. Held for a person.",
    "not_paid_there": "The gateway says that no money moved.",
    "disagrees": "The gateway's sums differ from ours.",
    "method_gone": "The payment method was deleted at the gateway.",
    "not_ours": "It is about nothing of ours.",
    "changed": "Our books moved meanwhile. The gateway is asked again.",
    "unknown": "No certain answer yet. The gateway is asked again.",
}
# Reasons that machines write into the log.
BECAUSE = (
    "approved after the attempt had ended; held for a person",
    "claimed; the gateway is asked for the truth",
    "it is about nothing of ours",
    "made in the gateway's own console",
    "money arrived that nobody waited for; held for a person",
    "money was given back in the gateway's own console",
    "no certain answer; asked again later",
    "our books moved meanwhile; asked again",
    "staff play it again",
    "the attempt is open: its next turn asks the gateway at once",
    "the gateway is asked once more",
    "the gateway knows by now: it is asked once more",
    "the gateway says that no money moved",
    "the gateway says that no money moved for a paid payment",
    "the gateway says what our books say",
    "the gateway's sums differ from ours",
    "the payment method was deleted at the gateway",
)
