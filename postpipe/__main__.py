"""`python -m postpipe`."""

from postpipe.cli.main import main

main()
