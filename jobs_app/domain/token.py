"""What a bearer token looks like: a prefix that scanners know, 38 random characters, a checksum of six."""

import hashlib
import secrets
import string
import zlib

PREFIX = "hf_"
ALPHABET = string.digits + string.ascii_letters
RANDOM_LENGTH = 38  # 38 characters of 62 are 226 bits
CHECKSUM_LENGTH = 6


def generate() -> str:
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return f"{PREFIX}{body}{_checksum(body)}"


def is_wellformed(token: str) -> bool:
    """A typo or a foreign token is told apart without asking the database."""
    body = token.removeprefix(PREFIX)[:-CHECKSUM_LENGTH]
    return (
        token.isascii()
        and token.startswith(PREFIX)
        and len(body) == RANDOM_LENGTH
        and secrets.compare_digest(token[-CHECKSUM_LENGTH:], _checksum(body))
    )


def digest(token: str) -> str:
    """What is stored: a plain hash is enough for a secret of this strength."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    number, characters = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, index = divmod(number, len(ALPHABET))
        characters = ALPHABET[index] + characters
    return characters
