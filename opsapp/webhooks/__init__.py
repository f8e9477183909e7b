"""DOOR for gateways and messengers: verify what can be verified, store it, answer at once."""

from flask import Flask

from opsapp.webhooks import gateways, solapi


def install(app: Flask) -> None:
    app.register_blueprint(solapi.routes, url_prefix="/webhooks")
    app.register_blueprint(gateways.routes, url_prefix="/webhooks")
