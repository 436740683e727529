"""Deciding what happens to a file of an inbox."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
