"""Networks of which a part runs on the host, as layers of texts do: what comes before, and what can be compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

from fnet import tree
from fnet.errors import StructureError
from fnet.networks.combinators import serial
from fnet.networks.graph import Wiring, graph, wiring_of
from fnet.networks.layer import Layer
from fnet.networks.node import SymbolicNode


class HostPart(NamedTuple):
    """A network in two: `after` takes what `before` makes of the inputs. Entries keep their names."""

    before: Layer
    after: Layer


def host_part(net: Layer) -> HostPart | None:
    """The part of a serial or a graph that runs on the host, and the rest; None where all of it can be compiled.

    Before the rest run the layers that are `Layer.on_host`, and those whose outputs they take.
    Raises `StructureError` where such a layer is within a network in the network, or behind layers with parameters.
    """
    if not _has_host_layer(net):
        return None
    for child in net.children:
        if not child.on_host and _has_host_layer(child):
            raise StructureError(
                f"{net.kind}: {child.name} has a layer within it that runs on the host. Put that layer into {net.name} "
                f"itself, in front, so that the rest can be compiled."
            )
    wiring = wiring_of(net)
    if wiring is not None:
        return _of_graph(wiring)
    if net.kind == "serial":
        last = max(i for i, child in enumerate(net.children) if child.on_host)
        _check_untrained(net, [name for name, child in list(zip(net.entries, net.children, strict=True))[: last + 1]
                               if not child.on_host])  # fmt: skip
        return HostPart(serial(*net.children[: last + 1]), serial(*net.children[last + 1 :]))
    raise StructureError(f"{net.kind}: a layer in it runs on the host. Put it in front, in a serial or a graph.")


def _has_host_layer(net: Layer) -> bool:
    return net.on_host or any(map(_has_host_layer, net.children))


def _of_graph(wiring: Wiring) -> HostPart:
    """The calls that host layers need run before; what the others take of them is between."""
    made = {id(node): call for call in wiring.calls for node in tree.leaves(call.outputs)}
    early, stack = set[int](), [call for call in wiring.calls if call.layer.on_host]
    while stack:
        call = stack.pop()
        if id(call) not in early:
            early.add(id(call))
            stack += [made[id(node)] for node in tree.leaves(call.inputs) if id(node) in made]
    between: dict[int, SymbolicNode] = {}
    for call in wiring.calls:
        if id(call) not in early:
            nodes = tree.leaves(call.inputs)
            between |= {id(n): n for n in nodes if id(n) not in made or id(made[id(n)]) in early}
    ends: list[Any] = tree.leaves(wiring.outputs)
    between |= {id(n): n for n in ends if id(n) not in made or id(made[id(n)]) in early}
    nodes = list(between.values())
    return HostPart(graph(wiring.given, nodes), graph(nodes if len(nodes) > 1 else nodes[0], wiring.given_outputs))


def _check_untrained(net: Layer, names: list[str]) -> None:
    if names:
        raise StructureError(
            f"{net.kind}: {names[0]} is in front of a layer that runs on the host, where nothing is trained. Put it "
            f"behind that layer, or give the network what {names[0]} makes."
        )
