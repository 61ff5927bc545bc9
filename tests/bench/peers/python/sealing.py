"""What a table may hold without whoever copies it being able to read it: the key is the visitor's cookie."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12


def cipher(token):
    return AESGCM(HKDF(SHA256(), 32, None, b"seal of a session").derive(token.encode()))


def seal(token, key, text):
    nonce = os.urandom(NONCE)
    return nonce + cipher(token).encrypt(nonce, text, key.encode())


def unseal(token, key, sealed):
    return cipher(token).decrypt(sealed[:NONCE], sealed[NONCE:], key.encode())
