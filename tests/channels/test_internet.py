"""Which addresses of strangers are called."""

import pytest

from opsapp.channels import internet


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1%25a.eth]/",  # an address in the dress of a name
        "https://[fe80::1%25br.lan]/",
        "https://[::1%a.eth]/x",
        "https://[v1.abc]/",
        "https://127.0.0.1%2Fa.com/",
        "https://127.0.0.1\\.a.com/",
        "https://127.1;.a/",
        "https://a.com%00.b.com/",
        "https://%31%32%37.0.0.%31.com",
        "https://user@shop.example.com/",
        "https://shop.example.com:22/",
        "https://localhost/",
        "http://shop.example.com/",
    ],
)
def test_what_is_not_plainly_a_name_of_the_internet_is_not_called(url):
    assert not internet.is_callable(url)


def test_plain_names_are():
    for url in (
        "https://shop.example.com/hooks?a=1",
        "https://xn--hy1b40n.kr:443/",
        "https://a-b.co",
    ):
        assert internet.is_callable(url)


@pytest.mark.parametrize(
    "address",
    ["fec0::1", "fe80::1%1", "::1", "::7f00:1", "::ffff:7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1",
     "2002:7f00:1::", "fd00::1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1"],
)  # fmt: skip
def test_an_internal_address_is_none_of_the_internet_in_any_form(address):
    assert not internet.is_public(address)
