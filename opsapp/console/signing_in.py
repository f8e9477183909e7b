from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors, forms
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff import sessions, signing_in

routes = Blueprint("signing_in", __name__)


@routes.get("/sign-in")
@access.public
def show() -> str | Response:
    if access.find_visitor() is not None:
        return redirect(url_for("console.home.show"))
    return render_template("console/signing_in/page.html", form=forms.SignInForm(), refusal=None)


@routes.post("/sign-in")
@access.public
def sign_in() -> Response | tuple[str, int]:
    form = forms.SignInForm()
    page = "console/signing_in/page.html"
    if not form.validate_on_submit():
        return render_template(page, form=form, refusal=None), 422
    wish = signing_in.SignIn(
        email=(form.email.data or "").strip().replace("\x00", ""),
        password=form.password.data or "",
        address=request.remote_addr or "",
        user_agent=request.user_agent.string.replace("\x00", ""),
    )
    try:
        token = signing_in.sign_in(wish)
    except OpsError as error:
        return render_template(page, form=form, refusal=errors.told(error)), error.http_status
    if (older := access.find_visitor()) is not None:
        with transaction():
            sessions.end(older)  # its cookie is overwritten: nobody could end it any more
    target = forms.safe_next(request.args.get("next", ""), url_for("console.home.show"))
    return access.let_in(make_response(redirect(target)), token)


@routes.post("/sign-out")
@access.signed_in
def sign_out() -> Response:
    with transaction():
        sessions.end(access.visitor())
    return access.let_out(make_response(redirect(url_for(".show"))))
