"""The pages of --help, in the shape of runc's: what each command is for, and each of its options.

Read only when somebody asks. Which options there are is options.py's; here is what they mean, and
a test compares both with what runc itself lists. Source: runc(8) and its `--help`.
"""

from __future__ import annotations

from runtime.oci import state
from runtime.oci.options import COMMANDS, GLOBAL

VERSION = "0.1.0"
NOT_BUILT = "refused: it needs CRIU"
# command → (what it does, arguments, a sentence more)
ABOUT = {
    "checkpoint": ("checkpoint a running container", "<container-id>", "Refused: it needs CRIU."),
    "create": ("create a container", "<container-id>",
               "Everything is made and its process waits: start lets the program begin."),
    "delete": ("delete any resources held by the container", "<container-id>",
               "A stopped or created container is taken away, with --force any."),
    "events": ("display container events such as OOM notifications, cpu and memory statistics",
               "<container-id>", "By default the statistics come every 5 seconds."),
    "exec": ("execute new process inside the container",
             "<container-id> <command> [command options]  || -p process.json <container-id>", ""),
    "features": ("show the enabled features", "", "The output is JSON: features.md of the "
                 "specification says what each word means."),
    "kill": ("kill sends the specified signal (default: SIGTERM) to the container's init process",
             "<container-id> [signal]", ""),
    "list": ("lists containers started by this program with the given root", "", ""),
    "pause": ("pause suspends all processes inside the container", "<container-id>", ""),
    "ps": ("ps displays the processes running inside a container", "<container-id> [ps options]",
           ""),
    "restore": ("restore a container from a previous checkpoint", "<container-id>",
                "Refused: it needs CRIU."),
    "resume": ("resumes all processes that have been previously paused", "<container-id>", ""),
    "run": ("create and run a container", "<container-id>", "create and start in one."),
    "spec": ("create a new specification file", "", "Writes config.json, to begin with."),
    "start": ("executes the user defined process in a created container", "<container-id>", ""),
    "state": ("output the state of a container", "<container-id>", ""),
    "update": ("update container resource constraints", "<container-id>",
               "What is not named stays as it is."),
}
MEANING = {
    "additional-gids": "additional gids", "all": "signal every process of the container",
    "apparmor": "the AppArmor profile of the process",
    "blkio-weight": "weight of its block IO, 10 to 1000",
    "bundle": "path to the bundle directory (default: the current one)",
    "cap": "add a capability to the process",
    "cgroup": "run in a group below the container's: [<controller>:]<path>",
    "console-socket": "unix socket that gets the master of the terminal",
    "cpu-burst": "unused quota that may be saved up (usecs)", "cpu-idle": "1: only when idle",
    "cpu-period": "period of the quota (usecs)", "cpu-quota": "CPU time in each period (usecs)",
    "cpu-rt-period": "period of the realtime runtime (usecs)",
    "cpu-rt-runtime": "realtime CPU time in each period (usecs)",
    "cpu-share": "weight of its CPU time", "cpuset-cpus": "CPUs to use",
    "cpuset-mems": "memory nodes to use", "cwd": "working directory in the container",
    "debug": "say every operation", "detach": "do not wait for the process",
    "env": "set environment variables", "force": "also if it runs (SIGKILL), or is not there",
    "format": "table or json (default: table)", "help": "show help",
    "ignore-paused": "also into a paused container",
    "interval": "time between statistics (default: 5s)",
    "keep": "do not delete the container after it exits",
    "kernel-memory": "refused: the kernel has no such limit",
    "kernel-memory-tcp": "refused: the kernel has no such limit",
    "l3-cache-schema": "refused: Intel RDT", "mem-bw-schema": "refused: Intel RDT",
    "log": "file to write errors to (default: stderr)",
    "log-format": "text or json (default: text)", "memory": "memory limit (bytes, or 20M)",
    "memory-reservation": "memory that is left to it when there is little",
    "memory-swap": "memory and swap together; -1: no limit",
    "no-new-keyring": "keep the caller's session keyring",
    "no-new-privs": "set no_new_privs for the process",
    "no-pivot": "move the root instead of pivot_root, on a ramdisk",
    "no-subreaper": "leave orphans to the host's init", "pid-file": "write the process id there",
    "pidfd-socket": "unix socket that gets a pidfd of the process",
    "pids-limit": "most processes in the container",
    "preserve-fds": "pass on N descriptors behind stdio and LISTEN_FDS",
    "process": "process.json: what to start", "process-label": "the SELinux label of the process",
    "quiet": "only the ids", "resources": "file with the limits as JSON, - is stdin",
    "root": "directory of the state (default: /run/container-lab-oci)",
    "criu": "path to criu; checkpoint and restore are refused",
    "rootless": "true, false or auto: bear with groups that may not be made",
    "stats": "print the statistics once", "systemd-cgroup": "refused: groups are not systemd's",
    "tty": "give it a terminal", "user": "<uid>[:<gid>]", "version": "print the version",
}
SPECIAL = {("spec", "rootless"): "for a container without root"}


def version(program: str) -> str:
    """As runc prints it; containerd takes the line of the specification."""
    return f"{program} version {VERSION}\nspec: {state.VERSION}\n"


def page(program: str, verb: str) -> str:
    """The page of a command, or of the program."""
    if not verb:
        return front_page(program)
    what, arguments, more = ABOUT[verb]
    options = option_lines(COMMANDS[verb][0], verb)
    usage = f"{program} {verb} {'[command options] ' if options else ''}{arguments}".rstrip()
    parts = [f"NAME:\n   {program} {verb} - {what}\n", f"USAGE:\n   {usage}\n"]
    if more:
        parts.append(f"DESCRIPTION:\n   {more}\n")
    if options:
        parts.append(f"OPTIONS:\n{options}   \n")
    return "\n".join(parts)


def front_page(program: str) -> str:
    """All commands, and the options that stand before them."""
    commands = "".join(f"   {verb:<11} {about[0]}\n" for verb, about in sorted(ABOUT.items()))
    return "\n".join((
        f"NAME:\n   {program} - Open Container Initiative runtime\n",
        f"{program} runs a bundle: a directory with config.json and a root file system. This one is"
        "\nwritten to be read: runtime/oci/ of container-lab.\n",
        f"USAGE:\n   {program} [global options] command [command options] [arguments...]\n",
        f"COMMANDS:\n{commands}   help, h     Shows a list of commands or help for one command\n",
        f"GLOBAL OPTIONS:\n{option_lines(GLOBAL, '')}"))


def option_lines(table: str, verb: str) -> str:
    """A line an option: "   --bundle value, -b value  path to …"."""
    rows = []
    for word in table.split():
        value = " value" if word[-1] in "=#*%" else ""
        names = [f"{'--' if len(name) > 1 else '-'}{name}{value}"
                 for name in word.rstrip("=#*%").split(",")]
        name = word.rstrip("=#*%").split(",")[0]
        meaning = SPECIAL.get((verb, name)) or MEANING.get(name, NOT_BUILT)
        rows.append((", ".join(names), meaning))
    width = max((len(left) for left, _ in rows), default=0)
    return "".join(f"   {left:<{width}}  {right}\n" for left, right in rows)
