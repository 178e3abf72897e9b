"""How often somebody has guessed in an hour. Counts are forgotten after a day."""

from datetime import datetime, timedelta

from shared import settings
from shared.tables import client
from shared.tables.client import Key

KEPT = timedelta(days=1)


def load(who: str, now: datetime) -> int:
    """The guesses of the hour that `now` is in."""
    item = client.get(settings.loyalty_table(), _key(who, now))
    return int(item["guesses"]["N"]) if item else 0


def add(who: str, now: datetime) -> None:
    """Count one guess."""
    client.ask(
        lambda: client.client().update_item(
            TableName=settings.loyalty_table(),
            Key=client.key_of(_key(who, now)),
            UpdateExpression="SET forget_at = :end ADD guesses :one",
            ExpressionAttributeValues={":one": {"N": "1"}, ":end": client.forget_at(now + KEPT)},
        )
    )


def _key(who: str, now: datetime) -> Key:
    return Key(f"GUESSES#{who}", f"{now:%Y-%m-%dT%H}")
