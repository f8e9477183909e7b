"""DOOR for gateways: verify what can be verified, store it raw, answer at once."""

from flask import Flask

from opsapp.webhooks import gateways


def install(app: Flask) -> None:
    app.register_blueprint(gateways.routes, url_prefix="/webhooks")
