"""The words that every program has until it brings its own: subject and text for each kind, in English and German.

They are templates like any other. An e-mail's HTML is the text in a plain frame; a text message is the text alone.
"""

from collections.abc import Mapping
from functools import cache

from shared.domain.message_types import KINDS, Channel, Kind
from shared.domain.program.messages import Template

DEFAULT_LOCALE = "en"

_EN: Mapping[Kind, tuple[str, str]] = {
    "welcome": (
        "Welcome to {{ program_name }}",
        (
            "{% if points %}You have joined {{ program_name }}."
            " {{ points | counted('point', 'points') }} to start with."
            "{% else %}Welcome to {{ program_name }}.{% endif %}"
        ),
    ),
    "points_earned": (
        "{{ points | counted('point', 'points') }} earned",
        (
            "You have earned {{ points | counted('point', 'points') }}."
            "{% if available_on %} They can be spent from {{ available_on | day }} on.{% endif %}"
            " Your balance is {{ balance }}."
        ),
    ),
    "reward_redeemed": (
        "Your code for {{ reward_name or 'money off your order' }}",
        (
            "You have spent {{ points | counted('point', 'points') }} on {{ reward_name or 'money off your order' }}."
            " Your code is {{ voucher_code }}."
        ),
    ),
    "tier_reached": (
        "Welcome to {{ tier_name }}",
        "You have reached {{ tier_name }}.{% if benefits %} Yours from now on: {{ benefits | join(', ') }}.{% endif %}",
    ),
    "points_refunded": (
        "Points taken back for a refund",
        "A refund took back {{ points | counted('point', 'points') }}. Your balance is {{ balance }}.",
    ),
    "points_expiring": (
        (
            "{{ points | counted('point', 'points') }} expire"
            " {% if days == 0 %}today{% elif days == 1 %}tomorrow{% else %}in {{ days }} days{% endif %}"
        ),
        (
            "{{ points | counted('point', 'points') }} expire"
            " {% if days == 0 %}today{% elif days == 1 %}tomorrow{% else %}in {{ days }} days{% endif %}:"
            " they can be spent until the end of {{ last_day | day }}."
        ),
    ),
    "voucher_given": (
        "A gift for you: {{ reward_name }}",
        (
            "We have a gift for you: {{ reward_name }}. Your code is {{ voucher_code }}."
            "{% if last_day %} It can be used until the end of {{ last_day | day }}.{% endif %}"
        ),
    ),
    "voucher_expiring": (
        (
            "{{ reward_name }}: your voucher ends"
            " {% if days == 0 %}today{% elif days == 1 %}tomorrow{% else %}in {{ days }} days{% endif %}"
        ),
        "Your voucher {{ voucher_code }} for {{ reward_name }} can be used until the end of {{ last_day | day }}.",
    ),
    "nudge": (
        "{{ missing | counted('point', 'points') }} to {{ reward_name }}",
        "Only {{ missing | counted('point', 'points') }} to {{ reward_name }}.",
    ),
    "reward_reached": (
        "Enough for {{ reward_name }}",
        "Your {{ balance | counted('point', 'points') }} are enough for {{ reward_name }}, which costs {{ points }}.",
    ),
    "programme_explained": (
        "How {{ program_name }} works",
        (
            "Thank you for your order, which brought {{ points | counted('point', 'points') }}."
            " In {{ program_name }} you earn {{ how }}."
            "{% if reward_name %} {{ reward_points | counted('point', 'points') }} are enough for"
            " {{ reward_name }}.{% endif %}"
        ),
    ),
    "tier_warning": (
        "{{ tier_name }} ends {% if days == 1 %}tomorrow{% else %}in {{ days }} days{% endif %}",
        (
            "On {{ review_on | day }} your tier is reviewed."
            " To keep {{ tier_name }} you still need"
            " {% if measure == 'spend' %}purchases of {{ missing | money }}"
            "{% else %}{{ missing | counted('point', 'points') }}{% endif %}."
        ),
    ),
    "badge_earned": (
        "Badge earned: {{ badge_name }}",
        (
            "You have earned the badge {{ badge_name }}"
            "{% if points %}, and {{ points | counted('point', 'points') }} with it{% endif %}."
        ),
    ),
    "gift_offered": (
        "A gift of {{ points | counted('point', 'points') }} waits for you",
        (
            "Another member of {{ program_name }} wants to give you {{ points | counted('point', 'points') }}."
            " Accept the gift, or return it."
        ),
    ),
    "gift_received": (
        "Your gift of {{ points | counted('point', 'points') }} is here",
        "{{ points | counted('point', 'points') }} were given to you. Your balance is {{ balance }}.",
    ),
    "gift_returned": (
        "Your gift came back",
        (
            "Your gift of {{ points | counted('point', 'points') }} was not taken: the points are yours again."
            " Your balance is {{ balance }}."
        ),
    ),
    "referral_rewarded": (
        "{{ points | counted('point', 'points') }} for a recommendation",
        "A recommendation has brought you {{ points | counted('point', 'points') }}. Your balance is {{ balance }}.",
    ),
    "membership_paid": (
        "Your membership {{ plan_name }}",
        "Your membership {{ plan_name }} is paid through {{ paid_through | day }}.",
    ),
    "membership_ended": ("{{ plan_name }} has ended", "Your membership {{ plan_name }} has ended."),
    "action_approved": (
        "{{ points | counted('point', 'points') }} for {{ action_name }}",
        (
            "Thank you: {{ points | counted('point', 'points') }} were approved for {{ action_name }}."
            " Your balance is {{ balance }}."
        ),
    ),
    "action_rejected": (
        "No points for {{ action_name }}",
        "The points for {{ action_name }} were not approved.",
    ),
    "birthday": (
        "Happy birthday",
        (
            "Happy birthday{% if member_name %}, {{ member_name }}{% endif %}!"
            "{% if points %} A present of {{ points | counted('point', 'points') }} is on your account.{% endif %}"
        ),
    ),
    "anniversary": (
        "Another year with {{ program_name }}",
        (
            "Thank you for another year with {{ program_name }}."
            "{% if points %} {{ points | counted('point', 'points') }} are on your account.{% endif %}"
        ),
    ),
    "credit_earned": (
        "{{ amount | money }} of store credit earned",
        "You have earned {{ amount | money }} of store credit.",
    ),
    "credit_expiring": (
        (
            "{{ amount | money }} of store credit expire"
            " {% if days == 0 %}today{% elif days == 1 %}tomorrow{% else %}in {{ days }} days{% endif %}"
        ),
        "{{ amount | money }} of store credit can be spent until the end of {{ last_day | day }}.",
    ),
    "credit_paid_out": (
        "{{ amount | money }} paid out",
        "{{ amount | money }} of your credit were paid out.",
    ),
    "consent_requested": (
        "{{ points | counted('point', 'points') }} wait for you",
        (
            "{{ points | counted('point', 'points') }} wait for you in {{ program_name }}:"
            " they are yours when you join{% if until %} by {{ until | day }}{% endif %}."
        ),
    ),
    "erasure_warning": (
        "Your account in {{ program_name }} will be deleted",
        (
            "It has been a while. On {{ last_day | day }} we delete your account in {{ program_name }} and what we know"
            " of you{% if balance %}, {{ balance | counted('point', 'points') }} included{% endif %}."
            " To keep it, use it before then."
        ),
    ),
    "address_code": (
        "{{ code }} is your code for {{ program_name }}",
        (
            "{{ code }} is the code that confirms this address in {{ program_name }}, for {{ hours }} hours."
            " If you did not ask for it, do nothing: nothing changes without it."
        ),
    ),
    "sign_in_code": (
        "{{ code }} is your code for {{ program_name }}",
        (
            "{{ code }} is your code to sign in to {{ program_name }}. It is valid for {{ minutes }} minutes."
            " If you did not ask for it, do nothing, and give it to nobody."
        ),
    ),
    "address_changed": (
        (
            "Your {% if about == 'phone' %}phone number{% else %}e-mail address{% endif %} in {{ program_name }}"
            " has changed"
        ),
        (
            "Your {% if about == 'phone' %}phone number{% else %}e-mail address{% endif %} in {{ program_name }} is no"
            " longer this one. If that was not you,"
            " {% if undo_url %}put it back within a week: {{ undo_url }}{% else %}tell us.{% endif %}"
        ),
    ),
    "statement": (
        "Your points in {{ month }}",
        (
            "In {{ month }} you earned {{ earned | counted('point', 'points') }}, spent {{ spent }}"
            "{% if expired %}, and {{ expired }} expired{% endif %}. Your balance is {{ balance }}; your tier is"
            " {{ tier_name }}.{% if expiring %} {{ expiring | counted('point', 'points') }} expire after"
            " {{ expiring_on | day }}.{% endif %}"
        ),
    ),
}
_DE: Mapping[Kind, tuple[str, str]] = {
    "welcome": (
        "Willkommen bei {{ program_name }}",
        (
            "{% if points %}Sie nehmen jetzt an {{ program_name }} teil. Zum Anfang gibt es"
            " {{ points | counted('Punkt', 'Punkte') }}.{% else %}Willkommen bei {{ program_name }}.{% endif %}"
        ),
    ),
    "points_earned": (
        "{{ points | counted('Punkt', 'Punkte') }} gesammelt",
        (
            "Sie haben {{ points | counted('Punkt', 'Punkte') }} gesammelt."
            "{% if available_on %} Einlösbar ab {{ available_on | day }}.{% endif %} Ihr Punktestand: {{ balance }}."
        ),
    ),
    "reward_redeemed": (
        "Ihr Code für {{ reward_name or 'Ihren Rabatt' }}",
        (
            "Sie haben {{ points | counted('Punkt', 'Punkte') }} für {{ reward_name or 'einen Rabatt' }} eingelöst."
            " Ihr Code lautet {{ voucher_code }}."
        ),
    ),
    "tier_reached": (
        "Willkommen in der Stufe {{ tier_name }}",
        (
            "Sie haben die Stufe {{ tier_name }} erreicht."
            "{% if benefits %} Ab jetzt für Sie: {{ benefits | join(', ') }}.{% endif %}"
        ),
    ),
    "points_refunded": (
        "Punkte wegen einer Rückgabe abgezogen",
        (
            "Wegen einer Rückgabe wurden {{ points | counted('Punkt', 'Punkte') }} abgezogen."
            " Ihr Punktestand: {{ balance }}."
        ),
    ),
    "points_expiring": (
        (
            "{{ points | counted('Punkt verfällt', 'Punkte verfallen') }}"
            " {% if days == 0 %}heute{% elif days == 1 %}morgen{% else %}in {{ days }} Tagen{% endif %}"
        ),
        (
            "{{ points | counted('Punkt verfällt', 'Punkte verfallen') }}"
            " {% if days == 0 %}heute{% elif days == 1 %}morgen{% else %}in {{ days }} Tagen{% endif %}:"
            " einlösbar bis einschließlich {{ last_day | day }}."
        ),
    ),
    "voucher_given": (
        "Ein Geschenk für Sie: {{ reward_name }}",
        (
            "Wir haben ein Geschenk für Sie: {{ reward_name }}. Ihr Code lautet {{ voucher_code }}."
            "{% if last_day %} Er gilt bis einschließlich {{ last_day | day }}.{% endif %}"
        ),
    ),
    "voucher_expiring": (
        (
            "{{ reward_name }}: Ihr Gutschein endet"
            " {% if days == 0 %}heute{% elif days == 1 %}morgen{% else %}in {{ days }} Tagen{% endif %}"
        ),
        ("Ihr Gutschein {{ voucher_code }} für {{ reward_name }} gilt bis einschließlich {{ last_day | day }}."),
    ),
    "nudge": (
        "Noch {{ missing | counted('Punkt', 'Punkte') }} bis {{ reward_name }}",
        "Nur noch {{ missing | counted('Punkt', 'Punkte') }} bis {{ reward_name }}.",
    ),
    "reward_reached": (
        "Es reicht für {{ reward_name }}",
        "Ihr Punktestand von {{ balance }} reicht für {{ reward_name }} ({{ points | counted('Punkt', 'Punkte') }}).",
    ),
    "programme_explained": (
        "So funktioniert {{ program_name }}",
        (
            "Danke für Ihre Bestellung, die {{ points | counted('Punkt', 'Punkte') }} gebracht hat."
            " Bei {{ program_name }} gilt: {{ how }}."
            "{% if reward_name %} Ab {{ reward_points | counted('Punkt', 'Punkten') }} gibt es"
            " {{ reward_name }}.{% endif %}"
        ),
    ),
    "tier_warning": (
        "{{ tier_name }} endet {% if days == 1 %}morgen{% else %}in {{ days }} Tagen{% endif %}",
        (
            "Am {{ review_on | day }} wird Ihre Stufe geprüft. Um {{ tier_name }} zu behalten, fehlen noch"
            " {% if measure == 'spend' %}Einkäufe für {{ missing | money }}"
            "{% else %}{{ missing | counted('Punkt', 'Punkte') }}{% endif %}."
        ),
    ),
    "badge_earned": (
        "Neues Abzeichen: {{ badge_name }}",
        (
            "Sie haben das Abzeichen {{ badge_name }} erhalten"
            "{% if points %}, dazu {{ points | counted('Punkt', 'Punkte') }}{% endif %}."
        ),
    ),
    "gift_offered": (
        "Ein Geschenk von {{ points | counted('Punkt', 'Punkten') }} wartet auf Sie",
        (
            "Ein anderes Mitglied von {{ program_name }} möchte Ihnen"
            " {{ points | counted('Punkt', 'Punkte') }} schenken."
            " Sie können das Geschenk annehmen oder zurückgeben."
        ),
    ),
    "gift_received": (
        "Ihr Geschenk von {{ points | counted('Punkt', 'Punkten') }} ist da",
        "Sie haben {{ points | counted('Punkt', 'Punkte') }} geschenkt bekommen. Ihr Punktestand: {{ balance }}.",
    ),
    "gift_returned": (
        "Ihr Geschenk ist zurück",
        (
            "Ihr Geschenk von {{ points | counted('Punkt', 'Punkten') }} wurde nicht angenommen:"
            " die Punkte gehören wieder Ihnen. Ihr Punktestand: {{ balance }}."
        ),
    ),
    "referral_rewarded": (
        "{{ points | counted('Punkt', 'Punkte') }} für eine Empfehlung",
        "Eine Empfehlung hat Ihnen {{ points | counted('Punkt', 'Punkte') }} gebracht. Ihr Punktestand: {{ balance }}.",
    ),
    "membership_paid": (
        "Ihre Mitgliedschaft {{ plan_name }}",
        "Ihre Mitgliedschaft {{ plan_name }} ist bis {{ paid_through | day }} bezahlt.",
    ),
    "membership_ended": ("{{ plan_name }} ist beendet", "Ihre Mitgliedschaft {{ plan_name }} ist beendet."),
    "action_approved": (
        "{{ points | counted('Punkt', 'Punkte') }}: {{ action_name }}",
        (
            "Danke: {{ points | counted('Punkt', 'Punkte') }} wurden bestätigt ({{ action_name }})."
            " Ihr Punktestand: {{ balance }}."
        ),
    ),
    "action_rejected": (
        "Keine Punkte: {{ action_name }}",
        "Die Punkte wurden nicht bestätigt ({{ action_name }}).",
    ),
    "birthday": (
        "Alles Gute zum Geburtstag",
        (
            "Alles Gute zum Geburtstag{% if member_name %}, {{ member_name }}{% endif %}!"
            "{% if points %} Als Geschenk gibt es {{ points | counted('Punkt', 'Punkte') }}.{% endif %}"
        ),
    ),
    "anniversary": (
        "Wieder ein Jahr mit {{ program_name }}",
        (
            "Danke für ein weiteres Jahr mit {{ program_name }}."
            "{% if points %} Dafür gibt es {{ points | counted('Punkt', 'Punkte') }}.{% endif %}"
        ),
    ),
    "credit_earned": (
        "{{ amount | money }} Guthaben gesammelt",
        "Sie haben {{ amount | money }} Guthaben gesammelt.",
    ),
    "credit_expiring": (
        (
            "{{ amount | money }} Guthaben verfallen"
            " {% if days == 0 %}heute{% elif days == 1 %}morgen{% else %}in {{ days }} Tagen{% endif %}"
        ),
        "{{ amount | money }} Guthaben sind einlösbar bis einschließlich {{ last_day | day }}.",
    ),
    "credit_paid_out": (
        "{{ amount | money }} ausgezahlt",
        "{{ amount | money }} Ihres Guthabens wurden ausgezahlt.",
    ),
    "consent_requested": (
        "{{ points | counted('Punkt wartet', 'Punkte warten') }} auf Sie",
        (
            "{{ points | counted('Punkt wartet', 'Punkte warten') }} bei {{ program_name }} auf Sie:"
            " nehmen Sie{% if until %} bis {{ until | day }}{% endif %} teil, um sie zu behalten."
        ),
    ),
    "erasure_warning": (
        "Ihr Konto bei {{ program_name }} wird gelöscht",
        (
            "Wir haben lange nichts von Ihnen gehört. Am {{ last_day | day }} löschen wir Ihr Konto bei"
            " {{ program_name }} und was wir von Ihnen wissen"
            "{% if balance %}, auch {{ balance | counted('Punkt', 'Punkte') }}{% endif %}."
            " Um es zu behalten, nutzen Sie es vorher."
        ),
    ),
    "address_code": (
        "{{ code }} ist Ihr Code für {{ program_name }}",
        (
            "{{ code }} ist der Code, der diese Adresse bei {{ program_name }} bestätigt. Er gilt {{ hours }} Stunden."
            " Haben Sie ihn nicht angefordert, tun Sie nichts: ohne ihn ändert sich nichts."
        ),
    ),
    "sign_in_code": (
        "{{ code }} ist Ihr Code für {{ program_name }}",
        (
            "{{ code }} ist Ihr Code für die Anmeldung bei {{ program_name }}. Er gilt {{ minutes }} Minuten."
            " Haben Sie ihn nicht angefordert, tun Sie nichts, und geben Sie ihn niemandem."
        ),
    ),
    "address_changed": (
        (
            "Ihre {% if about == 'phone' %}Telefonnummer{% else %}E-Mail-Adresse{% endif %} bei {{ program_name }}"
            " wurde geändert"
        ),
        (
            "Ihre {% if about == 'phone' %}Telefonnummer{% else %}E-Mail-Adresse{% endif %} bei {{ program_name }} ist"
            " nicht mehr diese. Waren Sie das nicht,"
            " {% if undo_url %}machen Sie es binnen einer Woche rückgängig: {{ undo_url }}"
            "{% else %}sagen Sie es uns.{% endif %}"
        ),
    ),
    "statement": (
        "Ihre Punkte im Monat {{ month }}",
        (
            "Im Monat {{ month }} haben Sie {{ earned | counted('Punkt', 'Punkte') }} gesammelt und"
            " {{ spent }} eingelöst"
            "{% if expired %}; {{ expired }} sind verfallen{% endif %}. Ihr Punktestand: {{ balance }}; Ihre Stufe:"
            " {{ tier_name }}.{% if expiring %} Am {{ expiring_on | day }} verfallen"
            " {{ expiring | counted('Punkt', 'Punkte') }}.{% endif %}"
        ),
    ),
}
_WORDS: Mapping[str, Mapping[Kind, tuple[str, str]]] = {"en": _EN, "de": _DE}
_UNSUBSCRIBE: Mapping[str, str] = {"en": "Unsubscribe", "de": "Abmelden"}


