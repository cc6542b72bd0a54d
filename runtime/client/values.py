"""The values of flags: "48m" is 50331648 bytes, "0.5" is 500000000 billionths of a CPU.

Runs in every command that has flags, so it imports nothing. A kind of flag is a row of KINDS:
the word that help shows, whether the flag may be repeated, and the function that reads the text,
which raises Invalid with Docker's words. Sources: Go's strconv, docker/go-units, docker/cli opts.
"""

from __future__ import annotations

from runtime.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")
INT64 = 1 << 63


def quoted(text: str) -> str:
    """The text as Go's %q prints it, for what people type."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def boolean(text: str) -> bool:
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise Invalid(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")


def integer(text: str) -> int:
    """A whole number as Go's ParseInt with base 0 takes it (0x1f, 0o17, 1_000)."""
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
        text = text.replace(digits, "0o" + digits)
    try:
        value = int(text, 0) if text == text.strip() else int("not a number")
    except ValueError:
        raise Invalid(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax") from None
    if not -INT64 <= value < INT64:
        raise Invalid(f"strconv.ParseInt: parsing {quoted(text)}: value out of range")
    return value


def size(text: str) -> int:
    """Bytes: "48m" → 50331648; a k is 1024. Source: go-units RAMInBytes."""
    end = max(text.rfind(character) for character in "0123456789. ")
    if end == -1:
        raise Invalid(f"invalid size: '{text}'")
    number, suffix = text[:end + 1].rstrip(" "), text[end + 1:].lower()
    try:
        count = float(number)
    except ValueError:
        raise Invalid(f"strconv.ParseFloat: parsing {quoted(number)}: invalid syntax") from None
    if count < 0:
        raise Invalid(f"invalid size: '{text}'")
    if suffix in ("", "b"):
        return int(count)
    power = "kmgtp".find(suffix[0]) + 1
    if not power or suffix[1:] not in ("", "b", "ib"):
        raise Invalid(f"invalid suffix: '{suffix}'")
    return int(count * 1024 ** power)


def swap(text: str) -> int:
    """Like `size`, and -1 for as much as the host has."""
    return -1 if text == "-1" else size(text)


def cpus(text: str) -> int:
    """Billionths of a CPU: "0.5" → 500000000."""
    whole, _, fraction = text.partition(".")
    digits = whole.lstrip("+-") + fraction
    if not digits.isdigit() or len(whole) - len(whole.lstrip("+-")) > 1:
        try:
            return int(float(text) * 1e9) if "/" not in text else _ratio(text)
        except (ValueError, ZeroDivisionError, OverflowError):
            raise Invalid(f"failed to parse {text} as a rational number") from None
    if fraction[9:].strip("0"):
        raise Invalid("value is too precise")
    count = int(digits.ljust(len(whole.lstrip("+-")) + 9, "0")[:len(whole.lstrip("+-")) + 9])
    return -count if whole.startswith("-") else count


def _ratio(text: str) -> int:
    over, under = text.split("/")
    return int(over) * 1_000_000_000 // int(under)


def plain(text: str) -> str:
    return text


def key_value(text: str) -> str:
    """A filter: name=value."""
    if "=" not in text:
        raise Invalid("bad format of filter (expected name=value)")
    return text


def stream(text: str) -> str:
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise Invalid("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def variable(text: str) -> str:
    if text.startswith("=") or not text:
        raise Invalid(f"invalid environment variable: {text}")
    return text


def host_entry(text: str) -> str:
    """name:address, or name=address, for /etc/hosts; kept with the colon."""
    for separator in ("=", ":"):
        name, found, address = text.partition(separator)
        if found and name and address:
            return f"{name}:{address.strip('[]')}"
    raise Invalid(f"bad format for add-host: {quoted(text)}")


def address(text: str) -> str:
    """The address of a name server, IPv4 or IPv6."""
    import _socket

    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text.strip())
            return text.strip()
        except OSError:
            continue
    raise Invalid(f"IP address is not correctly formatted: {text}")


def mount(text: str) -> dict[str, Any]:
    """{"Type":"bind","Source":"/srv","Target":"/data","ReadOnly":true} of a --mount."""
    names = {"source": "Source", "src": "Source", "target": "Target", "dst": "Target",
             "destination": "Target", "type": "Type"}
    told: dict[str, Any] = {"Type": "volume"}
    for field in text.split(","):
        key, equals, value = field.partition("=")
        if key in ("readonly", "ro"):
            told["ReadOnly"] = boolean(value) if equals else True
        elif not equals:
            raise Invalid(f"invalid field '{field}' must be a key=value pair")
        elif key not in names:
            raise Invalid(f"unexpected key '{key}' in '{field}'")
        else:
            told[names[key]] = value.lower() if key == "type" else value
    if not told.get("Target"):
        raise Invalid("target is required")
    return told


ULIMITS = ("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
           "nproc", "rss", "rtprio", "rttime", "sigpending", "stack")


def rate(text: str) -> dict[str, Any]:
    """{"Path":"/dev/vda","Rate":1048576} of "/dev/vda:1mb"."""
    path, number = _device(text)
    try:
        return {"Path": path, "Rate": size(number)}
    except Invalid:
        raise Invalid(f"invalid rate for device: {text}. The correct format is "
                      "<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is "
                      "optional and can be kb, mb, or gb") from None


def count(text: str) -> dict[str, Any]:
    """{"Path":"/dev/vda","Rate":100} of "/dev/vda:100"."""
    path, number = _device(text)
    if not number.isdigit():
        raise Invalid(f"invalid rate for device: {text}. The correct format is "
                      "<device-path>:<number>. Number must be a positive integer")
    return {"Path": path, "Rate": int(number)}


def _device(text: str) -> tuple[str, str]:
    path, colon, number = text.partition(":")
    if not colon or not path:
        raise Invalid(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise Invalid(f"bad format for device path: {text}")
    return path, number


def ulimit(text: str) -> dict[str, Any]:
    """{"Name":"nofile","Soft":100,"Hard":200} of "nofile=100:200". Source: go-units ulimit.go."""
    name, equals, numbers = text.partition("=")
    if not equals:
        raise Invalid(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise Invalid(f"invalid ulimit type: {name}")
    soft_text, colon, hard_text = numbers.partition(":")
    if ":" in hard_text:
        raise Invalid(f"too many limit value arguments - {numbers}, can only have up to two, "
                      "`soft[:hard]`")
    soft = integer(soft_text)
    hard = integer(hard_text) if colon else soft
    if hard != -1 and (soft == -1 or soft > hard):
        raise Invalid("ulimit soft limit must be less than or equal to hard limit: "
                      f"{soft} > {hard}")
    return {"Name": name, "Soft": soft, "Hard": hard}


def setting(text: str) -> str:
    """A kernel parameter of a namespace the container has of its own: name=value."""
    name = text.partition("=")[0]
    own = ("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
           "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced")
    if "=" not in text or not (name in own or name.startswith(("net.", "fs.mqueue."))):
        raise Invalid(f"sysctl '{text}' is not allowed")
    return text


# The word in help, may it be repeated, and how its text is read.
KINDS: dict[str, tuple[str, bool, Callable[[str], Any]]] = {
    "bool": ("", False, boolean),
    "string": ("string", False, plain),
    "int": ("int", False, integer),
    "bytes": ("bytes", False, size),
    "swap": ("bytes", False, swap),
    "decimal": ("decimal", False, cpus),
    "list": ("list", True, plain),
    "env": ("list", True, variable),
    "stream": ("list", True, stream),
    "host": ("list", True, host_entry),
    "filter": ("filter", True, key_value),
    "ulimit": ("ulimit", True, ulimit),
    "rate": ("list", True, rate),
    "count": ("list", True, count),
    "sysctl": ("map", True, setting),
    "mount": ("mount", True, mount),
    "address": ("list", True, address),
    "network": ("network", True, plain),
}
