"""What the fuzzer found, and how it is shown."""

import traceback
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """An input, and what it does that it must not."""

    part: str
    what: str
    sample: str
    """The input as it can be sent again; long ones are cut in their middle."""
    where: str = ""

    def __str__(self) -> str:
        return f"[{self.part}] {self.what}\n    {self.sample}\n{self.where}".rstrip()


def shortened(text: str, most: int = 1500) -> str:
    """`text`, its middle left out where it is long."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} … {len(text) - most} characters … {text[-half:]}"


def described(error: BaseException) -> tuple[str, str]:
    """An error in one line, and the last places it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = "".join(
        f"    {frame.filename}:{frame.lineno} {frame.name}\n" for frame in frames
    ).rstrip()
    return f"{type(error).__name__}: {str(error)[:300]}", where
