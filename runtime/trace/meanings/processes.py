"""The meanings of what a process does to itself and to others: sessions, names, execve, terminals.

Text only; see meaning.py for the shape. Here as in kernel/processes.py, terminals.py, commands.py,
programs.py. Sources: setsid(2), execve(2), prctl(2), close_range(2), keyrings(7), pty(7), bpf(2).
"""

from __future__ import annotations

from runtime.trace.meanings.meaning import Meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.trace.meanings.meaning import Cases

CASES: Cases = {
    "setsid": (
        Meaning(
            "Begins a session of its own, without a terminal.",
            "A signal to the terminal of whoever typed the command, such as ^C, must not reach "
            "the container."),
    ),
    "join_session_keyring": (
        Meaning(
            "Begins a keyring of its own: the kernel's place for keys and passwords.",
            "Keyrings have no namespace. Without this the container would have the caller's."),
    ),
    "execve": (
        Meaning(
            "Becomes the program. The memory of this process is replaced; its namespaces, root, "
            "limits and rights stay, and are the container.",
            "Last. If it succeeds nothing of ours is left to say so: our socket ends, and that is "
            "how the shim hears of it.",
            "Why not fork first?  The program would not be pid 1, and would not get the signals."),
    ),
    "close_range_on_exec": (
        Meaning(
            "Marks every descriptor but stdin, stdout and stderr to be closed by execve.",
            "Shortly before it: whatever was left open, and by whom, must not reach the program "
            "(CVE-2024-21626).",
            "Why not close them now?  Two are still needed: the shim's socket and this one."),
    ),
    "set_child_subreaper": (
        Meaning(
            "Makes this process the parent of orphans below it.",
            "So that the shim hears of every process that ends, and nobody becomes a zombie."),
    ),
    "set_name": (
        Meaning("Sets the name that ps shows.", "So that one can tell the shim from the program."),
    ),
    "pidfd_send_signal": (
        Meaning(
            "Sends a signal to the process behind a descriptor.",
            "A pid can be another's by now; a descriptor of a process cannot."),
    ),
    "open_pty": (
        Meaning(
            "Opens a pseudo terminal: the container gets one end, the shim the other.",
            "In the container's own devpts, so that its name is found inside as well."),
    ),
    "set_controlling_terminal": (
        Meaning(
            "Makes it the terminal of this session.",
            "From here on ^C typed at it is a signal for the program."),
    ),
    "set_window_size": (
        Meaning("Tells the terminal how large the window is.",
                "Before the program starts, which asks for it."),
    ),
    "run_program": (
        Meaning(
            "Runs a hook: a program that config.json names, with the state on its stdin.",
            "At the moment its kind stands for; if it fails, so does the start."),
    ),
    "run": (
        Meaning(
            "Runs another OCI runtime by its command line, to its end.",
            "What `--runtime` does to the kernel it does itself, and we cannot hold it."),
    ),
    "begin": (
        Meaning(
            "Runs another OCI runtime by its command line, and goes on meanwhile.",
            "What `--runtime` does to the kernel it does itself, and we cannot hold it."),
    ),
    "replace": (
        Meaning(
            "Replaces the state file as a whole.",
            "Whoever reads it finds the old state or the new one, never half of one."),
    ),
    "personality": (
        Meaning(
            "Sets which kind of Unix this process is told it runs on.",
            "For programs of 32 bits, which ask uname what they may expect."),
    ),
    "sched_setattr": (
        Meaning(
            "Sets how this process is scheduled: in turn, in real time, when idle.",
            "Before the capabilities go: real time takes CAP_SYS_NICE."),
    ),
    "ioprio_set": (
        Meaning(
            "Sets this process's place in the queue of the disk.",
            "Inherited by all that it starts; before the capabilities go."),
    ),
    "sched_setaffinity": (
        Meaning(
            "Sets on which CPUs this process may run.",
            "Inside what its cpuset leaves it, so after joining the group."),
    ),
    "load_device_program": (
        Meaning(
            "Hands the kernel a small program that decides which devices may be opened.",
            "Version 2 has no devices file: the rules are compiled.",
            "Why not a file as in v1?  One check at the place of use covers every way to open."),
    ),
    "attach_device_program": (
        Meaning(
            "Attaches the device program to the control group.",
            "While the group is empty; it holds for whatever is born in it."),
    ),
}
