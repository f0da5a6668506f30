"""The directory that clients sign in at: OpenID configuration and tokens."""

from __future__ import annotations

import urllib.parse

from ..network.message import Request, Response, parse_query, reply
from ..network.routes import Routes
from ..service import Service
from ..state.settings import LOGIN

routes = Routes(LOGIN, open=True)

_CODE = "EMU1AT0R"


@routes("GET", "/{tenant}/v2.0/.well-known/openid-configuration")
def configuration(service: Service, request: Request) -> Response:
    """Gives the addresses that issue tokens."""
    base = f"https://{LOGIN}/{urllib.parse.quote(request.parts['tenant'])}"
    return reply(
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }
    )


@routes("GET", "/common/discovery/instance")
def instance(service: Service, request: Request) -> Response:
    """Lists the hosts of the directory."""
    names = [LOGIN]
    return reply(
        {
            "tenant_discovery_endpoint": f"https://{LOGIN}/{service.settings.tenant_id}/v2.0/.well-known/openid-configuration",
            "metadata": [{"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": names}],
        }
    )


@routes("POST", "/{tenant}/oauth2/v2.0/devicecode")
def device_code(service: Service, request: Request) -> Response:
    """Returns the code that a person would enter in a browser; nobody does, so the token is declined."""
    page = "https://microsoft.com/devicelogin"
    message = f"To sign in, use a web browser to open the page {page} and enter the code {_CODE} to authenticate."
    code = {"user_code": _CODE, "device_code": "emulated", "verification_uri": page, "expires_in": 900, "interval": 1}
    return reply({**code, "message": message})


@routes("POST", "/{tenant}/oauth2/v2.0/token")
def token(service: Service, request: Request) -> Response:
    """Issues a token to the service principal, if the secret is right."""
    settings = service.settings
    form = parse_query(request.body.decode())
    if form.get("device_code"):
        return _refuse(400, "authorization_declined", "AADSTS50126: Nobody has entered the code.")
    if request.parts["tenant"] != settings.tenant_id:
        return _refuse(400, "invalid_request", f"AADSTS90002: Tenant '{request.parts['tenant']}' not found.")
    if form.get("client_id") != settings.client_id:
        return _refuse(400, "unauthorized_client", "AADSTS700016: Application was not found in the directory.")
    if form.get("client_secret") != settings.client_secret:
        return _refuse(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
    scope = form.get("scope", "")
    given = service.tokens.issue(aud=scope.partition("/.default")[0], appid=settings.client_id, oid=settings.client_id)
    return reply({"token_type": "Bearer", "expires_in": service.tokens.lifetime_s, "access_token": given})


def _refuse(status: int, error: str, description: str) -> Response:
    return reply({"error": error, "error_description": description, "error_codes": []}, status=status)
