"""No page of the doors is left out of the pictures, of axe and of the hostile words."""

from collections import defaultdict

from tests.browser.screens import NO_SCREENS, SCREENS


def pages(app):
    doors = ("console.", "portal_")
    rules = (rule for rule in app.url_map.iter_rules() if "GET" in rule.methods)
    return {rule.endpoint for rule in rules if rule.endpoint.startswith(doors)}


def looked_at(app):
    """The endpoint behind every address of the list."""
    router = app.url_map.bind("localhost")
    filled = (screen.address.format_map(defaultdict(lambda: "1")) for screen in SCREENS)
    return {router.match(address.partition("?")[0])[0] for address in filled}


def test_every_page_of_the_doors_is_in_the_list_of_screens(app):
    assert pages(app) - looked_at(app) - set(NO_SCREENS) == set()


def test_what_is_called_no_screen_exists_and_is_not_looked_at(app):
    assert set(NO_SCREENS) - pages(app) == set()
    assert set(NO_SCREENS) & looked_at(app) == set()


def test_no_two_screens_share_a_picture():
    names = [screen.name for screen in SCREENS]
    assert len(names) == len(set(names))
