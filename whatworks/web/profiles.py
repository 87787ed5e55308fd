"""Doors to profiles: sign up, read, change."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

import msgspec
from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as Page

from whatworks import clock, errors, reminders
from whatworks.evidence import sources
from whatworks.people import profiles, sessions, zones
from whatworks.people.profiles import Profile
from whatworks.web import fields, guards, http, identity, pages, rhythm, signin

REPLAY_SECONDS: Final = 600.0
BOUGHT: Final = "/library"
ZONES: Final = tuple((name, name.replace("_", " ")) for name in zones.names())
doors = http.Doors("Profiles")
site = Blueprint("profiles", __name__)


class NewProfile(msgspec.Struct):
    """Who signs up."""

    email: fields.Email
    goal: fields.Goal
    market: fields.Market
    skill_level: fields.SkillLevel
    country: fields.Country | None = None
    time_zone: fields.Zone | None = None


class ProfileCreated(msgspec.Struct):
    """The new person, and the token that authenticates them from now on."""

    user_id: str
    email: str
    access_token: str
    success: Literal[True] = True


class ProfileAnswer(msgspec.Struct):
    """A person."""

    id: str
    user_id: str
    email: str
    goal: str
    market: str
    skill_level: str
    country: str
    time_zone: str
    created_at: str | None
    updated_at: str | None
    success: Literal[True] = True


class ProfileChange(msgspec.Struct):
    """What may change; evidence already counted stays where it is.

    Whoever sends a whole profile back may leave `email` in it, unchanged.
    """

    email: fields.SameEmail | None = None
    goal: fields.Goal | None = None
    market: fields.Market | None = None
    skill_level: fields.SkillLevel | None = None
    country: fields.Country | None = None
    time_zone: fields.Zone | None = None


@doors.door(
    "POST",
    "/api/profile",
    body=NewProfile,
    answer=ProfileCreated,
    status=201,
    errors=(400, 409, 415, 429),
    private=False,
)
@guards.limiter.limit(guards.SIGN_UP)
def create(body: NewProfile) -> Response:
    """Sign up; answers with an access token and sets the session cookie."""
    created, replayed = sign_up(body, kind="token")
    response = http.reply(created, 201)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return identity.set_cookie(response, created.access_token)


@doors.door("GET", "/api/profile/<user_id>", answer=ProfileAnswer, errors=(401, 404))
def get(user_id: str) -> ProfileAnswer:
    """A person's own profile."""
    return present(http.read(profiles.get, identity.acting_for(user_id)))


@doors.door(
    "PATCH",
    "/api/profile/<user_id>",
    body=ProfileChange,
    answer=ProfileAnswer,
    errors=(400, 401, 404, 415),
)
def change(user_id: str, body: ProfileChange) -> ProfileAnswer:
    """Change goal, market, skill level, country or time zone."""
    owner = identity.acting_for(user_id)
    if body.email is not None:
        _require_same(body.email, http.read(profiles.get, owner).email)
    return present(http.write(profiles.change, owner, _changes(body)))


@site.get("/signup")
def show_sign_up() -> Page:
    """Four short questions."""
    if identity.person() is not None:
        return pages.go(pages.local_path(request.args.get("next"), "/dashboard"))
    given = {name: request.args.get(name, "")[:254] for name in ("next", "email")}
    country = zones.country_of(rhythm.zone_of_device()) or "IN"
    return _sign_up_page({"country": country, **given}, {})


@site.post("/signup")
@guards.limiter.limit(guards.SIGN_UP)
def post_sign_up() -> Page | tuple[Page, int]:
    """Sign up by form, and on to where one was going."""
    body, typed, wrong = pages.read_form(NewProfile)
    if body is None:
        return _sign_up_page(typed, wrong), 400
    try:
        body.time_zone = body.time_zone or rhythm.zone_of_device() or None
        created, _ = sign_up(body, kind="browser")
    except errors.Conflict:
        wrong = {"email": "This address has an account already. Sign in instead."}
        return _sign_up_page(typed, wrong, is_taken=True), errors.Conflict.status
    then = pages.local_path(typed.get("next"), "/dashboard/next")
    if then == BOUGHT:  # they come for what an address bought, and that opens once it is proved
        return identity.set_cookie(signin.confirm(created.email, then), created.access_token)
    return identity.set_cookie(pages.go(then, "Welcome."), created.access_token)


