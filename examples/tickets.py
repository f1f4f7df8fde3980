"""Three inputs, two outputs: sort tickets to a department and find the urgent ones.

    python examples/tickets.py

The functional API's tutorial model: a title and a body (words) and tags go in, a priority and a department come out.
The tickets are real text that everybody has, the documentation of Python's standard library:

    title       the name of a function, method or class (without its module), in words: "send header"
    body        its documentation
    tags        what sort of object it is
    department  to which of four families its module belongs: the network guesses it from the words
    priority    1 where the documentation speaks of errors or of what must be: a rule that the network is not told

Words are counted from 1, 0 fills up short texts: with `mask_zero` the LSTMs skip it. Result on tickets held out: at
least 60 % of the departments (the most frequent one is right for less than 40 %) and 90 % of the priorities (83 %).
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import fnet
from fnet import Input, losses, random
from fnet.layers import LSTM, Dense, Dropout, Embedding, concatenate

DEPARTMENTS = {
    "text": "string textwrap difflib gettext codecs configparser csv json shlex email.message html.parser",
    "files": "os shutil pathlib glob fnmatch tempfile zipfile tarfile gzip bz2 lzma io filecmp fileinput",
    "network": "socket ssl selectors http.client http.server http.cookies urllib.request smtplib ftplib poplib imaplib "
    "socketserver ipaddress xmlrpc.client",
    "numbers": "math cmath statistics random fractions decimal numbers datetime calendar operator heapq itertools",
}
TAGS = ("class", "exception", "method", "compiled", "has a long text", "has an example")
URGENT = {"raise", "raises", "raised", "error", "errors", "must", "fail", "fails", "warning"}
TITLE_WORDS, BODY_WORDS, VOCABULARY = 6, 50, 2000


class Ticket(NamedTuple):
    """A ticket and what is to be said of it."""

    title: list[str]
    body: list[str]
    tags: list[bool]
    department: int
    priority: bool


def objects(module: Any) -> Iterator[tuple[str, Any, bool]]:
    """Name and value of the public functions and classes of a module and of their methods, and whether it is one."""
    for name, value in vars(module).items():
        if name.startswith("_") or not callable(value):
            continue
        yield name, value, False
        if inspect.isclass(value):
            yield from ((n, v, True) for n, v in vars(value).items() if n[0] != "_" and callable(v))


def tickets() -> list[Ticket]:
    """Every documentation once, in the department in which it comes first."""
    found: dict[str, Ticket] = {}
    for department, modules in enumerate(DEPARTMENTS.values()):
        for name, value, is_method in (o for m in modules.split() for o in objects(importlib.import_module(m))):
            text = inspect.getdoc(value) or ""
            title = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
            body = re.findall(r"[a-z]+", text.lower())[:BODY_WORDS]
            if len(body) < 6 or text in found:
                continue
            is_class = inspect.isclass(value)
            is_error = is_class and issubclass(value, BaseException)
            compiled = not hasattr(value, "__code__") and not is_class
            tags = [is_class, is_error, is_method, compiled, len(text) > 300, ">>>" in text]
            found[text] = Ticket([w.lower() for w in title], body, tags, department, bool(URGENT & set(body)))
    return list(found.values())


def numbers(texts: Sequence[list[str]], vocabulary: dict[str, int], length: int) -> np.ndarray:
    """Words as numbers, (N, length): 1 for an unknown one, 0 after the end."""
    rows = np.zeros((len(texts), length), np.int32)
    for row, words in zip(rows, texts, strict=True):
        known = [vocabulary.get(word, 1) for word in words[:length]]
        row[: len(known)] = known
    return rows


def network() -> fnet.Layer:
    """The graph of the tutorial: {title, body, tags} -> {priority, department}, both logits."""
    title = Input((TITLE_WORDS,), dtype="int32", name="title")
    body = Input((BODY_WORDS,), dtype="int32", name="body")
    tags = Input((len(TAGS),), name="tags")
    title_features = LSTM(128)(Dropout(0.3)(Embedding(VOCABULARY, 64, mask_zero=True)(title)))
    body_features = LSTM(32)(Dropout(0.3)(Embedding(VOCABULARY, 64, mask_zero=True)(body)))
    features = Dropout(0.3)(concatenate([title_features, body_features, tags]))
    outputs = {"priority": Dense(1, name="priority"), "department": Dense(len(DEPARTMENTS), name="department")}
    inputs = {"title": title, "body": body, "tags": tags}
    return fnet.graph(inputs, {name: layer(features) for name, layer in outputs.items()})


def main() -> None:
    """Make the tickets, train on 80 % of them, judge the rest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    everything = tickets()
    order = random.permutation(random.key(0), len(everything))
    split = len(order) * 4 // 5
    counts = Counter(word for i in order[:split] for word in everything[i].title + everything[i].body)
    vocabulary = {word: i for i, (word, _) in enumerate(counts.most_common(VOCABULARY - 2), start=2)}

    def data(chosen: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        title, body, tags, department, priority = zip(*(everything[i] for i in chosen), strict=True)
        x = {
            "title": numbers(title, vocabulary, TITLE_WORDS),
            "body": numbers(body, vocabulary, BODY_WORDS),
            "tags": np.array(tags, np.float32),
        }
        return x, {"priority": np.array(priority, np.float32)[:, None], "department": np.array(department)}

    (x, y), (x_test, y_test) = data(order[:split]), data(order[split:])
    trainer = fnet.Trainer(
        network(),
        loss={
            "priority": losses.BinaryCrossentropy(from_logits=True),
            "department": losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"priority": 1.0, "department": 0.5},
        metrics={"department": "accuracy"},
        optimizer=fnet.optimizers.adam(3e-3),
    )
    ts = trainer.init(random.key(1), shape={name: leaf.shape[1:] for name, leaf in x.items()})
    ts, _ = trainer.fit(*fnet.to_device((ts, x, y), device), batch_size=32, epochs=8)

    answers = fnet.to_host(trainer.predict(ts, fnet.to_device(x_test, device)))
    urgent, department = answers["priority"] > 0, answers["department"].argmax(axis=-1)
    for i in range(5):
        ticket, guess = everything[order[split + i]], list(DEPARTMENTS)[department[i]]
        print(f"  {' '.join(ticket.title):24} -> {guess:8} {'urgent' if urgent[i, 0] else ''}")
    most = max(Counter(y_test["department"].tolist()).values()) / len(department)
    calm = 1 - y_test["priority"].mean()
    right, right_priority = np.mean(department == y_test["department"]), np.mean(urgent == y_test["priority"])
    print(
        f"{len(department)} tickets: department {right:.3f} right (most frequent {most:.3f}), "
        f"priority {right_priority:.3f} right (never urgent {calm:.3f})"
    )
    assert right >= 0.6 > 1.5 * most
    assert right_priority >= max(0.9, calm + 0.03)


if __name__ == "__main__":
    main()
