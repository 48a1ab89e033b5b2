"""Which provider serves which hosts, by the providers' own sources."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from .records import Record

_SHOWN_LENGTH = 160
#: Scheme, authority and the rest (RFC 3986, appendix B), and an authority that is a host, with a port or without.
_PARTS = r"(?s)((?:[^:/?#]*:)?//)?([^/?#]*)(.*)"
_HOST = r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?"


class Registry(Record):
    """A kind of package registry."""

    name: str  #: What its users call it.
    hosts: tuple[str, ...]  #: A service is at one of them or below it; where it begins with a dot, only below it.
    distribution: str  #: The provider to install.
    username: str  #: The user name that the provider answers for.
    others: tuple[str, ...] = ()  #: Other distributions that serve the same hosts.
    pattern: str = ".*"  #: What a host must match besides.
    #: The provider's major versions that answer nothing but URLs, by their sources: no service without a netloc has an
    #: answer, set_password and delete_password are not implemented.
    only_urls: tuple[str, ...] = ()
    login: str = ""  #: What logs in there on a terminal, and in CI.


REGISTRIES = (
    # artifacts-keyring 1.0.0, artifacts_keyring/__init__.py; artifacts-keyring-nofuss 1.3.3, _constants.py;
    # keyrings.artifacts 1.0.2, keyrings_artifacts/artifacts.py
    Registry(
        "Azure Artifacts",
        ("pkgs.dev.azure.com", "pkgs.visualstudio.com", "pkgs.codedev.ms", "pkgs.vsts.me"),
        "artifacts-keyring",
        "VssSessionToken",
        ("artifacts-keyring-nofuss", "keyrings.artifacts"),
        only_urls=("0", "1"),
        login="answer its prompt on a terminal, or 'az login' for artifacts-keyring-nofuss; in CI set "
        "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS, and ARTIFACTS_KEYRING_NONINTERACTIVE_MODE=true",
    ),
    # keyrings.google-artifactregistry-auth 1.1.2, keyrings/gauth.py
    Registry(
        "Google Artifact Registry",
        (".pkg.dev",),
        "keyrings.google-artifactregistry-auth",
        "oauth2accesstoken",
        only_urls=("0", "1"),
        login="'gcloud auth login' or 'gcloud auth application-default login'; in CI a service account, whose file "
        "GOOGLE_APPLICATION_CREDENTIALS names",
    ),
    # keyrings.codeartifact 2.1.2, keyrings/codeartifact.py, HOST_REGEX; keyrings.aws-codeartifact-auth 0.0.2,
    # keyrings/aws.py
    Registry(
        "AWS CodeArtifact",
        (".amazonaws.com",),
        "keyrings.codeartifact",
        "aws",
        ("keyrings.aws-codeartifact-auth",),
        r".+-\d{12}\.d\.codeartifact\.[^.]+\.amazonaws\.com",
        only_urls=("1", "2"),
        login="'aws sso login' or 'aws configure'; in CI a role (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE) or a key "
        "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",
    ),
    # cloudsmith-keyring 0.2.6, keyrings/cloudsmith/urls.py and backend.py
    Registry(
        "Cloudsmith",
        ("dl.cloudsmith.io", "python.cloudsmith.io"),
        "cloudsmith-keyring",
        "token",
        login="'cloudsmith auth --owner OWNER'; in CI a token in the client's own settings: the provider takes none",
    ),
    # keyrings.chainguard-libraries 0.2.0, keyrings/chainctl_auth.py
    Registry(
        "Chainguard Libraries",
        (".cgr.dev",),
        "keyrings.chainguard-libraries",
        "_token",
        login="'chainctl auth login'; in CI 'chainctl auth login --identity-token TOKEN'",
    ),
    # pyx-keyring 0.1.0, keyrings/pyx_keyring.py
    Registry(
        "pyx",
        ("api.pyx.dev", "files.astralhosted.com"),
        "pyx-keyring",
        "__token__",
        login="'uv auth login pyx.dev'; in CI set PYX_API_KEY",
    ),
)


def normalised(distribution: str) -> str:
    """Return a distribution's normalised name (PEP 503)."""
    return "-".join(filter(None, distribution.lower().replace("_", "-").replace(".", "-").split("-")))


def host_of(service: object) -> str:
    """Return the host of a URL, or of ``host[:port]``, in lower case, or ""."""
    if not isinstance(service, str):
        return ""
    try:
        host = urlsplit(service if is_url(service) else f"//{service}").hostname
    except ValueError:
        return ""
    return (host or "").rstrip(".")


def is_at(service: object, hosts: Iterable[str]) -> bool:
    """Tell whether a service is at one of the hosts, given by name or pattern."""
    host = host_of(service)
    return bool(host) and any(fnmatch.fnmatchcase(host, pattern.lower().rstrip(".")) for pattern in hosts)


def shown(service: object, *, whole: bool = False) -> str:
    """Return a service as one line, not too long but if it is to be whole, and without what may be secret in a URL."""
    text = str(service)
    scheme, authority, rest = re.match(_PARTS, text).groups("")  # type: ignore[union-attr]
    host = authority not in ("", "http:", "https:") and re.fullmatch(_HOST, authority)
    if scheme and (host or "@" in authority):
        # what looks like a port may begin a password that holds a slash: nothing tells them apart
        rest = authority.rpartition("@")[2] + rest
    else:  # no URL, or a mistyped one: the last "@" may end a password
        start, separator, rest = text.partition("://")
        scheme, rest = (start + separator, rest) if separator else ("", start)
        before, at, after = rest.rpartition("@")
        rest = after if at and (":" in before or "/" not in before) else rest
    text = scheme + re.split("[?#]", rest)[0]
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if whole or len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 3] + "..."


def is_url(service: object) -> bool:
    """Tell whether a service is a URL with a host, as the providers tell it."""
    try:
        return isinstance(service, str) and bool(urlsplit(service).netloc)
    except ValueError:
        return True  # let the provider say what it makes of it


def registry_of(service: object) -> Registry | None:
    """Return the registry that a service is at, if it is a known one."""
    host = host_of(service)
    for registry in REGISTRIES:
        below = tuple("." + name.lstrip(".") for name in registry.hosts)
        if (host in registry.hosts or host.endswith(below)) and re.fullmatch(registry.pattern, host):
            return registry
    return None


def may_answer(distribution: str, version: str, service: object) -> bool:
    """Tell whether a provider, by its normalised name (PEP 503), may answer for a service; if in doubt, it may."""
    mine = [registry for registry in REGISTRIES if serves(registry, distribution)]
    there = registry_of(service)
    if not mine or is_url(service):
        return not mine or there is None or there in mine
    major = version.partition(".")[0]
    if any(normalised(one.distribution) == distribution and major in one.only_urls for one in mine):
        return False
    return there in mine or (there is None and "." in host_of(service))  # all of them go by the host


def serves(registry: Registry, distribution: str) -> bool:
    """Tell whether a distribution, by its normalised name, is a provider for a registry."""
    return distribution in map(normalised, (registry.distribution, *registry.others))
