"""One registry of everything a key does: the bindings, the key line and the help come from here.

A screen binds the actions that name it; `action_<name>` on the screen is what happens. The first
ones of a screen are the ones that its key line shows; `rank` says which go first when the line is
too short for all. Keys are Textual's names.
  Action("r", "run", "run", "run the command line of this step, for real", ("lesson",))
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

from lab.glyphs import G
from lab.widgets.line import Line, Span, line, width_of


@dataclass(frozen=True, slots=True)
class Action:
    """A key (or several, with commas), the action's name, a word for the key line, and help."""

    key: str
    name: str
    label: str
    help: str
    screens: tuple[str, ...]
    shown: str = ""
    rank: int = 5

    @property
    def sign(self) -> str:
        """The key as the key line shows it."""
        return self.shown or self.key.split(",")[0]


ALL = (
    # home
    Action("enter", "open", "open", "open the lesson under the cursor", ("home",), rank=1),
    Action("c", "go_on", "continue", "go on where you were", ("home",), rank=1),
    Action("f", "free", "free lab", "any container, every pane", ("home",), rank=2),
    Action("s", "slow", "slow motion", "a container's start, one operation at a time", ("home",),
           rank=2),
    Action("d", "doctor", "doctor", "what this host can do, and what it cannot", ("home",), rank=2),
    Action("a", "ablation", "ablation", "leave a part of a container out, and see what turns red",
           ("home",), rank=3),
    Action("up,k", "up", "", "up", ("home", "doctor", "ablation", "films", "difference"),
           "↑"),
    Action("down,j", "down", "", "down", ("home", "doctor", "ablation", "films", "difference"),
           "↓"),
    Action("up,k", "up", "", "the container above; zoomed, the value above", ("free",), "↑"),
    Action("down,j", "down", "", "the container below; zoomed, the value below", ("free",), "↓"),
    Action("left", "left", "", "the track before", ("home",), "←"),
    Action("right", "right", "", "the next track", ("home",), "→"),
    Action("up,k", "up", "", "the answer above; without a question, the value above",
           ("lesson",), "↑"),
    Action("down,j", "down", "", "the answer below; without a question, the value below",
           ("lesson",), "↓"),
    Action("left", "left", "", "less sure; without a question, the pane before", ("lesson",), "←"),
    Action("right", "right", "", "surer; without a question, the next pane", ("lesson",), "→"),
    # lesson
    Action("enter", "lock", "lock", "lock your answer", ("lesson",), rank=6),
    Action("r", "run", "run", "run the command line of this step, for real", ("lesson",), rank=1),
    Action("s", "slow_motion", "slow motion", "the start of this step, held before each call",
           ("lesson",), rank=1),
    Action("n", "next", "next", "the next step", ("lesson",), rank=1),
    Action("b", "back", "back", "the step before", ("lesson",), rank=6),
    Action("h", "hint", "hint", "the next hint; they cost nothing", ("lesson",), rank=3),
    # both
    Action("tab", "next_pane", "pane", "the next pane", ("lesson", "free"), rank=4),
    Action("shift+tab", "previous_pane", "", "the pane before", ("lesson", "free"), "S-tab"),
    Action("1,2,3,4,5,6,7", "digit", "", "choose an answer, or else a pane", ("lesson", "free"),
           "1-7"),
    Action("f", "ask_filter", "", "ask the container's seccomp filter about a system call",
           ("lesson", "free")),
    Action("z", "zoom", "zoom", "one pane on the whole screen, and back", ("lesson", "free"),
           rank=3),
    Action("e", "shell", "shell", "a shell on the host; docker is this program there",
           ("lesson", "free"), rank=2),
    Action("E", "shell_inside", "", "a shell inside the container shown (docker exec -it)",
           ("lesson", "free")),
    Action("y", "proof", "proof", "copy the shell line that proves the value under the cursor",
           ("lesson", "free"), rank=4),
    Action("w", "why", "why", "why the container died: kernel, shim and docker",
           ("lesson", "free"), rank=4),
    Action("pageup", "text_up", "", "scroll the text up", ("lesson",), "PgUp"),
    Action("pagedown", "text_down", "", "scroll the text down", ("lesson",), "PgDn"),
    Action("pageup", "text_up", "", "scroll up what the last line said", ("free",), "PgUp"),
    Action("pagedown", "text_down", "", "scroll it down", ("free",), "PgDn"),
    Action("left_square_bracket", "previous_container", "", "the container before", ("lesson",),
           "["),
    Action("right_square_bracket", "next_container", "", "the next container", ("lesson",), "]"),
    Action("x", "reset", "reset", "reset the lesson; says first what it will destroy",
           ("lesson",), rank=5),
    # free
    Action("n", "new", "new", "run a docker line", ("free",), rank=1),
    Action("s", "stop", "stop", "docker stop: TERM, ten seconds, KILL", ("free",), rank=2),
    Action("K", "kill", "kill", "docker kill: KILL at once", ("free",), rank=2),
    Action("p", "pause", "pause", "docker pause, and unpause", ("free",), rank=2),
    Action("d", "remove", "remove", "docker rm -f, after asking", ("free",), rank=3),
    Action("slash", "filter", "filter", "show only containers whose name holds this",
           ("free",), "/", rank=3),
    # ablation
    Action("space", "leave_out", "leave out", "leave the part out, or put it back", ("ablation",),
           rank=1),
    Action("r,enter", "start", "start", "start a full container and one without, and compare",
           ("ablation",), rank=1),
    Action("U", "unsafe", "unsafe", "allow what could harm this host, or not", ("ablation",),
           rank=3),
    Action("tab", "next_side", "table", "over the table, and back to the parts", ("ablation",),
           rank=2),
    Action("y", "proof", "proof", "copy the line that tries the row under the cursor",
           ("ablation",), rank=4),
    Action("pageup", "text_up", "", "scroll the table up", ("ablation",), "PgUp"),
    Action("pagedown", "text_down", "", "scroll it down", ("ablation",), "PgDn"),
    # slow motion
    Action("enter", "open", "open", "step through the new start, or play the film under the cursor",
           ("films",), rank=1),
    Action("n", "type", "another line", "type the docker run line of a new start", ("films",),
           rank=2),
    Action("space", "mark", "mark", "mark a film; enter on another lays the two side by side",
           ("films",), rank=2),
    Action("space", "unfold", "all rows", "show the rows that are the same as well, or not",
           ("difference",), rank=1),
    Action("space,right", "step", "step", "let the operation happen that is held; in the "
           "past, the one after", ("slow",), rank=1),
    Action("b,left,up,k", "back", "back", "the operation before, and how the kernel stood then",
           ("slow",), rank=2),
    Action("down,j", "forward", "", "the one after, as far as the film goes", ("slow",), "↓"),
    Action("p", "phase", "phase", "on to the next phase", ("slow",), rank=2),
    Action("colon", "break_at", "break at", "go on to an operation, phase or function; or a number",
           ("slow",), ":", rank=3),
    Action("c", "go_on", "go on", "to the next breakpoint, or until the program runs", ("slow",),
           rank=4),
    Action("u", "source", "source", "our code that makes it, and back", ("slow",), rank=3),
    Action("m", "manual", "manual", "copy the command that shows the manual page", ("slow",),
           rank=5),
    Action("y", "shell_line", "shell line", "copy the line of a shell with the same effect",
           ("slow",), rank=5),
    Action("home", "first", "", "the first operation", ("slow",), "Home"),
    Action("end", "last", "", "the last operation; the one that is held", ("slow",), "End"),
    Action("pageup", "text_up", "", "scroll the code up", ("slow",), "PgUp"),
    Action("pagedown", "text_down", "", "scroll the code down", ("slow",), "PgDn"),
    Action("m", "film", "film", "the film of its start, one operation at a time",
           ("lesson", "free"), rank=6),
    # everywhere
    Action("question_mark", "help", "help", "this page",
           ("home", "lesson", "free", "doctor", "ablation", "films", "slow", "difference"), "?",
           rank=1),
    Action("t", "theme", "", "dark or light",
           ("home", "lesson", "free", "doctor", "ablation", "films", "slow", "difference")),
    Action("escape,q", "leave", "back", "back",
           ("lesson", "free", "doctor", "ablation", "help", "films", "slow", "difference"), "q",
           rank=2),
    Action("q", "leave", "leave", "leave the lab; containers stay", ("home",), rank=2),
)


