"""For programs whose scripts are Python with postpipe installed: process a file as soon as it is exported.

python after_export.py FILE [FOLDER OF TAKES]
"""

import sys

from postpipe.errors import PostpipeError
from postpipe.hooks import after_export


def main():
    """Process the file that the command line names."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        document = after_export(sys.argv[1], takes=sys.argv[2] if len(sys.argv) == 3 else None)
    except PostpipeError as error:
        sys.exit(f"after_export: {error}")
    print(f"{document['sequence']['frames']} frames")


if __name__ == "__main__":
    main()
