"""The docstrings of fnet as reStructuredText, for the reference.

A line that begins with ``name: `` says what an argument is: it becomes an item of a list, with the lines that follow.
Code stands between single backticks where it is a name, between double ones where it is a formula.
"""

from __future__ import annotations

import re

ITEM = re.compile(r"([a-z_]\w*(?:, \w+)*(?:\([^()]*\))?)(?: -> [^:]*)?: ")
PARAGRAPH = re.compile(r"(?:Raises|Returns|Source|Params|State)\b")
CODE = re.compile(r"``.+?``|(?<![`\w])`[^`]+`(?!`)", re.DOTALL)


def restructured(lines: list[str], public: set[str]) -> list[str]:
    """The lines of a docstring as lines of reStructuredText. A name that is `public` in ``fnet`` becomes a link."""
    made: list[str] = []
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
            continue
        if paragraph:
            example = paragraph[0].lstrip().startswith(">>>")
            made += paragraph if example else _marked(_listed(paragraph), public)
            made.append("")
            paragraph = []
    return made


def _listed(paragraph: list[str]) -> list[str]:
    """The lines with those of each argument as an item of a list."""
    if paragraph[0].startswith(" "):  # a formula or code, set off by its indent
        return ["::", "", *("    " + line for line in paragraph)]
    made: list[str] = []
    within = False
    for line in paragraph:
        if ITEM.match(line):
            made += [*([] if within else [""]), f"- {line}"]
            within = True
        elif PARAGRAPH.match(line):
            made += ["", line]
            within = False
        else:
            made.append(f"  {line.strip()}" if within else line.strip())
    return made


def _marked(lines: list[str], public: set[str]) -> list[str]:
    """The lines with code in the marks of reStructuredText, and stars in the text that are no marks."""
    if lines[0] == "::":
        return lines
    text, made, end = "\n".join(lines), "", 0
    for found in CODE.finditer(text):
        code = re.sub(r"\s*\n\s*", " ", found[0]).strip("`")
        word = code.removeprefix("fnet.")
        made += text[end : found.start()].replace("*", r"\*")
        link = found[0][1] != "`" and word in public
        made += f":py:obj:`~fnet.{word}`" if link else f"``{code}``"
        end = found.end()
        if end < len(text) and text[end].isalnum():
            made += "\\ "  # as in `ArraySpec`s
    return (made + text[end:].replace("*", r"\*")).split("\n")
