"""Records: validators that are made when they are needed, or all at once beforehand."""

from shared.domain.fields import Record, build_all


def test_every_validator_can_be_made_before_it_is_needed() -> None:
    class Outer(Record):
        number: int

    class Inner(Outer):
        text: str

    assert not Inner.__pydantic_complete__
    build_all()
    assert Outer.__pydantic_complete__
    assert Inner.__pydantic_complete__
