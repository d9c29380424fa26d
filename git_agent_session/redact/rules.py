"""The secrets that are looked for, as data: no code here but the table.

A rule is tried only on text that, in lower case, holds one of its `markers` and all that `also` names, so that a rule
costs nothing where it cannot match. Its pattern has one group, the part that is replaced. Patterns must stay linear on
hostile text: every quantifier is bounded or possessive, and none starts where another could start in the same run of
characters. `check` names the judgement in the engine that a match must pass. Sources: the providers' own documentation
of their prefixes, and the public rule sets of gitleaks and GitHub secret scanning.
"""

from __future__ import annotations


class Rule:
    """One kind of secret. `name` is what `[redacted: name]` says."""

    __slots__ = ("also", "check", "markers", "name", "pattern")

    def __init__(self, name: str, markers: tuple[str, ...], pattern: str, check: str = "", also: str = "") -> None:
        self.name = name
        self.markers = markers
        self.pattern = pattern
        self.check = check
        self.also = also


# names of things that hold a secret; after the tail the name must end, so `tokens` and `tokenizer` are none
_PASSWORD = r"(?:passw(?:or)?d|passphrase|(?<![a-z])pwd)"
_SECRET = (
    r"(?:secret|token|credentials?"
    r"|(?:access|api|account|auth|encryption|master|private|service|signing|subscription)[_-]?key)"
)
_TAIL = r"(?:[_-]?(?:key|base|value|[0-9]{1,2})){0,3}"
# `name: `, `"name" = `, `\"name\": `, `name := `, `name => `
_GIVES = r"""(?:\\?["'`]\]?)?[ \t]{0,8}(?::=|=>|[=:])[ \t]{0,8}"""
# what stands between quotes, escaped ones too, or up to the next delimiter; a quote that never closes counts as none
_VALUE = (
    r"""\\?["'`]?((?<=")[^"\r\n\\]{4,8192}+(?=\\?")|(?<=')[^'\r\n\\]{4,8192}+(?=\\?')|(?<=`)[^`\r\n]{4,8192}+(?=`)"""
    r"""|[^\s"'`,;()<>{}\[\]][^\s"'`,;<>]{3,8192}+)"""
)

PASSWORD_MARKERS = ("passw", "passphrase", "pwd")
SECRET_MARKERS = (
    "secret",
    "token",
    "credential",
    *(f"{sep}key" for sep in ("_", "-", "access", "api", "auth", "private")),
)
PASSWORD_NAME = f"(?i){_PASSWORD}{_TAIL}\\Z"
SECRET_NAME = f"(?i){_SECRET}{_TAIL}\\Z"

_BODY = r"[^-(){}<>;_]{0,32768}"
_LINE = r"[A-Za-z0-9+/=]{16,4096}"
_BLOCK = r"(?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
# a character run of base64url must begin here; in text that is still JSON, `\n` ends in a letter
_EDGE = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"