# While a line is typed, its keys are letters.
TYPING = line(Span(" enter", "key"), Span(" takes it ", "dim"), Span(G.dot, "rule"),
              Span(" esc", "key"), Span(" back to the keys", "dim"))


def for_screen(screen: str) -> tuple[Action, ...]:
    """The actions of a screen, in the order of the registry."""
    return tuple(action for action in ALL if screen in action.screens)


def bindings(screen: str) -> list[BindingType]:
    """Textual's bindings for a screen; digits pass their number on."""
    made: list[BindingType] = []
    for action in for_screen(screen):
        for key in action.key.split(","):
            target = f"digit({key})" if action.name == "digit" else action.name
            made.append(Binding(key, target, action.help, show=False,
                                priority=key in ("tab", "shift+tab")))
    return made


def key_line(screen: str, width: int, without: frozenset[str] = frozenset()) -> Line:
    """The last line of a screen: the keys that matter, as many as fit, in the registry's order."""
    chosen = [action for action in for_screen(screen)
              if action.label and action.name not in without]
    while chosen:
        made = _spans(chosen)
        if width_of(made) <= width:
            return Line(tuple(made))
        chosen.remove(max(reversed(chosen), key=lambda action: action.rank))
    return line(Span(" ? help", "dim"))


def _spans(actions: list[Action]) -> list[Span]:
    spans = [Span(" ", "dim")]
    for number, action in enumerate(actions):
        if number:
            spans.append(Span(f" {G.dot} ", "rule"))
        spans += [Span(action.sign, "key"), Span(f" {action.label}", "dim")]
    return spans
