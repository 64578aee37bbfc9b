"""A library that sets up its own when it is loaded, as scikit-learn and numpy do."""

import os
import warnings

os.environ["LIBRARY"] = "1"
warnings.filterwarnings("ignore", message="of the library's own")
