"""Why a model did not answer: an HTTP status or a tool's words, made one of eight kinds.

Quota and rate limits park an agent, a bad key or a bad request is final, a server's fault or a cut line is worth
another attempt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["auth", "quota", "rate_limit", "bad_request", "server", "cut", "refused", "other"]
MESSAGE_LIMIT = 300

QUOTA = (
    r"insufficient_quota|current quota|quota (?:is |was )?(?:exceeded|exhausted)|exceeded .{0,20}quota|out of credits?|"
    r"credit balance|usage limit|spend(?:ing)? limit|payment required|billing"
)
WORDS: tuple[tuple[Kind, str], ...] = (
    ("quota", QUOTA),
    ("rate_limit", r"rate.?limit|too many requests|resource_exhausted|RateLimitError"),
    (
        "auth",
        r"unauthori[sz]ed|unauthenticated|authentication|AuthenticationError|(?:incorrect|invalid|missing|no|set an?) api.?key|"
        r"api.?key (?:is |was )?(?:not|missing|invalid|required|expired)|missing environment variable|not logged in|_API_KEY\b|"
        r"please (?:log|sign) ?in|/login|auth method|\bcredentials?\b|token (?:has )?expired",
    ),
    (
        "server",
        r"internal server error|InternalServerError|overloaded|high demand|unavailable|bad gateway|server (?:had an )?error|api_error",
    ),
    (
        "cut",
        r"\bterminated\b|disconnect|APIConnectionError|connection (?:error|reset|closed|refused|aborted)|connection attempts failed|"
        r"ECONN|fetch failed|socket|network error|\btime(?:d )?out\b|ENOTFOUND|EAI_AGAIN|premature|peer closed|stream ended",
    ),
    ("refused", r"content.?(?:policy|filter|management)|permission_denied|forbidden|\brefus(?:al|ed)\b|safety"),
    (
        "bad_request",
        r"bad request|BadRequestError|invalid_request|not valid|context (?:length|window)|unknown (?:model|option|argument)|"
        r"model.{0,60}(?:not found|does not exist|not supported)",
    ),
)
STATUS = re.compile(
    r"""(?:^|\bstatus(?: code)?:? |"code": ?|"status": ?|\berror code: |\bAPI Error: ?|\bHTTP |\()([45]\d\d)\b""", re.IGNORECASE
)


@dataclass(frozen=True)
class Problem:
    """What went wrong, in one line."""

    kind: Kind
    message: str

    @property
    def parks(self) -> bool:
        """Whether the agent waits for another day: neither failed nor done."""
        return self.kind in ("quota", "rate_limit")

    @property
    def final(self) -> bool:
        """Whether repeating the same call can only fail again."""
        return self.kind in ("auth", "bad_request", "refused")

    @property
    def retryable(self) -> bool:
        """Whether another attempt soon may go well."""
        return self.kind in ("server", "cut")


def of_status(status: int, text: str = "") -> Kind:
    """The kind that an HTTP status stands for; of a 4xx the text says whether it is about money."""
    if status in (402, 403, 429) and re.search(QUOTA, text, re.IGNORECASE):
        return "quota"
    kinds: dict[int, Kind] = {401: "auth", 402: "quota", 403: "refused", 408: "cut", 409: "server", 429: "rate_limit"}
    return kinds.get(status) or ("server" if status >= 500 else "bad_request")


def of_text(text: str) -> Kind:
    """The kind that a tool's own words stand for."""
    status = STATUS.search(text[:4000])
    if status:
        return of_status(int(status[1]), text)
    return next((kind for kind, words in WORDS if re.search(words, text[:4000], re.IGNORECASE)), "other")


def problem(text: str, status: int | None = None, login: str = "") -> Problem:
    """A problem from a tool's words and the HTTP status, where that is known. `login` says how people authenticate."""
    kind = of_status(status, text) if status and 400 <= status < 600 else of_text(text)
    said = one_line(text) or (f"HTTP status {status}" if status else "no message")
    if kind == "auth" and login:
        said = f"{said.rstrip('.')}; {login}"
    return Problem(kind, said)


def one_line(text: str) -> str:
    """`text` on one line, without characters that act on a terminal, and not long."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in str(text)[: 4 * MESSAGE_LIMIT]).split())
    return plain if len(plain) <= MESSAGE_LIMIT else f"{plain[: MESSAGE_LIMIT - 3]}..."
