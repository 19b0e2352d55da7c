"""The syntax of CIF: blocks of names with values, and tables of them."""

import re

from .io import short

#: What stands for a value that is not told.
NULLS = (".", "?", "")

_TOKEN = re.compile(
    r"""^;(?P<text>(?s:.*?))^;  # else the text has no end
      | \#[^\n]*
      | '(?P<single>[^\n]*?)'(?=\s|\Z)
      | "(?P<double>[^\n]*?)"(?=\s|\Z)
      | (?P<open>['"][^\n]*)  # a quote that the line does not close
      | (?P<plain>\S+)""",
    re.VERBOSE | re.MULTILINE,
)
_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d*\)?)?")


class Block:
    """Values and columns of a block by name; names are in small letters, with underscores only."""

    def __init__(self, title):
        self.title = title
        self.values = {}
        self.broken = {}  # reason why a name cannot be used

    def describes_a_crystal(self):
        """Whether there is a cell, or sites."""
        return self.has_prefix("cell_length_a", "atom_site_fract", "atom_site_label")

    def has_prefix(self, *prefixes):
        """Whether a name begins with one of `prefixes`."""
        return any(name.startswith(prefixes) for name in (*self.values, *self.broken))

    def column(self, name):
        """Return the list of values of a name, or None."""
        if name in self.broken:
            raise ValueError(self.broken[name])
        value = self.values.get(name)
        return [value] if isinstance(value, str) else value

    def first(self, names):
        """Return the first column that is there and tells something, or None."""
        for name in names:
            column = self.column(name)
            if column is not None and any(value not in NULLS for value in column):
                return column
        return None

    def one(self, name):
        """Return the one value of a name, or None if it is not told."""
        column = self.column(name)
        if column is None or (len(column) == 1 and column[0] in NULLS):
            return None
        if len(column) != 1:
            raise ValueError(f"_{name} has {len(column)} values; one is expected.")
        return column[0]

    def name(self, names):
        """Return the first of several names that is told, or None."""
        return next((value for name in names if (value := self.one(name)) is not None), None)

    def integer(self, names):
        """Return the first of several names that is told as an integer, or None."""
        value = self.name(names)
        number = None if value is None else self.value(value, f"_{names[0]}")
        if number is not None and number != int(number):
            raise ValueError(f"_{names[0]} must be an integer, got {value!r}.")
        return None if number is None else int(number)

    def number(self, name, default=None):
        """Return the number of a name, or a default; ValueError if there is neither."""
        return self.value(self.one(name), f"_{name}", default)

    def value(self, text, what, default=None):
        """Convert a value to a number; what stands in brackets after it is its uncertainty."""
        if text is None or text in NULLS:
            if default is None:
                raise ValueError(f"{what} is missing.")
            return default
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ValueError(f"{what} must be a number, got {short(text)}.")
        return float(match[1])

    def set(self, name, value):
        """Keep a value; a second one that differs makes the name useless."""
        if name in self.values and self.values[name] != value:
            self.broken[name] = f"_{name} is given twice: {short(self.values[name])} and "
            self.broken[name] += f"{short(value)}."
        self.values[name] = value


def cif_blocks(text):
    """Split a text into its blocks. What is not CIF makes only the names around it useless."""
    block, blocks = Block(""), []
    tokens = _tokens(text)
    position = 0
    while position < len(tokens):
        kind, word = tokens[position]
        position += 1
        if kind == "word" and word.lower().startswith("data_"):
            block = Block(word[5:])
            blocks.append(block)
        elif kind == "word" and word.lower() == "loop_":
            position = _read_loop(tokens, position, block)
        elif kind == "name":
            position = _read_value(tokens, position, block, word)
    return blocks if blocks or not block.values else [block]


def _tokens(text):
    """Split a text into pairs of ``name``, ``word`` (a keyword) or ``value``, and the text."""
    text = re.sub(r"\r\n?", "\n", text)
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "plain":
            word = match[0]
            lower = word.lower()
            if word.startswith("_") and len(word) > 1:
                name = lower[1:]
                if not (name.isascii() and name.isidentifier()):
                    name = re.sub(r"[^a-z0-9]", "_", name)
                found.append(("name", name.rstrip("_")))
            elif lower == "loop_" or lower.startswith(("data_", "save_")) or lower == "global_":
                found.append(("word", word))
            else:
                found.append(("value", word))
        elif kind is not None:
            found.append(("value", match[kind].strip()))
    return found


def _read_value(tokens, position, block, name):
    """Read the value of a name; more than one, or none, makes it useless."""
    values = _run(tokens, position, "value")
    if len(values) == 1:
        block.set(name, values[0])
    elif not values:
        block.broken[name] = f"_{name} has no value."
    else:
        block.broken[name] = (
            f"_{name} is followed by {len(values)} values, {short(values)}; put quotes around a "
            "value with blanks."
        )
    return position + len(values)


def _read_loop(tokens, position, block):
    """Read a table, row by row, into columns."""
    names = _run(tokens, position, "name")
    values = _run(tokens, position + len(names), "value")
    for column, name in enumerate(names):
        if len(values) % len(names):
            block.broken[name] = (
                f"its table of _{names[0]} has {len(names)} columns and {len(values)} values, so "
                "a value is missing or too many."
            )
        else:
            block.set(name, values[column :: len(names)])
    return position + len(names) + len(values)


def _run(tokens, position, kind):
    """Return the words of one kind from a position on."""
    end = position
    while end < len(tokens) and tokens[end][0] == kind:
        end += 1
    return [word for _, word in tokens[position:end]]
