"""A small transformer learns to write, character by character, like Python's manual.

    python examples/char_transformer.py
    python examples/char_transformer.py --steps 4000 --temperature 0.7

The text is the language reference that comes with Python (what ``help("lambda")`` shows, about 450000 characters); the
last tenth of it is held out. Two blocks of causal attention predict the next character at every position. The measure
is the perplexity: among how many equally likely characters the model hesitates. Result: less than 0.6 of that of a
bigram model (counted pairs of characters) on the text held out. Then the network writes, with the keys and values of
earlier positions kept in a cache. Source of the idea: A. Vaswani et al., Attention Is All You Need, NeurIPS 2017.
"""

from __future__ import annotations

import argparse
from pydoc_data.topics import topics
from typing import Any

import numpy as np

import fnet
from fnet import Layer, losses, named, optimizers, random, residual, schedules, serial
from fnet.layers import Dense, Embedding, LayerNormalization, MultiHeadAttention, PositionEmbedding
from fnet.layers.attention import decode_step, key_value_cache

LENGTH, BATCH, WIDTH, HEADS = 96, 16, 64, 4
CHARACTERS = [chr(i) for i in (10, *range(32, 127))]
EMBEDDING, OUTPUT = Embedding(len(CHARACTERS), WIDTH), serial(LayerNormalization(), Dense(len(CHARACTERS)))


def attention() -> Layer:
    """Look back."""
    return MultiHeadAttention(HEADS, WIDTH // HEADS, causal=True)


def thinking() -> Layer:
    """Think, added to what comes in."""
    return residual(serial(LayerNormalization(), Dense(4 * WIDTH, activation="gelu"), Dense(WIDTH)))


def block() -> Layer:
    """Look back, then think, each added to what comes in; of layers of its own, since the same ones share weights."""
    return serial(residual(serial(LayerNormalization(), attention())), thinking())


# Layers are values: they hold no parameters, so that writing below can use these for every block.
NORM, ATTENTION, THINKING = LayerNormalization(), attention(), thinking()
BLOCKS = ("block_0", "block_1")  # where their parameters are found
NET = serial(
    EMBEDDING,
    named("positions", residual(PositionEmbedding(LENGTH))),
    *(named(name, block()) for name in BLOCKS),
    named("output", OUTPUT),
)


def encoded(text: str) -> np.ndarray:
    """The text as numbers of CHARACTERS, without others."""
    number = {character: i for i, character in enumerate(CHARACTERS)}
    return np.array([number[c] for c in text if c in number], np.int32)


def mean_loss(params: Any, pieces: Any) -> Any:
    """The mean cross-entropy of every character but the first; pieces: (N, T + 1)."""
    logits, _ = NET.apply(params, {}, pieces[:, :-1], train=True)
    return losses.sparse_categorical_crossentropy(pieces[:, 1:], logits, from_logits=True)


def train(text: np.ndarray, steps: int, device: str) -> Any:
    """The parameters after so many steps on random pieces of the text, on a device."""
    optimizer = optimizers.adamw(schedules.warmup(schedules.cosine_decay(4e-3, steps), 50), weight_decay=0.01)

    @fnet.jit(donate=("params", "opt_state", "key"))
    def step(params: Any, opt_state: Any, key: Any, text: Any) -> tuple[Any, Any, Any, Any]:
        key, start_key = random.split(key)
        starts = random.randint(start_key, (BATCH, 1), 0, len(text) - LENGTH)
        loss, gradient = fnet.value_and_grad(mean_loss)(params, np.take(text, starts + np.arange(LENGTH + 1)))
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optimizers.apply_updates(params, updates), opt_state, key, loss

    params, _ = NET.init(random.key(0), (LENGTH,))
    params, opt_state, key = fnet.to_device((params, optimizer.init(params), random.key(1)), device)
    text = fnet.to_device(text, device)
    for done in range(100, steps + 1, 100):
        params, opt_state, key, loss = step.repeat(100, params, opt_state, key, text)
        if done % 500 == 0:
            print(f"step {done}: loss {float(loss):.3f}")
    return fnet.tree.map(np.array, fnet.to_host(params))


def perplexity_of_bigrams(text: np.ndarray, pieces: np.ndarray) -> float:
    """That of the frequencies of pairs in the text, each counted 0.1 times more than it occurs."""
    counts = np.full((len(CHARACTERS), len(CHARACTERS)), 0.1)
    np.add.at(counts, (text[:-1], text[1:]), 1)
    probabilities = counts / counts.sum(axis=1, keepdims=True)
    return float(np.exp(-np.log(probabilities[pieces[:, :-1], pieces[:, 1:]]).mean()))


@fnet.jit
def next_logits(params: Any, character: Any, position: Any, caches: Any) -> tuple[Any, Any]:
    """The scores (1, 1, C) of what follows one character (1, 1), and the caches with it: the network, step by step."""
    table = params["positions"]["position_embedding"]["position_embeddings"]
    x = EMBEDDING.apply(params["embedding"], {}, character)[0] + np.take(table, position, axis=0)
    new = {}
    for name in BLOCKS:
        looking = params[name]["residual"]["serial"]
        normal, _ = NORM.apply(looking["layer_normalization"], {}, x)
        seen, new[name] = decode_step(ATTENTION, looking["multi_head_attention"], normal, caches[name])
        x, _ = THINKING.apply(params[name]["residual_1"], {}, x + seen)
    return OUTPUT.apply(params["output"], {}, x)[0], new


def write(params: Any, prompt: str, temperature: float) -> tuple[str, np.ndarray]:
    """The prompt continued to LENGTH characters, and the scores after each of them."""
    caches = {n: key_value_cache(params[n]["residual"]["serial"]["multi_head_attention"], 1, LENGTH) for n in BLOCKS}
    written, keys = list(encoded(prompt)), random.split(random.key(2), LENGTH)
    scores: list[np.ndarray] = []
    for position in range(LENGTH):
        if position == len(written):
            written.append(int(random.categorical(keys[position], scores[-1] / temperature)))
        logits, caches = next_logits(params, np.array([[written[position]]]), np.array(position), caches)
        scores.append(np.array(logits[0, 0]))
    return "".join(CHARACTERS[i] for i in written), np.stack(scores)


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    options = parser.parse_args()

    text = encoded("\n".join(topics[name] for name in sorted(topics)))
    text, held_out = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    params = train(text, options.steps, options.device)

    pieces = held_out[: len(held_out) // (LENGTH + 1) * (LENGTH + 1)].reshape(-1, LENGTH + 1)
    perplexity = float(np.exp(mean_loss(params, pieces)))
    bigrams = perplexity_of_bigrams(text, pieces)
    print(f"perplexity on the text held out: network {perplexity:.2f}, bigrams {bigrams:.2f}")

    for prompt in ("The statement ", "If the object "):
        written, scores = write(params, prompt, options.temperature)
        print(f"--- {written}")
        at_once, _ = NET.apply(params, {}, encoded(written)[None])
        np.testing.assert_allclose(scores, at_once[0], atol=1e-3)  # the cache changes nothing but the time
    assert perplexity < 0.6 * bigrams


if __name__ == "__main__":
    main()
