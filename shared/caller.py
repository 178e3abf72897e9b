"""Who asks for something, and whose data they may have.

Authentication is the gateway's; it hands on the token's claims. What a caller may do with whose data is decided here.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.domain.errors import ForbiddenError, UnknownMemberError

STOREFRONT, MEMBER, OPERATOR = "loyalty/storefront", "loyalty/member", "loyalty/operator"
PARTNER = "loyalty/partner"

_ISSUED_ID = re.compile(r"[\w-]{1,128}", re.ASCII)


class Caller(NamedTuple):
    """Whose token came with the request. `scopes` are those of it that open the route: no other counts there."""

    subject: str
    scopes: frozenset[str]
    member_id: str | None
    claimed_partner_id: str | None = None

    @property
    def partner_id(self) -> str | None:
        """The partner whose token it is; None: nobody's, and the caller is not bound by a partner's limits.

        Raises ForbiddenError for a partner's token that does not say whose.
        """
        if PARTNER not in self.scopes:
            return None
        if not self.claimed_partner_id:
            raise ForbiddenError(f"a token with the scope {PARTNER} must carry the claim partner_id")
        return self.claimed_partner_id

    @property
    def actor(self) -> str:
        """How entries name who acted: the role, and who the token says it is."""
        role = next((scope for scope in (OPERATOR, STOREFRONT, PARTNER, MEMBER) if scope in self.scopes), "")
        return f"{role.removeprefix('loyalty/')}:{self.subject}"

    @property
    def is_member(self) -> bool:
        """Whether it is a member's own token, and nobody's who acts for the shop."""
        return not self.scopes & {STOREFRONT, OPERATOR, PARTNER}

    def authorized_member_id(self, member_id: str) -> str:
        """The member that a path or body means. `me` is the token's own.

        Raises MemberNotFoundError if that is nobody, or a member's token names somebody else.
        """
        meant = self.member_id if member_id == "me" else member_id
        if meant is None or not is_valid_id(meant) or (self.is_member and meant != self.member_id):
            raise UnknownMemberError(member_id)
        return meant


def claimed_scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of verified claims. Issuers call them `scope` or `scp`, and write words or an array; API Gateway takes
    both names, and hands an array on as the text `[a b]`.
    """
    said = claims.get("scope") or claims.get("scp") or ""
    if isinstance(said, str):
        is_array = said.startswith("[") and said.endswith("]")
        return frozenset((said[1:-1] if is_array else said).split())
    return frozenset(word for word in said if isinstance(word, str)) if isinstance(said, list) else frozenset()


def is_valid_id(id_: str) -> bool:
    """Whether an id looks like those that are issued; the database refuses to look for some that do not."""
    return _ISSUED_ID.fullmatch(id_) is not None