@cache
def default_template(kind: Kind, channel: Channel, locale: str) -> Template | None:
    """The built-in template of a kind in a language, if there is one."""
    if locale not in _WORDS:
        return None
    subject, text = _WORDS[locale][kind]
    if channel == "sms":
        return Template(kind=kind, channel="sms", locale=locale, text=text)
    may_unsubscribe = KINDS[kind].category != "service"
    return Template(
        kind=kind,
        channel="email",
        locale=locale,
        subject=subject,
        text=f"{text}{_footer(locale)}" if may_unsubscribe else text,
        html=_framed(text, locale, may_unsubscribe=may_unsubscribe),
    )


def _footer(locale: str) -> str:
    return f"{{% if unsubscribe_url %}}\n\n{_UNSUBSCRIBE[locale]}: {{{{ unsubscribe_url }}}}{{% endif %}}"


def _framed(text: str, locale: str, *, may_unsubscribe: bool) -> str:
    link = f'<p><a href="{{{{ unsubscribe_url }}}}">{_UNSUBSCRIBE[locale]}</a></p>' if may_unsubscribe else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{locale}"><head><meta charset="utf-8"></head>\n'
        f"<body><h1>{{{{ program_name }}}}</h1>\n<p>{text}</p>{link}</body></html>\n"
    )
