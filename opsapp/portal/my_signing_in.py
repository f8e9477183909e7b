"""In and out of my-page: an address is named, a link comes, a button on its page lets them in.

The link's page changes nothing by being opened: mail scanners open every link there is.
"""

from flask import redirect, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from opsapp.customers import queries as customers, sessions, signing_in
from opsapp.customers.linking import open_link
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.masking import mask_name
from opsapp.portal import frame, my_access, my_words as words
from opsapp.portal.frame import public
from opsapp.portal.my_access import guest, shopper

routes = my_access.rooms("signing_in", "")

Answer = str | Response | tuple[str, int]


class AskForm(FlaskForm):
    address = StringField(
        validators=[InputRequired(words.NO_ADDRESS), Length(max=254, message=words.NO_ADDRESS)]
    )


@routes.get("/sign-in/")
@public
def show() -> Answer:
    if my_access.find_guest() is not None:
        return redirect(url_for("portal_my_home.show"), 303)
    return _page(AskForm(formdata=None))


@routes.post("/sign-in/")
@public
def ask() -> Answer:
    """The same answer for every address."""
    form = AskForm()
    if not form.validate_on_submit():
        return _page(form), 422
    try:
        with transaction():
            signing_in.ask(form.address.data or "", source=request.remote_addr or "")
    except Invalid:
        form.address.errors = [words.NO_ADDRESS]
        return _page(form), 422
    return redirect(url_for(".sent"), 303)


@routes.get("/sign-in/sent/")
@public
def sent() -> Answer:
    return my_access.page("sent.html")


@routes.get("/sign-in/<token>")
@public
def knock(token: str) -> Answer:
    link = open_link(token, purpose=signing_in.PURPOSE, address=request.remote_addr or "")
    with transaction():
        customer = customers.get_customer(link.customer_id)
    frame.speak(customer.locale)
    return my_access.page("enter.html", token=token, name=mask_name(customer.name))


@routes.post("/sign-in/<token>")
@public
def enter(token: str) -> Answer:
    open_link(token, purpose=signing_in.PURPOSE, address=request.remote_addr or "")
    with transaction():
        _link, entry = signing_in.enter(token)
    return my_access.let_in(redirect(url_for("portal_my_home.show"), 303), entry)


@routes.post("/sign-out/")
@shopper
def leave() -> Answer:
    with transaction():
        sessions.end(guest())
    return my_access.let_out(redirect(url_for(".show", done="signed_out"), 303))


@routes.post("/sign-out/everywhere/")
@shopper
def leave_everywhere() -> Answer:
    with transaction():
        sessions.end_all(guest().customer_id)
    return my_access.let_out(redirect(url_for(".show", done="signed_out_everywhere"), 303))


def _page(form: AskForm) -> str:
    return my_access.page("sign_in.html", form=form, is_over=request.args.get("again") == "1")
