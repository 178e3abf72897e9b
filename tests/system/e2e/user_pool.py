"""The deployed user pool, used as callers do: storefronts by their secret, people by its sign-in page."""

import base64
import hashlib
import secrets
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import jwt

from infra.cloud.identity import OPERATORS
from infra.cloud.options import Options
from infra.emulator.deploy import Deployment
from infra.machine import engine_keys
from infra.machine.environment import REGION
from shared.caller import MEMBER, OPERATOR, STOREFRONT

ANSWER_SECONDS_MAX = 60
CLIENTS = {STOREFRONT: "Storefront", MEMBER: "Member", OPERATOR: "Operator"}
[CALLBACK] = Options().callback_urls


class Person(NamedTuple):
    """Somebody who can sign in."""

    email: str
    password: str


class UserPool:
    """Gets tokens out of the pool."""

    def __init__(self, deployment: Deployment) -> None:
        self.id = deployment.outputs["UserPoolId"]
        self._deployment = deployment
        self._outputs = deployment.outputs
        self._cognito = deployment.client("cognito-idp")
        self._endpoint = deployment.endpoint
        self._operator = self.person(operator=True)

    def token(self, *scopes: str, member_id: str = "") -> str:
        """The storefront's token, an operator's, or a member's who signs in for the first time."""
        [scope] = scopes
        if member_id:
            return self.sign_in(self.person(member_id=member_id), scope)
        if scope == STOREFRONT:
            return str(self.storefront(self.storefront_secret())["access_token"])
        return self.sign_in(self._operator, scope)

    def storefront_secret(self) -> str:
        """What the storefront proves itself by."""
        client = self._cognito.describe_user_pool_client(UserPoolId=self.id, ClientId=self.client_id(STOREFRONT))
        return str(client["UserPoolClient"]["ClientSecret"])

    def storefront(self, secret: str, scope: str = STOREFRONT) -> Any:
        """The answer to a storefront that asks for a token."""
        return self._exchange(
            {"grant_type": "client_credentials", "scope": scope}, auth=(self.client_id(STOREFRONT), secret)
        )

    def person(self, *, member_id: str | None = None, operator: bool = False) -> Person:
        """Somebody new, whom the shop has linked to a member or made an operator."""
        person = Person(f"{uuid4().hex}@example.com", f"Aa1!{secrets.token_hex(12)}")
        linked = {"custom:member_id": member_id} if member_id else {}
        attributes = {"email": person.email, "email_verified": "true", **linked}
        who: dict[str, str] = {"UserPoolId": self.id, "Username": person.email}
        listed = [{"Name": name, "Value": value} for name, value in attributes.items()]
        self._cognito.admin_create_user(**who, UserAttributes=listed, MessageAction="SUPPRESS")
        self._cognito.admin_set_user_password(**who, Password=person.password, Permanent=True)
        if operator:
            self._cognito.admin_add_user_to_group(**who, GroupName=OPERATORS)
        return person

    def partner(self, partner_id: str) -> str:
        """The token of a partner's machine, which the shop has made a user of: it signs in without a page."""
        machine = Person(f"{partner_id}-{uuid4().hex}@example.com", f"Aa1!{secrets.token_hex(12)}")
        attributes = {"email": machine.email, "email_verified": "true", "custom:partner_id": partner_id}
        who: dict[str, str] = {"UserPoolId": self.id, "Username": machine.email}
        listed = [{"Name": name, "Value": value} for name, value in attributes.items()]
        self._cognito.admin_create_user(**who, UserAttributes=listed, MessageAction="SUPPRESS")
        self._cognito.admin_set_user_password(**who, Password=machine.password, Permanent=True)
        answer = self.without_a_key().initiate_auth(
            ClientId=self._outputs["PartnersClientId"],
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": machine.email, "PASSWORD": machine.password},
        )
        return str(answer["AuthenticationResult"]["AccessToken"])

    def without_a_key(self) -> Any:
        """A client for what people and machines ask in their own name, without any key of AWS."""
        key = engine_keys.key_of(self._endpoint)

        def knock(request: Any, **_: Any) -> None:
            """The guard before the local services asks everybody for a key."""
            request.headers["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential={key}/20261130/{REGION}/cognito-idp/aws4_request"
            )

        client = self._deployment.client("cognito-idp")
        client.meta.events.register("before-send.cognito-identity-provider", knock)
        return client

    def sign_in(self, person: Person, scope: str) -> str:
        """A person's token by the client for a scope: sign-in page, code, exchange, with PKCE as an app does it."""
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": self.client_id(scope),
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": f"openid {scope}",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        page = httpx.get(f"{self._endpoint}/oauth2/authorize", params=asked, timeout=ANSWER_SECONDS_MAX)
        assert page.status_code == 200, page.text
        answer = httpx.post(
            f"{self._endpoint}/login",
            data={**asked, "username": person.email, "password": person.password},
            timeout=ANSWER_SECONDS_MAX,
        )
        assert answer.status_code == 302, answer.text
        [code] = parse_qs(urlsplit(answer.headers["Location"]).query)["code"]
        exchanged = self._exchange(
            {
                "grant_type": "authorization_code",
                "client_id": self.client_id(scope),
                "code": code,
                "redirect_uri": CALLBACK,
                "code_verifier": verifier,
            }
        )
        return str(exchanged["access_token"])

    def claims(self, token: str) -> Any:
        """What a token says, once its signature has been verified with the pool's published keys."""
        keys = jwt.PyJWKClient(f"{self._endpoint}/{self.id}/.well-known/jwks.json", timeout=ANSWER_SECONDS_MAX)
        key = keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})

    def client_id(self, scope: str) -> str:
        """The client that may ask for a scope."""
        return self._outputs[f"{CLIENTS[scope]}ClientId"]

    def _exchange(self, form: dict[str, str], auth: tuple[str, str] | None = None) -> Any:
        answer = httpx.post(
            f"{self._endpoint}/oauth2/token",
            data=form,
            auth=auth,
            timeout=ANSWER_SECONDS_MAX,
        )
        return answer.json()
