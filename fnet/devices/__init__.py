"""Devices: for each one its lowering rules, its writer of loops, its memory and what runs plans there."""
