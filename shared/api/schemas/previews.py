"""A message as it would go out, as operators see it."""

from shared.domain.fields import Record
from shared.domain.message_types import Channel, Kind, variables_of
from shared.domain.telling.templates import sms_parts
from shared.services.message_previews import Origin, Preview


class VariableAnswer(Record):
    """A variable that templates of the kind may use."""

    name: str
    meaning: str


class PreviewAnswer(Record):
    """The message as it would go out. `template` says where its words come from."""

    kind: Kind
    channel: Channel
    locale: str
    template: Origin
    subject: str | None
    text: str
    html: str | None
    sms_parts: int | None
    variables: tuple[VariableAnswer, ...]


def preview_answer(preview: Preview) -> PreviewAnswer:
    """A message, and the variables that its template may use."""
    template, words = preview.template, preview.words
    return PreviewAnswer(
        kind=template.kind,
        channel=template.channel,
        locale=template.locale,
        template=preview.origin,
        subject=words.subject or None,
        text=words.text,
        html=words.html,
        sms_parts=sms_parts(words.text) if template.channel == "sms" else None,
        variables=tuple(VariableAnswer(name=one.name, meaning=one.meaning) for one in variables_of(template.kind)),
    )
