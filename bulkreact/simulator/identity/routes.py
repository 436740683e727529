"""The token service over HTTP: discovery, token endpoint, device code and browser sign-in."""

import asyncio
from html import escape

from aiohttp import web

from bulkreact.simulator.identity.aadsts_errors import Fault, TokenRefusedError, error_body
from bulkreact.simulator.identity.browser_sign_in import answer_app, page
from bulkreact.simulator.identity.client_authentication import credential_type
from bulkreact.simulator.identity.directory import Directory, LoggedTokenRequest, TokenPayload
from bulkreact.simulator.identity.grants import TokenRequest, check_scopes, issue_tokens

_DIRECTORY = web.AppKey("directory of the token service", Directory)
_HTML_FAULT = "<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>"


def add_routes(app: web.Application, directory: Directory) -> None:
    """Add the token service of a directory to an application."""
    app[_DIRECTORY] = directory
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", _discovery)
    app.router.add_get("/{tenant}/discovery/v2.0/keys", _keys)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", _token)
    app.router.add_post("/{tenant}/oauth2/v2.0/devicecode", _device_code)
    app.router.add_get("/{tenant}/oauth2/v2.0/authorize", _authorize)
    app.router.add_get("/{tenant}/oauth2/v2.0/logout", _sign_out)
    app.router.add_get("/{tenant}/oauth2/deviceauth", _show_device_page)
    app.router.add_post("/{tenant}/oauth2/deviceauth", _take_user_code)


async def _discovery(request: web.Request) -> web.Response:
    directory, base = request.app[_DIRECTORY], _tenant_url(request)
    try:
        directory.check_tenant(request.match_info["tenant"])
    except TokenRefusedError as refused:
        return _error_response(request, refused)
    return web.json_response(
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
        }
    )


async def _keys(request: web.Request) -> web.Response:
    return web.json_response(request.app[_DIRECTORY].signer.keys())


async def _token(request: web.Request) -> web.Response:
    directory, token_request = request.app[_DIRECTORY], await _token_request(request)
    record = LoggedTokenRequest(
        token_request.form.get("grant_type", ""),
        token_request.client_id,
        token_request.tenant,
        directory.clock(),
        credential_type(token_request.form),
    )
    directory.requests.append(record)
    fault = directory.faults.pop(0) if directory.faults else None
    outcome, answer = _answer_request(request, token_request, fault)
    await asyncio.sleep(directory.latency)
    record.outcome = outcome
    if fault and fault.drop and request.transport:
        request.transport.abort()
    return answer


def _answer_request(request: web.Request, token_request: TokenRequest, fault: Fault | None) -> tuple[str, web.Response]:
    """Return the logged outcome of a token request, and its response."""
    directory = request.app[_DIRECTORY]
    try:
        tokens: TokenPayload = {} if fault and not fault.effect else issue_tokens(directory, token_request)
    except TokenRefusedError as refused:
        return str(refused.number), _error_response(request, refused)
    if fault:
        return _render_fault(request, fault)
    return "issued", web.json_response(tokens, headers={"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})


def _render_fault(request: web.Request, fault: Fault) -> tuple[str, web.Response]:
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    if fault.drop:
        return "dropped", web.Response()
    if fault.html:
        answer = web.Response(status=fault.status, text=_HTML_FAULT, content_type="text/html", headers=headers)
        return str(fault.status), answer
    if not fault.error:
        return str(fault.status), web.Response(status=fault.status, headers=headers)
    now = request.app[_DIRECTORY].clock()
    content = error_body(fault.number, fault.error, "As it was scripted.", now=now)
    return str(fault.number), web.json_response(content, status=fault.status, headers=headers)


async def _device_code(request: web.Request) -> web.Response:
    directory, token_request = request.app[_DIRECTORY], await _token_request(request)
    try:
        directory.app(token_request.require("client_id"), token_request.tenant)
        check_scopes(directory, token_request.scopes)
    except TokenRefusedError as refused:
        return _error_response(request, refused)
    sign_in = directory.begin_device_sign_in(token_request.client_id)
    page = f"{_tenant_url(request)}/oauth2/deviceauth"
    return web.json_response(
        {
            "user_code": sign_in.user_code,
            "device_code": sign_in.device_code,
            "verification_uri": page,
            "expires_in": max(1, int(directory.device_lifetime)),
            "interval": directory.interval,
            "message": f"To sign in, open the page {page} in a web browser and enter the code {sign_in.user_code}.",
        }
    )


async def _show_device_page(request: web.Request) -> web.Response:
    return page(
        "Sign in",
        '<body><form method="post">'
        f'<label>Code <input name="user_code" value="{escape(request.query.get("otc", ""))}"></label>'
        '<button name="act" value="approve">Sign in</button>'
        '<button name="act" value="decline">Decline</button></form></body>',
    )


async def _take_user_code(request: web.Request) -> web.Response:
    directory, form = request.app[_DIRECTORY], (await _token_request(request)).form
    declined = form.get("act") == "decline"
    try:
        (directory.decline if declined else directory.approve)(form.get("user_code", ""))
    except KeyError:
        return page("Unknown code", "<body><p>No sign-in waits for this code.</p></body>", status=400)
    result = "declined" if declined else f"signed in as {directory.user.upn}"
    return page("Done", f"<body><p>You have {escape(result)}. You may close this page.</p></body>")


async def _authorize(request: web.Request) -> web.Response:
    token_request = TokenRequest(str(request.url.origin()), request.match_info["tenant"], dict(request.query))
    try:
        return answer_app(request.app[_DIRECTORY], token_request)
    except TokenRefusedError as refused:
        return _error_response(request, refused)


async def _sign_out(_request: web.Request) -> web.Response:
    """Say that the user is signed out: each sign-in asks anew who it is."""
    return page("Signed out", "<body><p>You are signed out. You may close this page.</p></body>")


def _error_response(request: web.Request, refused: TokenRefusedError) -> web.Response:
    content = error_body(
        refused.number,
        refused.error,
        refused.description,
        now=request.app[_DIRECTORY].clock(),
        correlation_id=request.headers.get("client-request-id", ""),
    )
    headers = {"Retry-After": refused.retry_after} if refused.retry_after else {}
    return web.json_response(content, status=refused.status, headers=headers)


async def _token_request(request: web.Request) -> TokenRequest:
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return TokenRequest(str(request.url.origin()), request.match_info["tenant"], form)


def _tenant_url(request: web.Request) -> str:
    return f"{request.url.origin()}/{request.match_info['tenant']}"
