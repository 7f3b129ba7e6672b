"""Programs that others wrote, run safely: the only room that starts processes."""
