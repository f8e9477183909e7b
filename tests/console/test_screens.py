LISTS = (
    "/console/payments/", "/console/refunds/", "/console/subscriptions/", "/console/customers/",
    "/console/tickets/", "/console/notifications/", "/console/jobs/", "/console/",
)  # fmt: skip
ADMIN_LISTS = ("/console/audit/", "/console/staff/")


def details(scene):
    return (
        f"/console/payments/{scene.paid}",
        f"/console/payments/{scene.partly_refunded}",
        f"/console/payments/{scene.failed}",
        f"/console/payments/{scene.uncertain}",
        f"/console/payments/{scene.awaiting}",
        f"/console/subscriptions/{scene.subscription}",
        f"/console/subscriptions/{scene.paused}",
        f"/console/customers/{scene.customers[0]}",
        f"/console/tickets/{scene.ticket}",
    )


def test_every_screen_opens_in_both_languages_within_its_size(as_role, scene):
    admin = as_role("admin")
    sizes = {}
    for locale in ("ko", "en"):
        admin.post("/console/preferences/", {"locale": locale})
        for path in (*LISTS, *ADMIN_LISTS, *details(scene)):
            page = admin.get(path)
            assert page.status_code == 200, (path, page.text[-500:])
            assert f'<html lang="{locale}"' in page.text
            sizes[path] = len(page.data)
    assert max(sizes.values()) <= 40_000, sizes
