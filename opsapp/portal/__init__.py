"""DOOR for shoppers: they come by a link, without an account, mostly on a phone."""

from flask import Flask

from opsapp.portal import frame, paying, refund_accounts


def install(app: Flask) -> None:
    """Hang the door into the application, after the console, whose CSRF it shares."""
    frame.install(app)
    app.register_blueprint(refund_accounts.routes)
    app.register_blueprint(paying.routes)
