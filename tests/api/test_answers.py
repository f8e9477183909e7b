"""Problems, pages and the document, as a program meets them."""

import json

from tests.api.test_access import customer
from tests.api.test_idempotency import line

MARK = "SENT-4539148803436467"


def test_no_problem_repeats_what_was_sent(program):
    program.post("/customers", customer())
    order = {"id": MARK, "customer": "C-1", "title": "t", "lines": [line()]}
    bodies = [
        ("/customers", customer(name=[MARK])),
        ("/customers", customer(email=MARK)),
        ("/customers", customer() | {MARK: 1}),
        ("/customers", customer(id=MARK + "\n")),
        ("/orders", order | {"lines": [line(seller=MARK)]}),
        ("/orders", order | {"customer": MARK}),
        ("/orders", order | {"payment_method": MARK}),
        ("/orders", order | {"lines": [{"kind": MARK}]}),
        ("/refunds", {"payment": MARK, "amount": 1, "reason": MARK}),
        ("/checkouts", {"customer": "C-1", "title": "t", "lines": [line()], "return_url": MARK}),
        (f"/subscriptions/{MARK}/cancel", {}),
    ]
    for path, body in bodies:
        answer = program.post(path, body)
        assert 400 <= answer.status_code < 500, path
        assert answer.mimetype == "application/problem+json"
        assert MARK not in answer.text, (path, answer.text)
        assert answer.json["code"]
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    taken = {"customer": "C-1", "title": "t", "lines": [line()], "order": MARK}
    assert program.post("/checkouts", taken).status_code == 201
    again = program.post("/checkouts", taken)
    assert again.json["code"] == "order_ref_taken"
    assert MARK not in again.text
    for path in (f"/customers/{MARK}", f"/{MARK}", f"/orders?cursor={MARK}", f"/orders?{MARK}=1"):
        answer = program.get(path)
        assert 400 <= answer.status_code < 500
        assert MARK not in answer.text


REFUSED = (
    ("GET", "/nothing", None, (404, "not_found")),
    ("DELETE", "/customers", None, (405, "method_not_allowed")),
    ("POST", "/customers", b"{", (400, "not_json")),
    ("POST", "/customers", b"\xff\xfe", (400, "not_json")),
    ("POST", "/customers", b"[]", (422, "invalid")),
    ("POST", "/customers", b"x" * 262_145, (413, "too_large")),
    ("GET", "/customers?limit=1_0", None, (422, "invalid")),
    ("GET", "/customers?limit=101", None, (422, "invalid")),
    ("GET", "/customers?limit=1&limit=2", None, (422, "invalid")),
    ("GET", "/payments?expand=secrets", None, (422, "invalid")),
    ("GET", "/customers?cursor=abc", None, (404, "bad_cursor")),
)


def test_every_refusal_is_a_problem_with_a_stable_code(program):
    headers = {"Authorization": f"Bearer {program.secret}", "Idempotency-Key": "k"}
    for method, path, body, expected in REFUSED:
        answer = program.client.open(
            f"/api/v1{path}", method=method, data=body, headers=headers,
            content_type=None if body is None else "application/json",
        )  # fmt: skip
        assert (answer.status_code, answer.json["code"]) == expected, path
        assert answer.mimetype == "application/problem+json"
        if expected[0] == 405:
            assert "GET" in answer.headers["Allow"]


def test_a_body_that_is_not_json_by_name_is_refused(program):
    headers = {"Authorization": f"Bearer {program.secret}", "Idempotency-Key": "k"}
    answer = program.client.post("/api/v1/customers", data={"id": "C-1"}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")


def test_pages_follow_each_other_without_gap_or_repeat_while_rows_are_added(program):
    for number in range(5):
        program.post("/customers", customer(id=f"C-{number}"))
    seen, cursor = [], ""
    while True:
        page = program.get("/customers", limit=2, cursor=cursor).json
        seen += [each["id"] for each in page["data"]]
        program.post("/customers", customer(id=f"new-{len(seen)}"))
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]
    assert seen == ["C-4", "C-3", "C-2", "C-1", "C-0"]


def test_the_document_tells_all_that_is_checked(app, program):
    told = app.test_client().get("/api/openapi.json")
    document = told.json
    assert told.status_code == 200
    assert document["openapi"].startswith("3.1")
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    names = {operation["operationId"] for _, _, operation in operations}
    assert len(names) == len(operations)
    for path, method, operation in operations:
        assert operation["security"] == [{"api_key": []}]
        assert {"401", "403", "422", "429", "503"} <= operation["responses"].keys()
        asked = [parameter["name"] for parameter in operation["parameters"]]
        assert ("Idempotency-Key" in asked) == (method == "post"), path
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                assert link["operationId"] in names
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text
    pages = app.test_client().get("/api/_pages/swagger/")
    assert pages.status_code == 404
