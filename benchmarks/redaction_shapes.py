"""Secrets as their providers make them, drawn by lot, and the texts they turn up in: what redaction is measured with.

The shapes are written down from the providers' pages and independent of the redactor's rules. None stands here whole:
each is put together from parts when it is drawn, so that no secret scanner stops at this file.
"""

from __future__ import annotations

import base64
import string
from collections.abc import Callable
from random import Random

Shape = Callable[[Random], str]

_ALNUM = string.ascii_letters + string.digits
_URL = _ALNUM + "-_"
_HEX = "0123456789abcdef"
_LOW = string.ascii_lowercase + string.digits
_UP = string.ascii_uppercase + string.digits


def _of(letters: str, count: int) -> Shape:
    return lambda random: "".join(random.choice(letters) for _ in range(count))


def _join(*parts: str | Shape) -> Shape:
    return lambda random: "".join(p if isinstance(p, str) else p(random) for p in parts)


def _uuid(random: Random) -> str:
    return "-".join(_of(_HEX, n)(random) for n in (8, 4, 4, 4, 12))


def _jwt(random: Random) -> str:
    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    head, body = part('{"alg":"HS256","typ":"JWT"}'), part(f'{{"sub":"{random.randrange(10**9)}","iat":1700000000}}')
    return f"{head}.{body}.{_of(_URL, 43)(random)}"


def _private(kind: str) -> Shape:
    def made(random: Random) -> str:
        lines = "\n".join(_of(_ALNUM + "+/", 64)(random) for _ in range(random.randrange(6, 24)))
        return f"-----BEGIN {kind}PRIVATE" + f" KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"

    return made


def _password(random: Random) -> str:
    words = ["Tulip", "harbor", "Copper", "lantern", "Quartz", "meadow"]
    return f"{random.choice(words)}{random.choice('!#%^_-')}{random.randrange(100, 9999)}{random.choice(words)[:3]}"


