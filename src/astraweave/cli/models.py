"""`astraweave models`: list, fetch, verify, bundle."""

from __future__ import annotations

import argparse
