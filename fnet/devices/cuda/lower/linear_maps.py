"""Linear maps that are no views: the same calls on every device."""

from fnet.devices.linear_maps import concatenate, place

__all__ = ["concatenate", "place"]
