"""DOOR for shoppers: they come by a link, without an account, mostly on a phone."""

from flask import Flask

from opsapp.portal import (
    consents,
    frame,
    paying,
    payment_methods,
    refund_accounts,
    subscriptions,
)


def install(app: Flask) -> None:
    """Hang the door into the application, after the console, whose CSRF it shares."""
    frame.install(app)
    app.register_blueprint(refund_accounts.routes)
    for page in (paying, subscriptions, payment_methods, consents):
        app.register_blueprint(page.routes)
