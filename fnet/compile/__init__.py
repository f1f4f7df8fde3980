"""From primitives to kernel calls: graphs, passes over them, the flat plan over one arena, the program that runs it."""
