"""Shapes of tokens: the detectors of `detect-secrets` that go by a token's own form, and some that it lacks.

Those that go by entropy or by words such as `password` are left out: generated projects are full of hashes in lock
files and of passwords of their own tests, and a gate that always calls is not listened to. So are those whose form is
hardly one (Artifactory, Cloudant, IBM, SoftLayer). Nothing is verified over the network, and no pragma in a scanned
line switches anything off, since an agent writes that line.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Within, `requests` is an empty module unless it is there already: nothing is verified, and it is slow to import."""
    unused = "requests" not in sys.modules
    sys.modules.setdefault("requests", ModuleType("requests"))
    try:
        yield
    finally:
        if unused:
            del sys.modules["requests"]


with _offline():
    from detect_secrets.__version__ import VERSION as VERSION
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.basic_auth import BasicAuthDetector
    from detect_secrets.plugins.discord import DiscordBotTokenDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.npm import NpmDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.private_key import PrivateKeyDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector
    from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
    from detect_secrets.plugins.twilio import TwilioKeyDetector

NAME = "detect-secrets"
OWN = {
    "AWS Secret Key": r"(?i:aws_?secret_?(?:access_?)?key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    "Age Secret Key": r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "Anthropic API Key": r"sk-ant-[A-Za-z0-9_-]{20,200}",
    "Databricks Token": r"dapi[a-f0-9]{32}",
    "DigitalOcean Token": r"do[opr]_v1_[a-f0-9]{64}",
    "Discord Webhook": r"discord(?:app)?\.com/api/webhooks/[0-9]{10,25}/[A-Za-z0-9_-]{30,100}",
    "Docker Token": r"dckr_[a-z]{3}_[A-Za-z0-9_-]{27,60}",
    "GitHub Fine-Grained Token": r"github_pat_[A-Za-z0-9_]{40,120}",
    "Google API Key": r"AIza[0-9A-Za-z_-]{35}",
    "Google OAuth Secret": r"GOCSPX-[A-Za-z0-9_-]{28}",
    "Google OAuth Token": r"ya29\.[0-9A-Za-z_-]{20,300}",
    "Groq API Key": r"gsk_[A-Za-z0-9]{40,80}",
    "HashiCorp Vault Token": r"hv[sb]\.[A-Za-z0-9_-]{24,200}",
    "Hugging Face Token": r"hf_[A-Za-z0-9]{30,60}",
    "Linear API Key": r"lin_api_[A-Za-z0-9]{40}",
    "NPM Access Token": r"npm_[A-Za-z0-9]{36}",
    "OpenAI API Key": r"sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,200}|[A-Za-z0-9]{48}(?![A-Za-z0-9]))",
    "Postman API Key": r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    "Private Key": r"-----BEGIN ENCRYPTED PRIVATE KEY|PuTTY-User-Key-File-3",
    "Replicate Token": r"r8_[A-Za-z0-9]{37}",
    "Shopify Token": r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "Slack App Token": r"xapp-[0-9]-[A-Z0-9]{5,20}-[0-9]{5,20}-[a-f0-9]{30,100}",
    "Stripe Test or Webhook Key": r"(?:[rs]k_test_[0-9a-zA-Z]{24}|whsec_[A-Za-z0-9+/]{32})",
    "xAI API Key": r"xai-[A-Za-z0-9]{60,100}",
}


def _own(kind: str, pattern: str) -> RegexBasedDetector:
    """A detector for a shape that detect-secrets lacks."""
    body = {"secret_type": kind, "denylist": (re.compile(pattern),)}
    made: RegexBasedDetector = type(f"Own{re.sub('[^A-Za-z]', '', kind)}", (RegexBasedDetector,), body)()
    return made


DETECTORS: tuple[RegexBasedDetector, ...] = (
    *(_own(kind, pattern) for kind, pattern in OWN.items()),
    AWSKeyDetector(),
    AzureStorageKeyDetector(),
    BasicAuthDetector(),
    DiscordBotTokenDetector(),
    GitHubTokenDetector(),
    GitLabTokenDetector(),
    JwtTokenDetector(),
    MailchimpDetector(),
    NpmDetector(),
    OpenAIDetector(),
    PrivateKeyDetector(),
    PypiTokenDetector(),
    SendGridDetector(),
    SlackDetector(),
    SquareOAuthDetector(),
    StripeDetector(),
    TelegramBotTokenDetector(),
    TwilioKeyDetector(),
)


NEEDED = {"NPM tokens": "_authToken=", "OpenAI Token": "T3BlbkFJ", "Basic Auth Credentials": "@", "JSON Web Token": "eyJ"}


def matches(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of each token in `text`. The whole match counts, where detect-secrets gives a part of it."""
    for detector in DETECTORS:
        if NEEDED.get(detector.secret_type, "") not in text:
            continue  # these patterns take long to find that they do not match
        for pattern in detector.denylist:
            for match in pattern.finditer(text):
                if _is_token(detector, text, match):
                    yield match.start(), match.end(), detector.secret_type


def _is_token(detector: RegexBasedDetector, text: str, match: re.Match[str]) -> bool:
    """Whether a match stands by itself: not within a word (a look-behind would make the search 20 times slower)."""
    if isinstance(detector, JwtTokenDetector):
        return detector.is_formally_valid(match[0])
    return detector.secret_type not in OWN or match.start() == 0 or not text[match.start() - 1].isalnum()
