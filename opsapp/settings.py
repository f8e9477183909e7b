"""Settings: read from the environment once, refused at start with all errors at once."""

import json
from base64 import urlsafe_b64decode
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _networks(text: str) -> str:
    for part in text.split(",") if text else ():
        ip_network(part.strip())
    return text


def _vapid_key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().rstrip("=")
    if text and len(urlsafe_b64decode(text + "=" * (-len(text) % 4))) != 32:
        raise ValueError("is not 32 bytes in base64url")
    return secret


def _service_account(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    read = json.loads(text) if text else {}
    needed = {"project_id", "client_email", "private_key", "token_uri"}
    if text and not (isinstance(read, dict) and needed <= read.keys()):
        raise ValueError(f"is not JSON with {', '.join(sorted(needed))}")
    return secret


class Settings(BaseSettings):
    """One documented name per line; the environment variable is OPSAPP_ + the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="OPSAPP_", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    mode: Literal["production", "demo", "test"] = "production"
    database_url: str = Field(pattern=r"^postgresql://", validation_alias="DATABASE_URL")
    redis_url: str = Field(pattern=r"^(redis|rediss|unix)://", validation_alias="REDIS_URL")
    # The role that the application takes on after connecting: it owns no table.
    database_role: str = Field(default="opsapp_app", pattern=r"^[a-z_]*$")
    public_url: str = "http://127.0.0.1:8000"  # what links in messages begin with
    proxy_count: int = Field(default=0, ge=0, le=5)  # trusted reverse proxies in front

    secret_key: SecretStr = Field(min_length=32)  # signs cookies
    encryption_keys: SecretStr  # "kid:base64 of 32 bytes", newest first, comma separated
    blind_index_key: SecretStr  # base64 of 32 bytes; finds encrypted values by equality
    seal_key: SecretStr  # base64 of the 32 byte Ed25519 seed that signs the log's anchors
    anchors_dir: str = ".data/anchors"  # outside the database on purpose

    # Whole call, of every gateway: Toss Payments and PortOne ask for 60 s or more.
    gateway_timeout_s: float = Field(default=70, gt=0, le=300)
    gateway_inquiry_timeout_s: float = Field(default=25, gt=0, le=300)
    gateway_slow_s: float = Field(default=10, gt=0, le=300)  # a longer call counts against it
    gateway_rest_s: int = Field(default=30, ge=1, le=600)  # first rest of an opened circuit

    toss_url: str = "https://api.tosspayments.com"
    toss_secret_key: SecretStr = SecretStr("test_sk_opsapp")
    toss_client_key: str = "test_ck_opsapp"  # public: the shopper's browser sees it
    toss_security_key: SecretStr = SecretStr("")  # 64 hex digits; signs payout webhooks
    toss_window_url: str = ""  # a page in place of the vendor's script: the sandbox's
    toss_abreast_max: int = Field(default=64, ge=1, le=2048)  # calls in flight, all workers
    toss_rate_per_s_max: float = Field(default=0, ge=0)  # 0: the gateway names no limit
    # Networks that its webhooks come from, comma separated, as it signs none; empty: any.
    toss_webhook_sources: Annotated[str, AfterValidator(_networks)] = ""

    # A gateway without a secret is not in use.
    portone_url: str = "https://api.portone.io"
    portone_secret: SecretStr = SecretStr("")
    portone_store_id: str = ""
    # "card=channel-key-1@KCP_V2,mobile=channel-key-2": method kinds and their channels; after @
    # PortOne's word for the gateway behind it, whose failure codes are then understood.
    portone_channels: str = Field(
        default="",
        pattern=r"^$|^[a-z_]+=[^=@,\s]+(@[A-Z0-9_]+)?(,[a-z_]+=[^=@,\s]+(@[A-Z0-9_]+)?)*$",
    )
    portone_webhook_secret: SecretStr = SecretStr("")
    portone_window_url: str = ""  # as toss_window_url
    portone_webhook_sources: Annotated[str, AfterValidator(_networks)] = ""  # as for toss
    portone_abreast_max: int = Field(default=64, ge=1, le=2048)
    portone_rate_per_s_max: float = Field(default=0, ge=0)

    stripe_url: str = "https://api.stripe.com"
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_publishable_key: str = ""
    stripe_webhook_secret: SecretStr = SecretStr("")
    stripe_abreast_max: int = Field(default=32, ge=1, le=2048)
    stripe_rate_per_s_max: float = Field(default=80, ge=0)  # Stripe: 100 a second in live mode

    order_id_prefix: str = Field(default="op", pattern=r"^[a-z0-9]{1,8}$")  # one per installation

    chunk_size: int = Field(default=2500, ge=1, le=5000)  # ids in one job
    chunk_budget_s: float = Field(default=120, gt=0)  # a job claims nothing new after this
    bulk_worker_count: int = Field(default=2, ge=1, le=64)  # they share a gateway's limits
    unsent_max: int = Field(default=20_000, ge=1)  # while so many charges wait, none is added
    queue_length_max: int = Field(default=40, ge=1)  # jobs waiting, per queue
    rehint_after_s: float = Field(default=15, gt=0)  # a hint that led to nothing is given again
    lease_margin_s: float = Field(default=15, gt=0)  # by which a lease outlives the longest call

    charge_hour: int = Field(default=0, ge=0, le=23)  # Asia/Seoul hour at which a period is due
    api_rate_per_s_max: int = Field(default=400, ge=1)  # requests of one API key
    session_idle_s: int = Field(default=900, ge=60, le=900)  # PCI DSS 8.2.8: 15 minutes at most
    session_life_s: int = Field(default=28_800, ge=600, le=43_200)  # ASVS 7.3.2

    smtp_url: str = Field(default="", pattern=r"^($|smtps?://)")  # empty: messages are only logged
    mail_from: str = Field(default="opsapp@localhost", pattern=r"^[^@\s]+@[^@\s]+$")
    # Where shoppers may be led back to: "https://shop.example", comma separated; loopback besides
    # in demo and test installations.
    shop_origins: str = Field(default="", pattern=r"^$|^https://[^/,\s]+(,https://[^/,\s]+)*$")
    shop_name: str = Field(default="opsapp", min_length=1, max_length=60)  # as customers know it

    # Text messages and 알림톡 by SOLAPI; without a key not in use.
    solapi_url: str = "https://api.solapi.com"
    solapi_api_key: str = Field(default="", pattern=r"^[A-Za-z0-9]*$")
    solapi_api_secret: SecretStr = SecretStr("")
    # The sending number as registered with the vendor, digits only.
    solapi_sender: str = Field(default="", pattern=r"^([0-9]{8,12})?$")
    solapi_kakao_channel: str = ""  # pfId of the channel that 알림톡 come from; empty: text only
    solapi_webhook_secret: SecretStr = SecretStr("")  # empty: no delivery report is taken

    # Web Push; the VAPID key is 32 bytes in base64url, empty: not in use.
    webpush_private_key: Annotated[SecretStr, AfterValidator(_vapid_key)] = SecretStr("")
    webpush_contact: str = Field(default="", pattern=r"^$|^mailto:[^@\s]+@[^@\s]+$|^https://\S+$")
    # "http://127.0.0.1:9000": a sandbox that may be called besides push services of the internet.
    webpush_trusted_origin: str = ""

    fcm_url: str = "https://fcm.googleapis.com"
    # The JSON that Google gives out, whole; empty: not in use.
    fcm_service_account: Annotated[SecretStr, AfterValidator(_service_account)] = SecretStr("")

    # Ports of the shop's addresses for webhooks, comma separated.
    webhooks_ports: str = Field(default="443,8443", pattern=r"^\d{1,5}(,\d{1,5})*$")
    # "http://127.0.0.1:9000,...": addresses besides those of the internet, for trials.
    webhooks_trusted_origins: str = ""

    @model_validator(mode="after")
    def _channels_are_whole(self) -> Self:
        has_secret = bool(self.solapi_api_secret.get_secret_value())
        if self.solapi_api_key and not (has_secret and self.solapi_sender):
            raise ValueError("solapi_api_key needs solapi_api_secret and solapi_sender")
        if self.mode == "production" and self.webpush_trusted_origin:
            raise ValueError("webpush_trusted_origin is for demo and test installations")
        if self.mode == "production" and self.webhooks_trusted_origins:
            raise ValueError("webhooks_trusted_origins is for demo and test installations")
        return self


_current: list[Settings] = []


def use(settings: Settings) -> None:
    """Called once, by create_app."""
    _current[:] = [settings]


def current() -> Settings:
    return _current[0]
