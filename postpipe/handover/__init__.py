"""Files for editing programs: one module per format, each of which writes to a path that its caller gives."""
