"""DOOR for shoppers: they come by a link, without an account, mostly on a phone."""

from flask import Flask

from opsapp.portal import (
    consents,
    frame,
    my_access,
    my_account,
    my_home,
    my_methods,
    my_orders,
    my_payments,
    my_signing_in,
    my_subscriptions,
    paying,
    paying_registration,
    payment_methods,
    refund_accounts,
    subscriptions,
)


def install(app: Flask) -> None:
    """Hang the door into the application, after the console, whose CSRF it shares."""
    frame.install(app)
    app.register_blueprint(refund_accounts.routes)
    my_access.install(app)
    for mine in (
        my_signing_in, my_home, my_orders, my_subscriptions, my_payments, my_methods, my_account,
    ):  # fmt: skip
        app.register_blueprint(mine.routes)
    for page in (paying, paying_registration, subscriptions, payment_methods, consents):
        app.register_blueprint(page.routes)
