"""Where a catalog is, and as whom it is asked."""

from __future__ import annotations

import pytest

from catalog_gateway import AskError, Bearer, Catalog, Client
from catalog_gateway.catalog import body

NOBODY = Bearer("secret-token")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://tokens.example.com", "https://tokens.example.com/"),
        ("https://tokens.example.com/catalog", "https://tokens.example.com/catalog/"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
        ("http://localhost:8080", "http://localhost:8080/"),
    ],
)
def test_an_address_is_private(address: str, expected: str) -> None:
    with Catalog(address, NOBODY) as catalog:
        assert catalog.address == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "tokens.example.com",
        "http://tokens.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1@tokens.example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://alice:secret@tokens.example.com",
        "https://tokens.example.com?",
        "https://tokens.example.com/#",
        "https://tokens.example.com:port",
        "https://[::1",
    ],
)
def test_an_address_over_which_anybody_could_listen_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not the address of a catalog"):
        Catalog(address, NOBODY)


def test_credentials_show_their_secrets_nowhere() -> None:
    with Catalog("http://127.0.0.1:1", NOBODY) as catalog:
        said = [repr(NOBODY), repr(Client("edge", "secret-token")), repr(catalog)]
        with pytest.raises(AskError) as error, catalog.ask("GET", "revocations", seconds_max=1.0) as response:
            body(response, 1, 1.0)

    assert not any("secret-token" in text for text in [*said, str(error.value), repr(error.value)])
    assert "edge" in said[1]
