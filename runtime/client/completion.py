"""completion: the script for a shell, and the answers it asks for.

The script only calls `container-lab __complete WORDS…`, which reads the same tables as parsing and
help, and asks the engine for names. Each answer is a line, "word<TAB>what it is"; a last line ":0"
lets the shell add file names, ":4" forbids it (cobra's protocol, which the docker command speaks).
"""

from __future__ import annotations

from runtime.client import commands, overview
from runtime.client.options import ClientError, Command
from runtime.engine.ablation import PARTS
from runtime.errors import LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.client.options import Options
    from runtime.client.session import Session

    Answers = list[tuple[str, str]]

SIGNALS = ("HUP", "INT", "KILL", "QUIT", "STOP", "TERM", "USR1", "USR2")
VALUES = {"network": ("none", "host"), "signal": SIGNALS, "stop-signal": SIGNALS,
          "pull": ("missing", "never"), "attach": ("stdin", "stdout", "stderr"),
          "type": ("container", "image"), "security-opt": ("no-new-privileges", "seccomp="),
          "without": tuple(PARTS)}
# Which containers a command can be about; all, if it is not here.
STATES = {"start": ("created", "exited"), "unpause": ("paused",),
          **dict.fromkeys(("exec", "stop", "kill", "pause", "attach", "top", "stats",
                           "probe"), ("running",))}
ON_CONTAINERS = ("start", "attach", "stop", "kill", "pause", "unpause", "restart", "rm", "wait",
                 "exec", "logs", "top", "stats", "why", "operations", "probe",
                 "inspect", "container inspect")
FILES, NO_FILES = ":0", ":4"

BASH = """# bash completion of PROGRAM
_PROGRAM_complete() {
    local line words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=()
    while IFS=$'\\t' read -r line _; do
        case $line in
            :0) [ ${#COMPREPLY[@]} = 0 ] && compopt -o default ;;
            :*) ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _PROGRAM_complete PROGRAM
"""
ZSH = """#compdef PROGRAM
# zsh completion of PROGRAM
_PROGRAM() {
    local line; local -a found
    for line in "${(@f)$(${words[1]} __complete -- ${words[2,CURRENT]} 2>/dev/null)}"; do
        case $line in
            :0) (( ${#found} )) || _files ;;
            :*) ;;
            *) found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
        esac
    done
    (( ${#found} )) && _describe 'PROGRAM' found
}
compdef _PROGRAM PROGRAM
"""
FISH = """# fish completion of PROGRAM
function __PROGRAM_complete
    set -l words (commandline -opc)
    set -l found ($words[1] __complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) = 1; and test "$found[1]" = ":0"
        __fish_complete_path (commandline -ct)
    end
    for line in $found
        string match -q -- ':*' $line; or echo $line
    end
end
complete -c PROGRAM -f -a '(__PROGRAM_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion(session: Session, given: Options, words: list[str]) -> int:
    """`completion bash|zsh|fish`: a script for `source`."""
    if words[0] not in SCRIPTS:
        raise ClientError(f"no completion for {words[0]} (there is one for bash, fish and zsh)")
    session.say(SCRIPTS[words[0]].replace("PROGRAM", session.program), end="")
    return 0


def complete(session: Session, given: Options, words: list[str]) -> int:
    """`__complete -- WORDS…`: what the last word could become."""
    answers, files = candidates(session, words[:-1], words[-1] if words else "")
    for word, told in answers:
        session.say(f"{word}\t{told}" if told else word)
    session.say(FILES if files else NO_FILES)
    return 0


def candidates(session: Session, before: list[str], prefix: str) -> tuple[Answers, bool]:
    """The words that begin with prefix, and whether file names may be added."""
    while before and before[0].startswith("--root"):
        session.root = before[0].partition("=")[2] or (before[1:2] or [""])[0]
        before = before[1 if "=" in before[0] else 2:]
    if not before:
        return _starting(_names(), prefix), False
    name, rest = before[0], before[1:]
    if name in commands.GROUPS:
        group = commands.GROUPS[name][1]
        if not rest:
            listed = {word: target for word, target in group.items()
                      if word not in commands.SECOND_NAMES}
            return _starting([(word, _short(target)) for word, target in listed.items()],
                             prefix), False
        name, rest = group.get(rest[0], ""), rest[1:]
    command = commands.find(name)
    if command is None:
        return [], False
    return _of_command(session, name, command, rest, prefix)


def _names() -> Answers:
    names = [(name, _short(name)) for name in commands.FAMILIES
             if " " not in name and not name.startswith("_")]
    groups = [(name, title) for name, (title, _) in commands.GROUPS.items()]
    return sorted(names + groups + overview.OTHERS + [("help", "Help about a command")])


def _short(name: str) -> str:
    return getattr(commands.find(name), "short", "")


def _starting(answers: Answers, prefix: str) -> Answers:
    return [answer for answer in answers if answer[0].startswith(prefix)]


def _of_command(session: Session, name: str, command: Command, rest: list[str],
                prefix: str) -> tuple[Answers, bool]:
    flags = {f"--{flag[0]}": flag for flag in command.flags if flag[3]}
    flags |= {f"-{flag[1]}": flag for flag in command.flags if flag[1] and flag[3]}
    waiting = flags.get(rest[-1]) if rest else None
    if waiting is not None and waiting[2] != "bool":
        values = VALUES.get(waiting[0], ())
        return _starting([(value, "") for value in values], prefix), not values
    typed = _words(flags, rest)
    if prefix.startswith("-") and not (command.words_follow and typed):
        long = [(word, flag[4].split("\n")[0].strip("<>")) for word, flag in flags.items()
                if word.startswith("--")]
        return _starting([*long, ("--help", "Print usage")], prefix), False
    return _of_words(session, name, typed, prefix)


def _words(flags: dict[str, tuple[str, str, str, bool | None, str]], rest: list[str]) -> list[str]:
    """The words that are neither flags nor values of flags."""
    words: list[str] = []
    takes_value = False
    for word in rest:
        if takes_value:
            takes_value = False
        elif word.startswith("-") and not words:
            takes_value = word in flags and flags[word][2] != "bool"
        else:
            words.append(word)
    return words


def _of_words(session: Session, name: str, typed: list[str], prefix: str) -> tuple[Answers, bool]:
    try:
        if name in ("run", "create", "images", "image inspect") and not typed:
            return _starting(_images(session), prefix), False
        single = name in ("exec", "logs", "top", "why", "operations", "attach", "probe")
        if name in ON_CONTAINERS and not (single and typed):
            return _starting(_containers(session, STATES.get(name, ())), prefix), False
    except (LabError, OSError):
        # No engine to ask, as without root: the shell has nothing to offer, and says nothing.
        return [], False
    if name == "completion":
        return _starting([(shell, "") for shell in SCRIPTS], prefix), False
    return [], True


def _containers(session: Session, states: tuple[str, ...]) -> Answers:
    return [(container.name, container.status) for container in session.engine.containers()
            if not states or container.status in states]


def _images(session: Session) -> Answers:
    return [(name.removesuffix(":latest"), "image") for image in session.engine.images.images()
            for name in image.names]


COMMANDS = {
    "completion": Command(completion, "bash|zsh|fish", "Print the completion script of a shell",
                          least=1, most=1,
                          long="  bash   source <(container-lab completion bash)\n"
                               "  zsh    source <(container-lab completion zsh)\n"
                               "  fish   container-lab completion fish | source"),
    "__complete": Command(complete, "WORDS...", "Answer a shell's completion", (),
                          words_follow=True),
}