@site.get("/profile")
def show_profile() -> Page:
    """My answers."""
    person = identity.require_person()
    return _profile_page(
        {
            "goal": person.goal,
            "market": person.market,
            "skill_level": person.skill_level,
            "country": person.country,
            "time_zone": person.time_zone,
        },
        {},
    )


@site.post("/profile")
def post_profile() -> Page | tuple[Page, int]:
    """Change my answers."""
    person = identity.require_person()
    body, typed, wrong = pages.read_form(ProfileChange)
    if body is None:
        return _profile_page(typed, wrong), 400
    changes = _changes(body)
    if "time_zone" in typed:  # the empty choice follows the country
        changes["time_zone"] = body.time_zone or ""
    http.write(profiles.change, person.id, changes)
    return pages.go("/profile", "Saved.")


def _sign_up_page(form: dict[str, str], wrong: dict[str, str], *, is_taken: bool = False) -> Page:
    return pages.render(
        "signup.html",
        form=form,
        errors=wrong,
        is_taken=is_taken,
        countries=pages.COUNTRY_NAMES,
        next=form.get("next"),
    )


def _profile_page(form: dict[str, str], wrong: dict[str, str]) -> Page:
    person = identity.require_person()
    return pages.render(
        "profile.html",
        form=form,
        errors=wrong,
        countries=pages.COUNTRY_NAMES,
        zones=[("", f"As my country suggests: {zones.of_country(person.country)}"), *ZONES],
        zone=zones.of(person).key,
        reminders_on=http.read(reminders.are_on, person.id),
        reminders_sent=http.platform().settings.reminders,
    )


def _require_same(given: str, known: str) -> None:
    """An address stands for what was bought with it and how one signs in. Raises Invalid."""
    if given.strip().casefold() != known.casefold():
        raise errors.Invalid(
            "The e-mail address of a profile cannot be changed; leave it out, or sign up with the"
            " new one.",
            fields={"email": "cannot be changed; leave it out, or sign up with the new one"},
        )


def _changes(body: ProfileChange) -> dict[str, str]:
    given = {k: v for k, v in msgspec.structs.asdict(body).items() if v is not None}
    if body.country:
        given["country"] = body.country.upper()
    return given


def sign_up(body: NewProfile, *, kind: str) -> tuple[ProfileCreated, bool]:
    """A new person and their token, and whether this repeats an earlier request.

    With an Idempotency-Key the token's secret is derived from key and request under the server's
    key, so that a repeat gets the same token although no token is stored.
    """
    caller = "client:" + hashlib.sha256(identity.client().encode()).hexdigest()[:32]
    key, settings = http.request_key(caller), http.platform().settings
    secret = sessions.new_secret()
    if key is not None:
        parts = f"{key.caller} {key.key_hash} {key.request_hash}".encode()
        secret = hmac.new(settings.secret_key.encode(), parts, hashlib.sha256).digest()
    answer = http.once(
        caller,
        http.encoder(_without_token),
        sessions.sign_up,
        secret,
        kind=kind,
        label=identity.device(),
        days=settings.session_days,
        email=fields.normal_email(body.email),
        goal=body.goal,
        market=body.market,
        skill_level=body.skill_level,
        country=(body.country or "IN").upper(),
        time_zone=body.time_zone or "",
        source=sources.of(request.remote_addr, settings.secret_key),
    )
    if answer.replayed and clock.timestamp() - answer.at > REPLAY_SECONDS:
        raise profiles.taken()  # a retry comes at once; later it may be somebody else's guess
    created = msgspec.json.decode(answer.body, type=ProfileCreated)
    created.access_token = sessions.token_of(created.user_id, secret)
    return created, answer.replayed


def present(profile: Profile) -> ProfileAnswer:
    """A profile as JSON."""
    return ProfileAnswer(
        id=profile.id,
        user_id=profile.id,
        email=profile.email,
        goal=profile.goal,
        market=profile.market,
        skill_level=profile.skill_level,
        country=profile.country,
        time_zone=zones.of(profile).key,
        created_at=clock.rfc3339(profile.created_at),
        updated_at=clock.rfc3339(profile.updated_at),
    )


def _without_token(profile: Profile) -> ProfileCreated:
    return ProfileCreated(user_id=profile.id, email=profile.email, access_token="")
