"""What is wrong with a table as a whole is found, and what only looks so is not."""

from typing import Any

import pytest

from infra.local.verify import check
from shared import budgets, dynamo, keys, settings
from shared.domain.partnering import funding_name
from shared.dynamo import Key
from tests.functions.shop import OPERATOR, Shop
from tests.functions.test_partners import CAFE  # noqa: F401
