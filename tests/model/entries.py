"""What every entry says, whoever asked for it: checked wherever a test books one."""

from shared.domain import entry_types
from shared.domain.entry import Entry


def check_entry(entry: Entry) -> None:
    """Whether an entry says who caused it and why, and whether its figures agree with one another."""
    row = entry_types.of(entry.type)
    assert (entry.actor == "clock") == (row.made_by in {"time", "schedule"}) or row.made_by == "anything", entry
    assert entry.fingerprint or row.made_by != "request", entry
    assert set(entry.source) >= row.named(), entry
    assert entry.points == entry.available_effect + entry.pending_effect - entry.debt, entry
    assert entry.earned == entry.points or row.earned != "all", entry
    assert entry.earned == 0 or row.earned != "none", entry
    assert entry.points == sum(piece.points for piece in entry.breakdown) or not row.is_explained, entry
    said = [*entry.source.values(), *(piece.description for piece in entry.breakdown)]
    assert all(said), entry
    assert "None" not in " ".join(said), entry
