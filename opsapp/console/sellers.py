"""Sellers: whose goods are sold here, what the house keeps, and what is owed to them."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired, Length, Regexp

from opsapp.catalog import queries as catalog, registering_sellers
from opsapp.catalog.registering_sellers import NewSeller
from opsapp.console import access, errors, forms, sale_words
from opsapp.console.access import requires
from opsapp.insights import listing_sellers
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff.rules import Permission

routes = Blueprint("sellers", __name__, url_prefix="/settings/sellers")

PERCENT = r"^[0-9]{1,2}([.][0-9]{1,2})?\Z"

Answer = str | Response | tuple[str, int]


class SellerForm(FlaskForm):
    """`fee` is a percentage; the room counts basis points."""

    ref = StringField(validators=[DataRequired(message="Enter a reference."), Length(max=64)])
    name = StringField(validators=[DataRequired(message="Enter a name."), Length(max=100)])
    fee = StringField(
        validators=[
            Regexp(
                PERCENT,
                message="Enter a percentage with at most two decimals, for example 12.5.",
            )
        ]
    )


class FeeForm(FlaskForm):
    """`seen` is the fee that the screen showed, in basis points."""

    fee = StringField(
        validators=[
            Regexp(
                PERCENT,
                message="Enter a percentage with at most two decimals, for example 12.5.",
            )
        ]
    )
    reason = StringField(
        validators=[
            DataRequired(message="Say why; it stands in the log."),
            Length(max=200, message="At most 200 characters."),
        ]
    )
    seen = HiddenField(validators=[Regexp(r"^[0-9]{1,5}\Z")])


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    return _list()


@routes.post("/")
@requires(Permission.EDIT_SELLERS)
def add() -> Answer:
    form = SellerForm()
    if not form.validate_on_submit():
        return _list(form), 422
    try:
        wish = NewSeller(form.ref.data or "", form.name.data or "", _basis_points(form.fee.data))
        with transaction():
            seller_id = registering_sellers.add_seller(wish, by=access.current_actor())
    except OpsError as error:
        form[error.field if error.field in form else "ref"].errors = [errors.told(error)]
        return _list(form), error.http_status
    return redirect(url_for(".show", seller_id=seller_id, done="added"))


@routes.get("/<id:seller_id>")
@requires(Permission.VIEW)
def show(seller_id: int) -> str:
    return _detail(seller_id)


@routes.post("/<id:seller_id>/fee")
@requires(Permission.EDIT_SELLERS)
def change_fee(seller_id: int) -> Answer:
    form = FeeForm()
    if not form.validate_on_submit():
        return _detail(seller_id, form), 422
    fee_bp, seen = _basis_points(form.fee.data), int(form.seen.data or 0)
    because = form.reason.data or ""
    try:
        with transaction():
            registering_sellers.change_fee(
                seller_id, fee_bp, seen_fee_bp=seen, because=because, by=access.current_actor()
            )
    except OpsError as error:
        form["reason" if error.field == "reason" else "fee"].errors = [errors.told(error)]
        return _detail(seller_id, form), error.http_status
    return redirect(url_for(".show", seller_id=seller_id, done="changed"))


def _basis_points(percent: str | None) -> int:
    """Only after validation."""
    whole, _point, fraction = (percent or "0").partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def _list(form: SellerForm | None = None) -> str:
    return render_template(
        "console/sellers/list.html",
        lines=listing_sellers.list_sellers(),
        form=form or SellerForm(formdata=None),
    )


def _detail(seller_id: int, form: FeeForm | None = None) -> str:
    seller = catalog.get_seller(seller_id)
    page = listing_sellers.list_shares(seller_id, cursor=request.args.get("cursor"))
    fresh = FeeForm(formdata=None, data={"seen": str(seller.fee_bp)})
    return render_template(
        "console/sellers/detail.html",
        seller=seller,
        sums=listing_sellers.sum_of(seller_id),
        page=page,
        form=form or fresh,
        done=forms.choice("done", sale_words.SELLER_DONE, ""),
        told=sale_words,
    )
