"""``python -m nsedu``: the command line."""

import sys

from nsedu.cli import main

sys.exit(main())
