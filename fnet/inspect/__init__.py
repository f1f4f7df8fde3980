"""Networks shown: a table of their layers, a drawing of their graph."""
