"""Small programs that use the queue. README.md says how to run them.

`tests/examples/` runs them.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
