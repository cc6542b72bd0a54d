from __future__ import annotations

import pytest

from runtime.errors import Invalid
from runtime.image.reference import parse

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(("text", "familiar", "domain"), [
    ("ubuntu", "ubuntu:latest", "docker.io"),
    ("lab/base", "lab/base:latest", "docker.io"),
    ("docker.io/library/ubuntu:24.04", "ubuntu:24.04", "docker.io"),
    ("index.docker.io/lab/base", "lab/base:latest", "docker.io"),
    ("localhost/tea", "localhost/tea:latest", "localhost"),
    ("localhost:5000/a/b:1", "localhost:5000/a/b:1", "localhost:5000"),
    ("registry.example.org/tea", "registry.example.org/tea:latest", "registry.example.org"),
    ("a__b/c.d/e---f", "a__b/c.d/e---f:latest", "docker.io"),
    (f"tea@sha256:{HEX}", f"tea@sha256:{HEX}", "docker.io"),
    (f"tea:1@sha256:{HEX}", f"tea:1@sha256:{HEX}", "docker.io"),
    ("tea:" + "v" * 128, "tea:" + "v" * 128, "docker.io"),
])
def test_what_a_name_means(text: str, familiar: str, domain: str) -> None:
    reference = parse(text).with_tag()
    assert (str(reference), reference.domain) == (familiar, domain)


@pytest.mark.parametrize(("text", "message"), [
    ("UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"),
    ("lab/Tea:1", "invalid reference format: repository name (lab/Tea) must be lowercase"),
    ("bad name", "invalid reference format"), ("", "invalid reference format"),
    (":tag", "invalid reference format"), ("tea:", "invalid reference format"),
    ("tea:-x", "invalid reference format"), ("tea:" + "v" * 129, "invalid reference format"),
    ("a..b", "invalid reference format"), ("a___b", "invalid reference format"),
    ("-a", "invalid reference format"), ("a/", "invalid reference format"),
    ("/a", "invalid reference format"), ("a//b", "invalid reference format"),
    ("../../etc", "invalid reference format"), ("tea@sha256:12", "invalid reference format"),
    ("tëa", "invalid reference format"), ("localhost:port/tea", "invalid reference format"),
    ("a" * 256, "repository name must not be more than 255 characters"),
    (HEX, f"invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings"),
])
def test_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert str(caught.value) == message
