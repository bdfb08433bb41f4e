"""The shape of an address that may itself be a secret: of a webhook, or of a tool of the operator's own.

Whether anything answers there is not asked here.
"""

from __future__ import annotations

from typing import Any

from config.connections import url_problem
from config.nodes import Node, Scalar
from config.notes import BAD, Notes, Schema, at
from config.scalars import SecretRef, Text
from domain.workspace import Secret

ADDRESS_REFERENCE = SecretRef()


class Address:
    """An https address or a reference to one: the address itself may be the secret."""

    expected = 'an https address, "${env:NAME}" or "${file:PATH}"'

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        if isinstance(node, Scalar) and "${" in node.text:
            secret = ADDRESS_REFERENCE.read(node, path, notes)
            return _called(secret, node, path, notes) if isinstance(secret, Secret) else BAD
        text = Text(self.expected).read(node, path, notes)
        if isinstance(text, str) and (problem := url_problem(text)):
            notes.error(at(node, path), problem)
            return BAD
        return text

    def schema(self) -> Schema:
        return {"type": "string", "pattern": r"^(https?://.+|\$\{(env|file):[^{}]+\})$"}


def _called(secret: Secret, node: Node, path: str, notes: Notes) -> Any:
    """Refuse a secret address that cannot be called, without showing it."""
    if secret.missing:
        return secret
    if problem := url_problem(secret.reveal()):
        notes.error(at(node, path), f"The value of {secret.source} is no address to call. {_without_host(problem)}")
        return BAD
    return secret


def _without_host(problem: str) -> str:
    return "Expected https." if problem.startswith("Expected https") else problem
