"""Tables of embeddings for TensorBoard's projector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import StructureError, did_you_mean
from fnet.io.atomic import replacing
from fnet.transfer import to_host


def write_embeddings(folder: Path, params: Any, metadata: str | Mapping[str, str] | None) -> None:
    """Write each parameter ``embeddings`` as a table, and the file that tells the projector of them.

    Each row is a line of numbers, in ``train/<path>.tsv``; a later call replaces it. metadata: the file with a label
    for each row, of all tables or by the path of the layer; relative to `folder`.
    Raises `StructureError` for a layer that has none.
    """
    tables = {path.rpartition("/")[0]: leaf for path, leaf in tree.leaves_with_path(params) if _is_table(path)}
    for layer in metadata if isinstance(metadata, Mapping) else ():
        if layer not in tables:
            raise StructureError(
                f"TensorBoard: embeddings_metadata names '{layer}', which is no layer with embeddings."
                f"{did_you_mean(layer, tables)}"
            )
    entries = []
    for layer, table in tables.items():
        name = f"train/{layer.replace('/', '.') or 'embedding'}.tsv"
        with replacing(folder / name) as temporary:
            np.savetxt(temporary, np.asarray(to_host(table), "float64"), fmt="%.6g", delimiter="\t")
        labels = metadata if metadata is None or isinstance(metadata, str) else metadata.get(layer)
        lines = [f"tensor_name: {json.dumps(layer or 'embedding')}", f"tensor_path: {json.dumps(name)}"]
        lines += [] if labels is None else [f"metadata_path: {json.dumps(labels)}"]
        entries.append("embeddings {\n" + "".join(f"  {line}\n" for line in lines) + "}\n")
    with replacing(folder / "projector_config.pbtxt") as temporary:
        temporary.write_text("".join(entries), encoding="utf-8")


def _is_table(path: str) -> bool:
    return path.rpartition("/")[2] == "embeddings"
