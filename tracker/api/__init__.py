"""The HTTP side: one resource family or one cross-cutting rule a module."""