RULES: tuple[Rule, ...] = (
    # a block without its end (a cut text), or with code before it, loses the lines that are base64
    Rule(
        "private-key",
        ("private key-----", "private key block-----"),
        # no possessive groups: Python before 3.11.5 gets them wrong (CPython issue 106052)
        rf"(-----BEGIN {_BLOCK}(?:{_BODY}(?:-(?!----){_BODY}){{0,256}}-----END [^\n-]{{0,80}}-----"
        rf"|(?:\s|\\[nr]){{0,8}}{_LINE}(?:(?:\s|\\[nr]){{1,8}}{_LINE}){{0,1023}}))",
    ),
    Rule(
        "private-key",
        ("private-lines:",),
        r"Private-Lines: \d{1,4}((?:\s{1,2}[A-Za-z0-9+/=]{1,80}(?!\S)){1,1024})",
    ),
    Rule("private-key", ("age-secret-key-1",), r"(?i)(AGE-SECRET-KEY-1[0-9A-Z]{58})"),
    Rule(
        "aws-access-key",
        ("akia", "asia", "abia", "acca"),
        r"(?<![A-Z0-9])((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})(?![A-Za-z0-9])",
    ),
    Rule(
        "aws-secret-key",
        ("secret_access_key", "secretaccesskey", "secret access key", "secret_key", "aws_secret"),
        r"(?i)(?:secret[_ ]?access[_ ]?key|aws_secret(?:_key)?|secret_key)[\"'\\\s:=>]{1,12}"
        r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
    ),
    Rule("google-api-key", ("aiza",), r"(AIza[0-9A-Za-z_-]{35})(?![0-9A-Za-z_-])"),
    Rule("google-api-key", ("aq.ab",), r"(?<![A-Za-z0-9_.-])(AQ\.Ab[0-9A-Za-z_-]{40,256})"),
    Rule("gcp-oauth-token", ("ya29.",), r"(ya29\.[0-9A-Za-z_.-]{20,2048})"),
    Rule("gcp-client-secret", ("gocspx-",), r"(GOCSPX-[0-9A-Za-z_-]{28})"),
    Rule(
        "azure-storage-key",
        ("accountkey", "sharedaccesskey"),
        r"(?i)(?:Account|SharedAccess)Key=([A-Za-z0-9+/]{40,128}={0,2})",
    ),
    Rule("azure-sas-signature", ("sig=",), r"[?&;]sig=([A-Za-z0-9%+/]{40,128}(?:%3[Dd]|=))"),
    Rule("azure-client-secret", ("q~",), r"(?<![A-Za-z0-9_~.-])([A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})"),
    Rule("azure-api-key", ("jqqj9",), r"(?<![A-Za-z0-9])([A-Za-z0-9]{52}JQQJ9[A-Za-z0-9]{27})(?![A-Za-z0-9])"),
    Rule("azure-devops-token", ("azdo",), r"(?<![A-Za-z0-9])([A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})(?![A-Za-z0-9])"),
    Rule(
        "github-token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"(gh[pousr]_[A-Za-z0-9_]{30,255}(?:\.[A-Za-z0-9_-]{10,2048}){0,2})",
    ),
    Rule("github-token", ("github_pat_",), r"(github_pat_[A-Za-z0-9_]{22,255})"),
    Rule(
        "gitlab-token",
        ("glpat-", "glptt-", "gldt-", "glrt-", "glft-", "glsoat-", "glcbt-", "glimt-", "glagent-", "gloas-", "glffct-"),
        r"(gl(?:pat|ptt|dt|rt|ft|soat|cbt|imt|agent|oas|ffct)-[A-Za-z0-9_.-]{19,300}[A-Za-z0-9_-])",
    ),
    Rule("gitlab-token", ("gr1348941",), r"(GR1348941[A-Za-z0-9_-]{20,64})"),
    Rule("npm-token", ("npm_",), r"(npm_[A-Za-z0-9]{36})(?![A-Za-z0-9])"),
    Rule("pypi-token", ("pypi-age",), r"(pypi-AgE[IN][A-Za-z0-9_-]{50,1024})"),
    Rule("anthropic-api-key", ("sk-ant-",), r"(sk-ant-[A-Za-z0-9_-]{20,300})"),
    Rule(
        "openai-api-key",
        ("sk-",),
        r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))(sk-(?:(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{20,300}"
        r"|[A-Za-z0-9]{32,128}(?![A-Za-z0-9_-])))",
    ),
    Rule("sendgrid-api-key", ("sg.",), r"(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"),
    Rule("huggingface-token", ("hf_",), r"(?<![A-Za-z0-9])(hf_[A-Za-z0-9]{30,64})(?![A-Za-z0-9_])"),
    Rule("huggingface-token", ("api_org_",), r"(api_org_[A-Za-z0-9]{34})"),
    Rule(
        "llm-api-key",
        ("gsk_", "xai-", "pplx-", "r8_"),
        r"(?<![A-Za-z0-9])((?:gsk_|xai-|pplx-)[A-Za-z0-9]{40,128}|r8_[A-Za-z0-9]{37})(?![A-Za-z0-9])",
    ),
    Rule("slack-token", ("xox",), r"(xox[abceoprs][.-][A-Za-z0-9.-]{10,255})"),
    Rule("slack-token", ("xapp-",), r"(xapp-[0-9]-[A-Za-z0-9-]{20,255})"),
    Rule(
        "slack-webhook",
        ("hooks.slack.com",),
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_+-]{20,128})",
    ),
    Rule("discord-webhook", ("/api/webhooks/",), r"/api/webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,80})"),
    Rule(
        "discord-token",
        ("discord",),
        rf"{_EDGE}([MNO][A-Za-z0-9_-]{{23,25}}\.[A-Za-z0-9_-]{{6}}\.[A-Za-z0-9_-]{{27,38}})",
    ),
    Rule("telegram-token", (":aa",), r"(?<![0-9])([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])"),
    Rule(
        "stripe-key",
        ("k_live_", "k_test_", "k_prod_"),
        r"([sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,255})",
    ),
    Rule("stripe-key", ("whsec_",), r"(whsec_[A-Za-z0-9+/=]{24,128})"),
    Rule(
        "service-token",
        (
            *("dop_v1_", "doo_v1_", "dor_v1_", "dapi", "shpat_", "shpca_", "shppa_", "shpss_", "hvs.", "hvb."),
            *(
                "lin_api_",
                "dckr_pat_",
                "sntrys_",
                "sntryu_",
                "atatt3x",
                "glsa_",
                "figd_",
                "pmak-",
                "rubygems_",
                "nrak-",
            ),
        ),
        r"(?<![A-Za-z0-9])(do[opr]_v1_[a-f0-9]{64}|dapi[a-f0-9]{32}"
        r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|hv[sb]\.[\w-]{24,300}|lin_api_[A-Za-z0-9]{40}|dckr_pat_[\w-]{27}"
        r"|sntry[su]_[\w+/=]{40,512}|ATATT3x[\w=-]{100,300}|glsa_\w{41}|figd_[\w-]{40}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}"
        r"|rubygems_[a-f0-9]{48}|NRAK-[A-Z0-9]{27})",
    ),
    Rule(
        "jwt",
        ("eyj",),
        rf"{_EDGE}(eyJ[A-Za-z0-9_-]{{14,}}+(?:\.[A-Za-z0-9_-]{{2,}}+){{2}}(?:\.[A-Za-z0-9_-]{{2,}}+){{0,2}})",
    ),
    Rule(
        "authorization",
        ("authorization",),
        r"(?i)authorization\\?[\"']?[ \t]{0,8}[:=][ \t]{0,8}\\?[\"']?(?:bearer|basic|token|bot|apikey)[ \t]{1,8}"
        r"([^\s\"'\\,;<>{}$\[\]]{6,8192})",
        "header",
    ),
    Rule("bearer-token", ("bearer ",), r"(?i)\bbearer[ ]{1,4}([A-Za-z0-9._~+/=-]{16,8192})", "bearer"),
    Rule(
        "url-password",
        ("://",),
        r"://[^\s/:@\"'<>\\]{0,128}:([^\s/\"'<>\\]{1,512})@(?=[A-Za-z0-9\[])",
        "literal",
        "@",
    ),
    Rule(
        "curl-password",
        ("curl ",),
        r"\bcurl [^\n|;]{0,256}?(?:-u|--user)[ =]{0,4}[\"']?[^\s:\"'@/]{1,64}:([^\s\"']{1,256})",
        "literal",
        "-u",
    ),
    Rule(
        "netrc-password",
        ("machine ",),
        r"machine\s{1,8}\S{1,256}\s{1,8}login\s{1,8}\S{1,256}\s{1,8}password\s{1,8}(\S{1,256})",
        "literal",
        "password",
    ),
    Rule(
        "registry-auth",
        ('"auth', "_auth"),
        r"(?:\"auth\\?\"|(?<![A-Za-z0-9])_auth)[ \t]{0,8}[:=][ \t]{0,8}\\?\"?([A-Za-z0-9+/]{16,512}={0,2})",
        "header",
    ),
    Rule(
        "secret",
        ("token ", "secret ", "key ", "password ", "passphrase "),
        rf"(?i)--(?:[a-z]{{1,20}}-){{0,3}}(?:{_PASSWORD}|{_SECRET})[ ]{{1,4}}[\"']?([^\s\"'`-][^\s\"'`]{{3,8192}}+)",
        "option",
        "--",
    ),
    Rule("password", PASSWORD_MARKERS, f"(?i){_PASSWORD}{_TAIL}{_GIVES}{_VALUE}", "password-value"),
    Rule("secret", SECRET_MARKERS, f"(?i){_SECRET}{_TAIL}{_GIVES}{_VALUE}", "secret-value"),
)
