"""What the audit room refuses."""

from opsapp.kernel.errors import OpsError


class SealKeyUnusable(OpsError):
    code = "seal_key_unusable"
    http_status = 500
    message = "OPSAPP_SEAL_KEY is not the base64 of 32 bytes."
    remedy = "Set it to the key of this installation: openssl rand -base64 32 makes a new one."


class AnchorsMissing(OpsError):
    code = "anchors_missing"
    http_status = 404
    message = "There is no {file}."
    remedy = "Name the folder that holds the anchors of this installation."
