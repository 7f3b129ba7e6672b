"""The built-in stages, one file per concern; each comes in through an entry point of `postpipe.stages`."""
