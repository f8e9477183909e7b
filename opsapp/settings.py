"""Settings: read from the environment once, refused at start with all errors at once."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _networks(text: str) -> str:
    for part in text.split(",") if text else ():
        ip_network(part.strip())
    return text


class Settings(BaseSettings):
    """One documented name per line; the environment variable is OPSAPP_ + the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="OPSAPP_", frozen=True, populate_by_name=True)

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

    toss_url: str = "https://api.tosspayments.com"
    toss_secret_key: SecretStr = SecretStr("test_sk_opsapp")
    toss_abreast_max: int = Field(default=64, ge=1, le=2048)  # calls in flight, all workers
    toss_rate_per_s_max: float = Field(default=0, ge=0)  # 0: the gateway names no limit
    toss_timeout_s: float = Field(default=70, gt=0, le=300)  # whole call; Toss asks for >= 60
    toss_inquiry_timeout_s: float = Field(default=25, gt=0, le=300)
    # Networks that its webhooks come from, comma separated, as it signs none; empty: any.
    toss_webhook_sources: Annotated[str, AfterValidator(_networks)] = ""
    order_id_prefix: str = Field(default="op", pattern=r"^[a-z0-9]{1,8}$")  # one per installation

    chunk_size: int = Field(default=2500, ge=1, le=5000)  # ids in one job
    chunk_budget_s: float = Field(default=120, gt=0)  # a job claims nothing new after this
    bulk_worker_count: int = Field(default=2, ge=1, le=64)  # they share a gateway's limits
    queue_length_max: int = Field(default=40, ge=1)  # jobs waiting, per queue
    rehint_after_s: float = Field(default=15, gt=0)  # a hint that led to nothing is given again
    lease_margin_s: float = Field(default=15, gt=0)  # by which a lease outlives the longest call

    charge_hour: int = Field(default=0, ge=0, le=23)  # Asia/Seoul hour at which a period is due
    session_idle_s: int = Field(default=900, ge=60, le=900)  # PCI DSS 8.2.8: 15 minutes at most
    session_life_s: int = Field(default=28_800, ge=600, le=43_200)  # ASVS 7.3.2

    smtp_url: str = Field(default="", pattern=r"^($|smtps?://)")  # empty: messages are only logged
    mail_from: str = Field(default="opsapp@localhost", pattern=r"^[^@\s]+@[^@\s]+$")
    shop_name: str = Field(default="opsapp", min_length=1, max_length=60)  # as customers know it


_current: list[Settings] = []


def use(settings: Settings) -> None:
    """Called once, by create_app."""
    _current[:] = [settings]


def current() -> Settings:
    return _current[0]
