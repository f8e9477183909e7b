"""What each screen is for, and what our words mean. Keys of the catalogue, no text."""

# By endpoint: one line, under the title and in the help.
PURPOSE: dict[str, str] = {
    "console.home.show": "What waits for you first, and how today compares with a week ago.",
    "console.tickets.show_list": (
        "Cases for a person, the one whose answer is due first at the top."
    ),
    "console.tickets.show": "One case: what happened, what was done, and what to do next.",
    "console.tickets.show_workload": "Who has how many cases, and what is late.",
    "console.ticket_macros.show_list": "Texts that messages to customers begin with.",
    "console.ticket_macros.show": "One text, in both languages.",
    "console.ticket_macros.show_new": "One text, in both languages.",
    "console.uncertain.show_list": (
        "Charges and refunds whose outcome nobody knows yet. Do not charge these again."
    ),
    "console.uncertain.show": "Compare our record with the gateway's and decide what is true.",
    "console.deposits.show_list": (
        "Virtual accounts that wait for a deposit, and money that fits no payment."
    ),
    "console.deposits.show": "Money that fits no payment: keep it for the order or send it back.",
    "console.payments.show_list": "Every amount owed once: find it, see its state, act on it.",
    "console.payments.show": "All that happened to one payment, and what can still be done.",
    "console.refunds.show_list": "Money on its way back to customers, and what came of it.",
    "console.orders.show_list": "What was bought at once, and what of it is paid.",
    "console.orders.show": "A link that a customer pays by, and whether it was used.",
    "console.orders.show_form": "Make a payment link for this customer.",
    "console.order_page.show": "One order: its parts, what is paid, and what happens next.",
    "console.cash_receipts.show_list": "Cash receipts asked for, issued and cancelled.",
    "console.customers.show_list": "Find a customer by name, number, telephone or e-mail.",
    "console.customers.show": "Everything about one customer, so that a call needs one screen.",
    "console.customers.show_history": "All that happened with this customer, newest first.",
    "console.consents.show_list": "What this customer has agreed to, when and in which words.",
    "console.subscriptions.show_list": "What is charged again and again, and when next.",
    "console.subscriptions.show": "One subscription: next charge, past periods, pause and end.",
    "console.subscription_changes.show": "Change plan, amount or day, and see the cost first.",
    "console.recovery.show_list": "Failed renewals, by how far the attempts to save them are.",
    "console.recovery.show": "Why this charge failed, what was tried, and what comes next.",
    "console.recovery_policies.show_list": (
        "When failed renewals are tried again and what customers are told."
    ),
    "console.recovery_policies.show": "One version of the policy, as it was or is in force.",
    "console.notifications.show_list": "Every message to customers, and whether it arrived.",
    "console.notifications.show": "One message: its text, its way and its result.",
    "console.notice_templates.show_list": "The texts that customers are sent.",
    "console.notice_templates.show": "Edit one text and look at it before it is used.",
    "console.points.show_list": "What customers may pay with besides money.",
    "console.points.show": "One customer's points: each that came, went or expired.",
    "console.points.show_adjustments": "Corrections of points that a second person decides.",
    "console.points.show_open_items": "What the books still wait for, and since when.",
    "console.sellers.show_list": "Whose goods are sold, and what share they get.",
    "console.sellers.show": "One seller: fee, sales and what is owed.",
    "console.runs.show_list": "The charges of each day: how many went through.",
    "console.runs.show": "One day's charges while they run, and what failed.",
    "console.calendar.show": "What is charged on which day, and what came of the days before.",
    "console.calendar.show_day": "What one day holds.",
    "console.bulk.show_list": "One act on many at once, with a result for each.",
    "console.bulk.show": "How far this job is, and what could not be done.",
    "console.exports.show_list": "Files that you took out of lists. Only you can fetch them.",
    "console.exports.show_new": "Choose what goes into the file and say what it is for.",
    "console.exports.show": "One file: whether it is ready and until when it is kept.",
    "console.jobs.show": "Whether the machine keeps up: queues, workers and what is late.",
    "console.webhooks.show_list": "What gateways told us, and what we made of it.",
    "console.webhooks.show": "One notice of a gateway, as it came.",
    "console.audit.show_list": "Who did what, when and why. Nobody can change it.",
    "console.gateways.show": "Which gateway is asked for what, and which one rests.",
    "console.plans.show_list": "What can be subscribed to and for how much.",
    "console.plans.show": "One plan: its prices, past and coming.",
    "console.failures.show_list": "What each failure code means and what follows from it.",
    "console.failures.show": "One code: what we do and what the customer is told.",
    "console.failures.review": "A code that nobody knows yet: say what it means.",
    "console.terms.show_list": "The texts that customers agree to.",
    "console.terms.show": "One version of these terms, and who was asked to agree to it.",
    "console.staff.show_list": "Who may sign in here and what each role may do.",
    "console.api_keys.show_list": "Ways in for the shop's own programs.",
    "console.shop_webhooks.show_list": "Where the shop is told of changes, and whether it heard.",
    "console.shop_webhooks.show": "One address of the shop and what was sent there.",
    "console.approvals.show_list": "Acts that wait for a second person.",
    "console.approvals.show": "What would change, who asked for it and why.",
    "console.money_policies.show_list": (
        "How long a refund can be taken back, and from which amount a second person decides."
    ),
    "console.parts.show": "Every part that the screens are made of, in each of its states.",
    "console.search.show": "One box for everything: numbers, names, telephones, cards.",
}

# By English word: the word and what it means here.
TERMS: dict[str, tuple[str, str]] = {
    "payment": ("Payment", "An amount owed once: for an order or for one period."),
    "attempt": ("Attempt", "One request to one gateway with one payment method."),
    "uncertain": (
        "Uncertain",
        "Money may or may not have moved. Only asking the gateway decides; do not charge again.",
    ),
    "refund": ("Refund", "Money given back for a payment, whole or in part."),
    "gross": ("Gross volume", "All that was approved in the period, before refunds."),
    "net": ("Net volume", "Gross less what was refunded in the same period."),
    "approval_rate": (
        "Approval rate",
        "Of the payments that ended in the period, the share that was approved.",
    ),
    "billing_key": ("Billing key", "A token kept instead of a card, for charging again."),
    "subscription": ("Subscription", "What is charged again and again by itself."),
    "period": ("Period", "One turn of a subscription; it is charged at most once."),
    "recovery": (
        "Payment recovery",
        "The planned tries and messages after a renewal has failed.",
    ),
    "retry": ("Retry", "A new attempt after a definite refusal, by plan."),
    "virtual_account": (
        "Virtual account",
        "An account number for one payment; the customer pays into it.",
    ),
    "unmatched_money": (
        "Unmatched money",
        "Money that a gateway holds for us and that fits no payment.",
    ),
    "leg": ("Part of an order", "What of an order is charged together."),
    "points": ("Points", "What a customer may pay with besides money; 1 point is 1 won."),
    "ticket": ("Ticket", "A case for a person."),
    "circuit": (
        "Circuit breaker",
        "A gateway that keeps failing is not asked for a while, then tried carefully.",
    ),
    "webhook": ("Gateway's notice", "A message of a gateway: a reason to ask it, no proof."),
    "settlement": ("Settlement", "The gateway pays out to us, some business days after the sale."),
    "ledger": ("Ledger", "The books: each movement stands on two accounts."),
    "hold": ("Undo window", "The time in which a refund can still be taken back."),
    "second_person": (
        "Second person",
        "Above a limit one person asks and another one decides; never the same.",
    ),
    "masked": ("Masked", "Shown in part only. Seeing all of it needs a right and a reason."),
}
