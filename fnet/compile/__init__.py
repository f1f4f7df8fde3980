"""From primitives to kernel calls: graph passes, the flat plan over one arena, generated code, executors."""
