"""Words of a Dockerfile line: quotes, escapes and $variables, as Docker's own small shell does it.

Used by `import -c` and `commit -c` (changes.py), off the start path; pure text, touches nothing.

    split('A=b C="d e"')              → ['A=b', 'C="d e"']      quotes stay, they only hold together
    expand('"$HOME/x"', {"HOME": "/root"}) → '/root/x'          quotes go, variables are filled in
    strings('["sh", "-c"]')           → ['sh', '-c'], or None when it is not a JSON list of strings

Source: moby/buildkit frontend/dockerfile/shell/lex.go, parser/line_parsers.go.
"""

from __future__ import annotations

from runtime import documents
from runtime.errors import Invalid


def split(text: str) -> list[str]:
    """The words of a line, apart at white space outside quotes."""
    words: list[str] = []
    word, quote, escaped = "", "", False
    for letter in text.strip():
        if not quote and not escaped and letter.isspace():
            words += [word] if word else []
            word = ""
            continue
        word += letter
        if escaped:
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
    return [*words, word] if word else words


def strings(text: str) -> list[str] | None:
    """The strings of a JSON list, or None: then Docker takes the text for a shell's."""
    if not text.startswith("["):
        return None
    try:
        value = documents.parse(text)
    except ValueError:
        return None
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return None


def expand(word: str, environment: dict[str, str]) -> str:
    """The word without its quotes, its variables filled in. Raises Invalid."""
    return _Lexer(word, environment).read("")


class _Lexer:
    """A word being read, letter by letter."""

    def __init__(self, text: str, environment: dict[str, str]) -> None:
        self.text, self.environment, self.at = text, environment, 0

    def next(self) -> str:
        self.at += 1
        return self.text[self.at - 1:self.at]

    def read(self, end: str) -> str:
        """Everything up to the letter `end`, which is passed over ("": the text's end)."""
        result = ""
        while letter := self.next():
            if letter == end:
                return result
            if letter == "'":
                result += self._quoted()
            elif letter == '"':
                result += self._double_quoted()
            elif letter == "$":
                result += self._variable()
            elif letter == "\\":
                result += self.next()
            else:
                result += letter
        if end:
            raise Invalid(f'failed to process "{self.text}": syntax error: missing \'{end}\'')
        return result

    def _quoted(self) -> str:
        end = self.text.find("'", self.at)
        if end < 0:
            raise self._unterminated()
        content, self.at = self.text[self.at:end], end + 1
        return content

    def _double_quoted(self) -> str:
        result = ""
        while letter := self.next():
            if letter == '"':
                return result
            if letter == "$":
                result += self._variable()
            elif letter == "\\":
                following = self.next()
                result += following if following in ('"', "$", "\\") else "\\" + following
            else:
                result += letter
        raise self._unterminated()

    def _unterminated(self) -> Invalid:
        return Invalid(f'failed to process "{self.text}": unexpected end of statement '
                       "while looking for matching quote")

    def _variable(self) -> str:
        """$NAME, ${NAME}, ${NAME:-word}, ${NAME:+word}; a lone $ is itself."""
        braces = self.text[self.at:self.at + 1] == "{"
        self.at += braces
        start = self.at
        while self.at < len(self.text) and _is_name(self.text[start:self.at + 1]):
            self.at += 1
        name = self.text[start:self.at]
        value = self.environment.get(name, "")
        if not braces:
            return value if name else "$"
        letter = self.next()
        if letter == "}" and name:
            return value
        operation = letter + self.next()
        if name and operation in (":-", ":+"):
            other = self.read("}")
            return (other if value else "") if operation == ":+" else (value or other)
        raise Invalid(f'failed to process "{self.text}": unsupported modifier '
                      f"({operation}) in substitution")


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()
