"""From a traced graph to a plan of kernel calls over one arena, for any device; programs that run plans."""
