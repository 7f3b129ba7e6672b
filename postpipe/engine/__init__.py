"""The engine: stages, plan, store, the two passes, and a run of them."""
