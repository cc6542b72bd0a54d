"""The command line of runc: its options, and what is wrong with those given.

Runs first in every command of container-lab-oci. A table says what each command takes, in words
that are quick to read: "bundle,b=" is --bundle TEXT, also -b; "#" a number, "*" text again and
again, "%" numbers, and without a mark it is a switch. One dash is as good as two, and an option may
stand behind the arguments, except where what follows is somebody else's command line.
Source: `runc VERB --help` of 1.1 and 1.3; Go's package flag, urfave/cli.
"""

from __future__ import annotations

from runtime.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Options = dict[str, Any]

GLOBAL = "debug log= log-format= root= criu= systemd-cgroup rootless= help,h version,v"
CREATE = ("bundle,b= console-socket= pidfd-socket= pid-file= no-pivot no-new-keyring "
          "preserve-fds#")
# command → (options, fewest and most arguments)
COMMANDS: dict[str, tuple[str, int, int]] = {
    "checkpoint": ("image-path= work-path= parent-path= leave-running tcp-established "
                   "tcp-skip-in-flight link-remap ext-unix-sk shell-job lazy-pages status-fd# "
                   "page-server= file-locks pre-dump manage-cgroups-mode= empty-ns* auto-dedup",
                   1, 1),
    "create": (CREATE, 1, 1),
    "delete": ("force,f", 1, 1),
    "events": ("interval= stats", 1, 1),
    "exec": ("console-socket= pidfd-socket= cwd= env,e* tty,t user,u= additional-gids,g% "
             "process,p= detach,d pid-file= process-label= apparmor= no-new-privs cap,c* "
             "preserve-fds# cgroup* ignore-paused", 1, 1 << 30),
    "features": ("", 0, 0),
    "kill": ("all,a", 1, 2),
    "list": ("format,f= quiet,q", 0, 0),
    "pause": ("", 1, 1),
    "ps": ("format,f=", 1, 1 << 30),
    "restore": ("console-socket= image-path= work-path= tcp-established ext-unix-sk shell-job "
                "file-locks manage-cgroups-mode= bundle,b= detach,d pid-file= no-subreaper "
                "no-pivot empty-ns* auto-dedup lazy-pages lsm-profile= lsm-mount-context=", 1, 1),
    "resume": ("", 1, 1),
    "run": (f"{CREATE} detach,d keep no-subreaper", 1, 1),
    "spec": ("bundle,b= rootless", 0, 0),
    "start": ("", 1, 1),
    "state": ("", 1, 1),
    "update": ("resources,r= blkio-weight# cpu-period= cpu-quota= cpu-burst= cpu-share= "
               "cpu-rt-period= cpu-rt-runtime= cpu-idle= cpuset-cpus= cpuset-mems= memory= "
               "memory-reservation= memory-swap= kernel-memory= kernel-memory-tcp= pids-limit= "
               "l3-cache-schema= mem-bw-schema=", 1, 1),
}
# Here the first argument ends the options: the rest is a command line, or ps's.
PASS_ON = ("exec", "ps")


class Usage(Invalid):
    """The command line makes no sense: said with the help of the command, as runc does."""


def known(table: str) -> dict[str, tuple[str, str]]:
    """Every name, long or short → (long name, mark)."""
    found = {}
    for word in table.split():
        mark = word[-1] if word[-1] in "=#*%" else ""
        names = word.rstrip("=#*%").split(",")
        for name in names:
            found[name] = (names[0], mark)
    return found


def parse(table: str, words: list[str], stop: bool) -> tuple[Options, list[str]]:
    """(options by their long names, arguments). With `stop` the first argument ends the options.

    Raises Usage in the words of Go's flag package.
    """
    names, options, arguments = known(table), {}, []  # type: ignore[var-annotated]
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments += rest
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            if stop:
                arguments += rest
                break
            continue
        given, equals, value = word.lstrip("-").partition("=")
        if given not in names:
            if given in ("help", "h"):
                return {"help": True}, []
            raise Usage(f"flag provided but not defined: -{given}")
        name, mark = names[given]
        if mark and not equals:
            if not rest:
                raise Usage(f"flag needs an argument: -{given}")
            value = rest.pop(0)
        take(options, name, mark, value if mark or equals else "true", given)
    return options, arguments


def take(options: Options, name: str, mark: str, value: str, given: str) -> None:
    """One option, as its mark says."""
    if not mark:
        if value.lower() not in ("true", "false", "1", "0", "t", "f"):
            raise Usage(f'invalid boolean value "{value}" for -{given}: parse error')
        options[name] = value.lower() in ("true", "1", "t")
    elif mark == "=":
        options[name] = value
    elif mark == "*":
        options.setdefault(name, []).append(value)
    elif mark == "#":
        options[name] = number(value, given)
    else:
        options.setdefault(name, []).append(number(value, given))


def number(text: str, given: str) -> int:
    """A whole number, as Go reads one."""
    try:
        return int(text, 0)
    except ValueError:
        raise Usage(f'invalid value "{text}" for flag -{given}: parse error') from None


def check_count(program: str, verb: str, arguments: list[str]) -> None:
    """Are there as many arguments as the command takes? Raises Usage in runc's words."""
    _, fewest, most = COMMANDS[verb]
    if fewest == most and len(arguments) != fewest:
        raise Usage(f'{program}: "{verb}" requires exactly {fewest} argument(s)')
    if len(arguments) < fewest:
        raise Usage(f'{program}: "{verb}" requires a minimum of {fewest} argument(s)')
    if len(arguments) > most:
        raise Usage(f'{program}: "{verb}" requires a maximum of {most} argument(s)')
