"""Secrets to plant: put together at run time, so that this repository holds none, and none of them opens anything."""

from __future__ import annotations

import base64
import json


def body(length: int, seed: int = 7, alphabet: str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") -> str:
    """Text without meaning, the same each time."""
    return "".join(alphabet[(seed * (place * place + 3 * place + seed) + place) % len(alphabet)] for place in range(length))


HEX, UPPER, DIGITS, LOWER = "0123456789abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789", "abcdefghijklmnopqrstuvwxyz0123456789"


def web_token() -> str:
    """A JSON Web Token."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, {"sub": "somebody", "admin": True})]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), body(43)])


def private_key() -> str:
    """A private key of several lines."""
    edge = "PRIVATE " + "KEY-----"
    lines = [body(64, seed) for seed in range(3, 9)]
    return "\n".join([f"-----BEGIN RSA {edge}", *lines, f"-----END RSA {edge}"])


TOKENS = {
    "AWS Access Key": "AK" + "IA" + body(16, alphabet=UPPER),
    "AWS Secret Key": "aws_secret_" + "access_key = " + body(40),
    "Anthropic API Key": "sk-" + "ant-api03-" + body(80),
    "Azure Storage Account access key": "Account" + "Key=" + body(86) + "==",
    "Basic Auth Credentials": "https://some" + "body:" + body(14) + "@example.org/",
    "Discord Bot Token": "M" + body(23) + "." + body(6) + "." + body(27),
    "GitHub Fine-Grained Token": "github_" + "pat_" + body(22) + "_" + body(59, 5),
    "GitHub Token": "gh" + "p_" + body(36),
    "GitLab Token": "gl" + "pat-" + body(20),
    "Google API Key": "AI" + "za" + body(35),
    "Hugging Face Token": "hf" + "_" + body(34),
    "JSON Web Token": web_token(),
    "Mailchimp Access Key": body(32, alphabet=HEX) + "-us" + "12",
    "NPM Access Token": "np" + "m_" + body(36),
    "OpenAI API Key": "sk-" + "proj-" + body(60),
    "Private Key": private_key(),
    "PyPI Token": "pypi-" + "AgEIcHlwaS5vcmc" + body(80),
    "SendGrid API Key": "SG" + "." + body(22) + "." + body(43),
    "Slack Token": "xo" + "xb-" + body(12, alphabet=DIGITS) + "-" + body(24),
    "Stripe Access Key": "sk_" + "live_" + body(24),
    "Telegram Bot Token": body(9, alphabet="123456789") + ":" + body(35),
    "Twilio API Key": "S" + "K" + body(32, alphabet=LOWER),
}
