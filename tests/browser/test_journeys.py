"""What a person at the customer desk does all day, in a real browser."""

from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import expect

from opsapp.payments import refunding
from tests.factories.payments import BY


def carry_out_refunds(house):
    """What a worker does with the refund the page has asked for."""

    def work():
        with house.app_context():
            refunding.execute_refunds([2], by=BY)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def refunds(owner):
    return owner.execute("SELECT amount_minor, status FROM refunds ORDER BY id").fetchall()


def test_look_for_a_payment_and_refund_part_of_it(house, open_screen, scene, owner):
    screen = open_screen("cs")
    page = screen.page
    page.keyboard.press("/")
    page.keyboard.type("홍길동")
    page.keyboard.press("Enter")
    page.locator(f"a[href='/console/search/open/customer/{scene.customers[0]}']").click()
    page.locator(f"a[href='/console/payments/{scene.paid}']").first.click()
    page.get_by_label("부분", exact=True).check()
    page.get_by_label("환불 금액").fill("29,000")
    expect(page.locator("[data-rest]")).to_have_text("100,000원")
    page.get_by_label("사유", exact=True).select_option("defective")
    page.get_by_role("button", name="확인 단계로").click()
    expect(page.locator("#refund")).to_contain_text("환불 전에 다시 확인하세요")
    page.get_by_role("button", name="29,000원 환불").dblclick()
    expect(page.locator("#refund")).to_contain_text("저장되었습니다")
    assert refunds(owner) == [(12_000, "succeeded"), (29_000, "requested")]
    carry_out_refunds(house)
    expect(page.locator("#refund")).to_contain_text("결제사가 환불을 완료했습니다")
    page.get_by_role("link", name="현재 결제 상태 보기").click()
    expect(page.locator(".verdict")).to_contain_text("취소 29,000원 / 129,000원")
    assert screen.complaints == []


def test_a_wrong_amount_is_explained_beside_its_field_and_the_entry_is_kept(
    open_screen, scene, owner
):
    page = open_screen("cs").open(f"/console/payments/{scene.paid}")
    page.get_by_label("부분", exact=True).check()
    page.get_by_label("환불 금액").fill("999,999,999")
    page.get_by_role("button", name="확인 단계로").click()
    summary = page.locator(".wrong")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("환불 가능 금액보다 큽니다")
    summary.get_by_role("link").first.click()
    field = page.get_by_label("환불 금액")
    expect(field).to_be_focused()
    expect(field).to_have_value("999,999,999")
    assert len(refunds(owner)) == 1


def test_a_second_person_with_an_old_screen_is_told_the_new_figure(open_screen, scene, owner):
    first, second = (
        open_screen(role).open(f"/console/payments/{scene.paid}") for role in ("cs", "finance")
    )
    for page in (first, second):
        page.get_by_label("사유", exact=True).select_option("double_charge")
        page.get_by_role("button", name="확인 단계로").click()
        expect(page.locator("#refund")).to_contain_text("129,000원 환불")
    first.get_by_role("button", name="129,000원 환불").click()
    expect(first.locator("#refund")).to_contain_text("저장되었습니다")
    second.get_by_role("button", name="129,000원 환불").click()
    expect(second.locator("#refund [role=alert]")).to_contain_text("아직 처리 중")
    assert len(refunds(owner)) == 2


def test_cancel_a_subscription_with_the_keyboard_alone(open_screen, scene, owner):
    page = open_screen("cs").open("/console/subscriptions/?tab=active")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/subscriptions/{scene.subscription}")
    tab_to(page, "즉시 해지")
    page.keyboard.press("Enter")
    expect(page.locator("#act")).to_contain_text("되돌릴 수 없습니다")
    tab_to(page, "즉시 해지")
    page.keyboard.press("Enter")
    expect(page.locator("[role=status].alert")).to_contain_text("해지했습니다")
    status = "SELECT status FROM subscriptions WHERE id = %s"
    assert owner.execute(status, (scene.subscription,)).fetchone() == ("cancelled",)


def test_refund_with_the_keyboard_alone(open_screen, scene, owner):
    page = open_screen("cs").open(f"/console/payments/{scene.paid}")
    page.get_by_label("전액").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type("1000")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    tab_to(page, "확인 단계로")
    page.keyboard.press("Enter")
    expect(page.locator("#refund")).to_contain_text("환불 전에 다시 확인하세요")
    tab_to(page, "1,000원 환불")
    page.keyboard.press("Enter")
    expect(page.locator("#refund")).to_contain_text("저장되었습니다")
    assert refunds(owner)[1] == (1_000, "requested")


def test_language_and_theme_stay_with_the_account_and_on_the_page(open_screen, scene):
    page = open_screen("cs").open("/console/payments/?tab=failed")
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Payments")).to_be_visible()
    assert page.url.endswith("/console/payments/?tab=failed")
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    elsewhere = open_screen("cs").page
    expect(elsewhere.locator("html")).to_have_attribute("lang", "en")
    expect(elsewhere.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_an_ended_sign_in_leads_back_to_the_page_it_was_on(open_screen, scene, owner):
    page = open_screen("cs").open("/console/tickets/?tab=all")
    owner.execute("UPDATE staff_sessions SET ended_at = now()")
    page.reload()
    page.fill("#email", "cs@example.com")
    page.fill("#password", "correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/tickets/?tab=all")


def tab_to(page, name):
    """Move the focus by Tab until it stands on the control of that name."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"{name} cannot be reached by Tab")
