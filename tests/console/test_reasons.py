"""Reasons of the log, which machines and people write, in the reader's language."""

import pytest

from opsapp.console.frame import because


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("the customer came back, to be confirmed", "고객이 결제창에서 돌아옴: 승인 요청 예정"),
        ("attempt 4 planned", "4차 시도 예정"),
        ("no certain answer in 12 turns", "12번 확인했지만 확실한 응답 없음"),
        ("withdrawn: 고객이 다시 연락함 2회", "철회: 고객이 다시 연락함 2회"),
        ("staff: the gateway is asked once more", "직원: 결제사에 한 번 더 조회"),
        ("in progress at the gateway (IN_PROGRESS)", "결제사에서 처리 중 (IN_PROGRESS)"),
        ("통화 기록 1건: {확인}", "통화 기록 1건: {확인}"),
    ],
)
def test_a_reason_is_told_whole_by_its_number_or_before_its_colon(app, reason, told):
    with app.test_request_context("/console/"):
        assert because(reason) == told
