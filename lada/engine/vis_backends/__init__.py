"""Where the Visualizer's scalars and pictures go besides the log, a file a service. Every module of
this package is imported with it; a service's own package is imported where a config names it.
"""

from lada.registry import import_modules

import_modules(__name__)
