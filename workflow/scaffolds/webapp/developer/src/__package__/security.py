"""Security rules for every answer: headers that browsers obey, and no writes from other sites."""

from flask import Flask, Response, abort, request

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

# Nothing inline, nothing from elsewhere, no scripts, not inside anybody's frame.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

# A referrer policy of no-referrer would make browsers send `Origin: null` with our own forms.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def protect(app: Flask) -> None:
    """Apply the rules to every request and every answer of `app`."""
    app.before_request(refuse_writes_from_other_sites)
    app.after_request(add_headers)


def refuse_writes_from_other_sites() -> None:
    """Abort with 403 when a browser sends a write that a page of another site has started.

    Browsers say where a request comes from in `Sec-Fetch-Site`; older ones, and all of them on plain HTTP,
    in `Origin`. Pages cannot forge either. Programs such as curl send neither and carry nobody's session,
    so there is nothing to protect.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None:
        allowed = origin is None or origin.partition("://")[2] == request.host
    else:
        allowed = site in {"same-origin", "none"}
    if not allowed:
        abort(403, "This request was started by another site.")


def add_headers(response: Response) -> Response:
    """Add the headers; pages and data are never stored by caches, static files may be."""
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
