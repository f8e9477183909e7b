from opsapp.kernel.errors import OpsError


class TextRefused(OpsError):
    """Base of what is wrong with a text; `field` names it."""

    http_status = 422


class UnknownValue(TextRefused):
    code = "notice_value_unknown"
    message = "{name} is not a value that this notice has."
    remedy = "It has: {known}."


class UnknownFilter(TextRefused):
    code = "notice_filter_unknown"
    message = "{name} is not a way to write a value."
    remedy = "There are: {known}."


class TextUnreadable(TextRefused):
    code = "notice_text_unreadable"
    message = "The text cannot be read: line {line}."
    remedy = "Check the braces: each one that opens has to close."


class TextNotAllowed(TextRefused):
    code = "notice_text_not_allowed"
    message = "Line {line} asks for more than values and conditions."
    remedy = "Between braces only values, ways to write them, and if, else and endif may stand."


class TextFails(TextRefused):
    code = "notice_text_fails"
    message = "The text cannot be filled in with example values."
    remedy = "Check that each value is written in a way that fits it."


class TextTooInvolved(TextRefused):
    code = "notice_text_too_involved"
    message = "The text is too involved to be read."
    remedy = "Put fewer braces and conditions inside one another."


class TextMissing(TextRefused):
    code = "notice_text_missing"
    message = "Subject and text are needed in both languages."


class TextTooLong(TextRefused):
    code = "notice_text_too_long"
    message = "The text is too long: {length} of {limit}."
    remedy = "Say it in fewer words."


class NotForTelephones(TextRefused):
    code = "notice_text_not_for_telephones"
    message = "A telephone cannot show the character {character} in a text message."
    remedy = "Leave it out."


class TemplateWasChanged(OpsError):
    code = "notice_template_was_changed"
    message = "Somebody has changed this text meanwhile: version {version} holds now."
    remedy = "Load the page again and look at the new version first."


class NotEnded(OpsError):
    code = "notice_not_ended"
    message = "This notice is still on its way."
    remedy = "Wait until it was sent or given up."


class CalledBack(OpsError):
    code = "notice_called_back"
    message = "What this notice says does not hold any more."
    remedy = "Look at what it is about: a newer notice may have followed."


class NotTaken(OpsError):
    code = "notice_test_not_taken"
    message = "The test could not be sent."
    remedy = "Try again, and look at the mail settings if it happens again."
