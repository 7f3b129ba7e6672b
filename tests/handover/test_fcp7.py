from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest
from tests.handover.films import random_film, seen

from postpipe.handover.fcp7 import write
from postpipe.handover.otio import read
