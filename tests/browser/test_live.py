"""What refreshes by itself disturbs nobody: focus stays, a hidden page is quiet."""

from playwright.sync_api import expect

from opsapp.exports import ordering
from opsapp.exports.ordering import ExportWish
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction

HIDE = """is_hidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => is_hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
SEEN = "SELECT max(last_seen_at) FROM staff_sessions"


def order(house, account_id):
    wish = ExportWish(
        request_id="r" * 20, list_name="payments", query={}, columns=("ref",), format="csv",
        zone="UTC", locale="ko", because="월 마감 대사",
    )  # fmt: skip
    with house.app_context(), transaction():
        return ordering.order(wish, by=Actor("staff", str(account_id)))


def test_a_page_follows_what_happens_without_taking_anything_from_its_reader(
    house, owner, open_screen
):
    [(account_id,)] = owner.execute("SELECT id FROM staff_accounts WHERE role = 'cs'").fetchall()
    export_id = order(house, account_id)
    screen = open_screen()
    page, asked = screen.page, []
    page.on("request", lambda request: asked.append(request.url) if "/state" in request.url else 0)
    page.clock.install()
    screen.open(f"/console/exports/{export_id}")
    owner.execute("UPDATE staff_sessions SET last_seen_at = now() - interval '5 minutes'")
    seen = owner.execute(SEEN).fetchone()
    box = page.locator("#export")
    stop = box.get_by_role("button")
    stop.focus()
    page.evaluate("window.kept = document.activeElement")

    owner.execute("UPDATE exports SET rows = 1234, status = 'running'")
    page.clock.run_for(3_100)
    expect(box).to_contain_text("1,234행")
    expect(page.locator("#live-news")).to_have_text("1,234행")
    assert page.evaluate("document.activeElement === window.kept && window.kept.isConnected")

    page.evaluate(HIDE, True)
    before = len(asked)
    owner.execute("UPDATE exports SET rows = 2000")
    page.clock.run_for(60_000)
    assert len(asked) == before, "nobody sees it"
    page.evaluate(HIDE, False)
    expect(box).to_contain_text("2,000행")

    owner.execute(
        "UPDATE exports SET status = 'ready', bytes = 9, expires_at = now() + interval '7 days'"
    )
    page.clock.run_for(3_100)
    expect(box.get_by_role("button")).to_have_text("내려받기")
    before = len(asked)
    page.clock.run_for(60_000)
    assert len(asked) == before, "it has come to its end"
    assert owner.execute(SEEN).fetchone() == seen, "a page that asks keeps no sign-in alive"
    assert screen.complaints == []
