"""Errors named by what happens next, so that a caller decides by type and a person by message.

No error here carries a secret: messages name the connection, the object and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class KeyrailError(Exception):
    """Base of every error that Keyrail raises on purpose; its text is fit to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in the workspace file: where it is, what was expected, what may have been meant."""

    file: str
    line: int
    key: str
    message: str
    nearest: str | None = None
    severity: str = "error"

    def __str__(self) -> str:
        hint = f" Did you mean '{self.nearest}'?" if self.nearest else ""
        at = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{at}: {self.key}: " if self.key else f"{at}: "
        return f"{where}{self.message}{hint}"


class ConfigError(KeyrailError):
    """Refuse to start: the operator must change the file, a setting or the environment. Exit code 2."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class UsageError(KeyrailError):
    """The command was asked for something that does not exist or is ambiguous. Exit code 2."""


class LockedError(KeyrailError):
    """Another process holds the connection's lock; the message says which."""


class TransientError(KeyrailError):
    """Try again later, nothing was lost."""


class RateLimitedError(TransientError):
    """The vendor asked us to wait until `until` (UTC)."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class VendorUnavailableError(TransientError):
    """The vendor did not answer, or answered 5xx, after all retries.

    `reached` is False where no connection came about, so that the vendor cannot have done what it was asked.
    """

    def __init__(self, message: str, *, reached: bool = True) -> None:
        super().__init__(message)
        self.reached = reached


class PermanentError(KeyrailError):
    """Trying again will not help."""


class AuthError(PermanentError):
    """The vendor refused our credentials. Exit code 3."""


class NotFoundError(PermanentError):
    """The object does not exist, or is not visible to our account: vendors do not tell the two apart."""


class RejectedError(PermanentError):
    """The vendor understood the request and refused it (400, 403 on an object, 409, 422)."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class PayloadError(KeyrailError):
    """A payload cannot be read: park it, go on with the others."""


class SignatureError(KeyrailError):
    """A webhook's signature is missing or wrong: 401, store nothing."""


class StaleDeliveryError(KeyrailError):
    """A webhook is genuine but was not sent just now: 200, drop the body, read again what it names."""


class StorageError(KeyrailError):
    """The database cannot be used: full disk, newer schema, no permission."""


class NewerSchemaError(StorageError):
    """The database was upgraded by a newer Keyrail: waiting does not help."""


def is_lasting(error: KeyrailError) -> bool:
    """Tell whether running again ends the same way until a person mends something: file, credentials, permissions."""
    return isinstance(error, PermanentError | ConfigError | UsageError)
