"""Sign-in in a browser: the person is chosen on a page, and the browser takes the code to the app."""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from bulkreact.simulator.identity.aadsts_errors import TokenRefusedError
from bulkreact.simulator.identity.directory import Directory
from bulkreact.simulator.identity.grants import OPENID_SCOPES, TokenRequest, check_scopes
from bulkreact.simulator.identity.token_signer import User

_PAGE = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>{body}</html>'
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def answer_app(directory: Directory, request: TokenRequest) -> web.Response:
    """Return what a browser gets that an app has sent here; TokenRefusedError if the app may not."""
    query = request.form
    directory.app(request.require("client_id"), request.tenant)
    redirect_uri = request.require("redirect_uri")
    if urlsplit(redirect_uri).hostname not in _LOOPBACK:
        raise TokenRefusedError(50011)
    check_scopes(directory, request.scopes)
    answer = {"state": query["state"]} if "state" in query else {}
    if directory.sign_in_error:
        answer["error"] = directory.sign_in_error
        answer["error_description"] = "AADSTS65004: The user declined."
    else:
        user = _user(directory, request)
        if user is None:
            return _show_users(directory, query)
        answer["code"] = directory.issue_code(
            request.client_id,
            redirect_uri,
            user,
            challenge=query.get("code_challenge", ""),
            nonce=query.get("nonce", ""),
        )
    if query.get("response_mode") == "form_post":
        return _posting_page(redirect_uri, answer)
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return web.Response(status=302, headers={"Location": f"{redirect_uri}{separator}{urlencode(answer)}"})


def page(title: str, body: str, *, status: int = 200) -> web.Response:
    """Return a page."""
    return web.Response(status=status, text=_PAGE.format(title=title, body=body), content_type="text/html")


def _user(directory: Directory, request: TokenRequest) -> User | None:
    """Return who signs in, None if that is to be chosen: only an app that acts for nobody asks who somebody is."""
    scopes = set(request.scopes)
    if "openid" not in scopes or scopes - OPENID_SCOPES:
        return directory.user
    hint = request.form.get("login_hint", "").lower()
    return next((user for user in directory.users if user.upn == hint), None)


def _show_users(directory: Directory, query: Mapping[str, str]) -> web.Response:
    """Return the page on which a user is chosen."""
    links = "".join(
        f'<li><a href="?{escape(urlencode({**query, "login_hint": user.upn}))}">{escape(user.name)}</a> '
        f"({escape(', '.join(user.roles) or 'no role')})</li>"
        for user in directory.users
    )
    return page("Pick an account", f"<body><h1>Pick an account</h1><ul>{links}</ul></body>")


def _posting_page(address: str, answer: Mapping[str, str]) -> web.Response:
    """Return a page whose form a browser submits at once."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in answer.items()
    )
    return page(
        "Working…",
        '<body onload="document.forms[0].submit()">'
        f'<form method="post" action="{escape(address)}">{fields}<button>Continue</button></form></body>',
    )