# kind of secret -> the shapes of tokens that tell by themselves what they are
TOKENS: dict[str, dict[str, Shape]] = {
    "cloud": {
        "AWS access key": _join("AK", "IA", _of(string.ascii_uppercase + "234567", 16)),
        "AWS temporary key": _join("AS", "IA", _of(string.ascii_uppercase + "234567", 16)),
        "Google API key": _join("AI", "za", _of(_URL, 35)),
        "Google OAuth token": _join("ya", "29.", _of(_URL, 120)),
        "Google client secret": _join("GOC", "SPX-", _of(_URL, 28)),
        "Azure client secret": _join(_of(_ALNUM, 3), "8", "Q~", _of(_ALNUM + "_.~-", 34)),
        "DigitalOcean token": _join("do", "p_v1_", _of(_HEX, 64)),
        "Heroku token": _join("HR", "KU-AA", _of(_URL, 58)),
        "Databricks token": _join("da", "pi", _of(_HEX, 32)),
        "Netlify token": _join("nf", "p_", _of(_ALNUM, 36)),
        "Fly.io token": _join("fo", "1_", _of(_URL, 43)),
        "Terraform Cloud token": _join(_of(_ALNUM, 14), ".atl", "asv1.", _of(_URL, 67)),
        "Pulumi token": _join("pu", "l-", _of(_HEX, 40)),
        "Vault token": _join("hv", "s.", _of(_URL, 95)),
        "Doppler token": _join("dp", ".pt.", _of(_ALNUM, 43)),
        "Tailscale key": _join("ts", "key-auth-", _of(_ALNUM, 17), "-", _of(_ALNUM, 32)),
        "1Password account key": _join("A", "3-", _of(_UP, 6), "-", _of(_UP, 11), *(("-", _of(_UP, 5)) * 3)),
    },
    "forge": {
        "GitHub token": _join("gh", "p_", _of(_ALNUM, 36)),
        "GitHub app token": _join("gh", "s_", _of(_ALNUM, 36)),
        "GitHub fine-grained token": _join("github", "_pat_", _of(_ALNUM, 22), "_", _of(_ALNUM, 59)),
        "GitLab token": _join("gl", "pat-", _of(_URL, 20)),
        "GitLab runner token": _join("gl", "rt-", _of(_URL, 20)),
        "GitLab deploy token": _join("gl", "dt-", _of(_URL, 20)),
        "Atlassian token": _join("ATA", "TT3x", _of(_URL, 180), "=", _of(_HEX.upper(), 8)),
        "Bitbucket password": _join("AT", "BB", _of(_ALNUM, 32)),
        "npm token": _join("np", "m_", _of(_ALNUM, 36)),
        "PyPI token": _join("py", "pi-AgEIcHlwaS5vcmc", _of(_URL, 150)),
        "RubyGems key": _join("ruby", "gems_", _of(_HEX, 48)),
        "crates.io token": _join("ci", "o", _of(_ALNUM, 32)),
        "NuGet key": _join("oy", "2", _of(_LOW, 43)),
        "Docker Hub token": _join("dckr", "_pat_", _of(_URL, 27)),
    },
    "llm": {
        "Anthropic key": _join("sk-", "ant-api03-", _of(_URL, 93), "AA"),
        "OpenAI project key": _join("sk-", "proj-", _of(_URL, 74), "T3Bl", "bkFJ", _of(_URL, 74)),
        "OpenAI key": _join("sk-", _of(_ALNUM, 20), "T3Bl", "bkFJ", _of(_ALNUM, 20)),
        "OpenRouter key": _join("sk-", "or-v1-", _of(_HEX, 64)),
        "DeepSeek key": _join("sk-", _of(_HEX, 32)),
        "Groq key": _join("gs", "k_", _of(_ALNUM, 52)),
        "xAI key": _join("xa", "i-", _of(_ALNUM, 80)),
        "Perplexity key": _join("pp", "lx-", _of(_ALNUM, 48)),
        "Hugging Face token": _join("h", "f_", _of(string.ascii_letters, 34)),
        "Replicate token": _join("r", "8_", _of(_ALNUM, 37)),
    },
    "chat": {
        "Slack bot token": _join(
            "xo", "xb-", _of(string.digits, 12), "-", _of(string.digits, 12), "-", _of(_ALNUM, 24)
        ),
        "Slack app token": _join("xa", "pp-1-A", _of(_UP, 10), "-", _of(string.digits, 12), "-", _of(_HEX, 64)),
        "Telegram token": _join(_of("123456789", 9), ":A", "A", _of(_URL, 33)),
        "SendGrid key": _join("S", "G.", _of(_URL, 22), ".", _of(_URL, 43)),
        "Mailgun key": _join("ke", "y-", _of(_HEX, 32)),
        "Linear key": _join("lin", "_api_", _of(_ALNUM, 40)),
        "Notion token": _join("nt", "n_", _of(string.digits, 11), _of(_ALNUM, 35)),
        "Airtable token": _join("pa", "t", _of(_ALNUM, 14), ".", _of(_HEX, 64)),
        "Figma token": _join("fi", "gd_", _of(_URL, 40)),
        "Sentry token": _join("snt", "ryu_", _of(_HEX, 64)),
        "New Relic key": _join("NR", "AK-", _of(_UP, 27)),
        "Grafana token": _join("gl", "sa_", _of(_ALNUM, 32), "_", _of(_HEX, 8)),
    },
    "payment": {
        "Stripe key": _join("sk", "_live_", _of(_ALNUM, 24)),
        "Stripe restricted key": _join("rk", "_live_", _of(_ALNUM, 99)),
        "Stripe webhook secret": _join("wh", "sec_", _of(_ALNUM, 32)),
        "Square token": _join("sq", "0atp-", _of(_URL, 22)),
        "Shopify token": _join("sh", "pat_", _of(_HEX, 32)),
        "Braintree token": _join("access", "_token$production$", _of(_LOW, 16), "$", _of(_HEX, 32)),
        "Plaid token": _join("access-", "sandbox-", _uuid),
    },
    "web": {"JSON web token": _jwt},
    "private key": {
        "RSA": _private("RSA "),
        "PKCS 8": _private(""),
        "OpenSSH": _private("OPENSSH "),
        "EC": _private("EC "),
        "age": _join("AGE-", "SECRET-KEY-1", _of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    },
}

# kind -> texts around a secret that only its place tells; %s is the secret, drawn by the shape
PLACES: dict[str, list[tuple[str, Shape]]] = {
    "cloud": [
        ("aws_secret_access" + "_key = %s", _of(_ALNUM + "+/", 40)),
        ("AccountName=app;Account" + "Key=%s==;EndpointSuffix=core", _of(_ALNUM + "+/", 86)),
        ("HEROKU_API" + "_KEY=%s", _uuid),
        ("CLOUDFLARE_API" + "_TOKEN=%s", _of(_URL, 40)),
        ("DD_API" + "_KEY=%s", _of(_HEX, 32)),
        ("twilio_auth" + '_token: "%s"', _of(_HEX, 32)),
        ("X-Vault" + "-Token: s.%s", _of(_ALNUM, 24)),
    ],
    "database": [
        ("postgres://app" + ":%s@db.example.org:5432/shop", _password),
        ("mysql://root" + ":%s@127.0.0.1/shop", _of(_ALNUM, 16)),
        ("mongodb+srv://app" + ":%s@c0.example.net/shop", _of(_ALNUM, 20)),
        ("redis://" + ":%s@cache:6379/0", _of(_ALNUM, 32)),
        ("amqps://app" + ":%s@mq.example.org/vhost", _of(_ALNUM, 16)),
        ("Server=db;Uid=app;P" + "wd=%s;Database=shop", _password),
        ("db.example.org:5432:shop" + ":app:%s", _password),
        ("PGPASS" + "WORD=%s psql -h db", _of(_ALNUM, 16)),
        ("mysql -u root -" + "p%s shop", _of(_ALNUM, 14)),
        ("jdbc:postgresql://db/shop?user=app&pass" + "word=%s", _of(_ALNUM, 16)),
    ],
    "web": [
        ("curl -H 'Authori" + "zation: Bearer %s' https://example.org", _of(_URL, 40)),
        ("Authori" + "zation: Basic %s", lambda r: base64.b64encode(f"ada:{_password(r)}".encode()).decode()),
        ("Authori" + "zation: token %s", _of(_HEX, 40)),
        ("curl -u ada" + ":%s https://example.org", _of(_ALNUM, 16)),
        ("git clone https://ada" + ":%s@git.example.org/x.git", _of(_ALNUM, 24)),
        ("machine example.org login ada pass" + "word %s", _of(_ALNUM, 14)),
        ("Cookie: theme=dark; _shop_sess" + "ion=%s; a=b", _of(_ALNUM, 40)),
        ("x-api" + "-key: %s", _of(_ALNUM, 40)),
        ("https://example.org/x?access" + "_token=%s&page=2", _of(_ALNUM, 40)),
        (
            '{"auths":{"r.example.org":{"au' + 'th":"%s"}}}',
            lambda r: base64.b64encode(f"a:{_password(r)}".encode()).decode(),
        ),
    ],
    "chat": [
        (
            "curl https://hooks" + ".slack.com/services/%s -d x",
            _join("T", _of(_UP, 8), "/B", _of(_UP, 8), "/", _of(_ALNUM, 24)),
        ),
        ("url: https://discord.com/api" + "/webhooks/123456789012345678/%s", _of(_URL, 68)),
        ("DISCORD_TOKEN = %s", _join("M", _of(_ALNUM, 23), ".", _of(_URL, 6), ".", _of(_URL, 38))),
    ],
    "assignment": [
        ("DB_PASS" + "WORD=%s", _password),
        ("SMTP" + "_PASS=%s", _of(_ALNUM, 14)),
        ("pass" + 'word: "%s"', _password),
        ('  "pass' + 'word": "%s",', _password),
        ("SECRET" + "_KEY_BASE=%s", _of(_HEX, 64)),
        ("client" + "_secret = '%s'", _of(_URL, 32)),
        ("export APP_API" + "_KEY=%s", _of(_ALNUM, 32)),
        ("JWT" + '_SECRET="%s"', _of(_ALNUM, 48)),
        ("const api" + 'Key = "%s";', _of(_ALNUM, 32)),
        ("run --api-" + "key %s --verbose", _of(_ALNUM, 32)),
        ("--pass" + "word=%s", _password),
        ("ENCRYPTION" + "_KEY=%s=", _of(_ALNUM + "+/", 43)),
        ("<pass" + "word>%s</password>", _password),
    ],
}

# what stands around a token that tells by itself what it is
CONTEXTS: tuple[tuple[str, str], ...] = (
    ("env file", "# settings\nAPP_THING=%s\nDEBUG=1\n"),
    ("JSON", '{"name": "app", "thing": "%s", "n": 1}'),
    ("YAML", "app:\n  thing: %s\n  replicas: 2\n"),
    ("shell", "$ deploy --with %s --verbose\nok\n"),
    ("log", "2026-01-02T03:04:05Z INFO client used %s for the call, 200 OK in 12ms\n"),
    ("code", 'def main() -> None:\n    client = Client("%s")  # for now\n'),
    ("URL", "GET https://example.org/x?q=1&thing=%s&page=2"),
    ("markdown", "Use `%s` as the value, see [the docs](https://example.org)."),
)
