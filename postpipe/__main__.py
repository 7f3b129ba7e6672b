"""`python -m postpipe`."""

from postpipe.cli.main import process

process()
