"""Help stands where it is needed: each screen says what it is for, each word what it means."""

import re

from opsapp.console import help_words

SIGN_IN = "console.signing_in.show"


def test_each_screen_says_in_one_line_what_it_is_for(house):
    views = house.view_functions
    screens = {
        rule.endpoint
        for rule in house.url_map.iter_rules()
        if rule.endpoint.startswith("console.")
        and rule.endpoint.endswith((".show", ".show_list"))
        and "GET" in rule.methods
        and not views[rule.endpoint].polled
    }
    assert screens - {SIGN_IN} - help_words.PURPOSE.keys() == set()
    assert help_words.PURPOSE.keys() - views.keys() == set(), (
        "no line is kept for what is not there"
    )
    assert [line for line in help_words.PURPOSE.values() if len(line) > 110] == []


def test_the_help_holds_the_purpose_of_the_screen_and_the_words(cs):
    address = re.search(r'data-words="([^"]+)"', cs.get("/console/jobs/").text)[1]
    page = cs.get(address).text
    assert page.count("대기열과 작업자 상태, 밀린 작업을 확인합니다.") >= 1
    assert "돈이 빠져나갔는지 알 수 없는 상태입니다." in page
