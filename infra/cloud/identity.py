"""Who may call: a Cognito user pool with a client for each kind of caller, or anybody's OIDC issuer.

A storefront proves itself by its secret, and so does each partner of the option `partners`: its client may ask for
`loyalty/partner` and for the one scope that is called as the partner, of which the trigger makes the claim
`partner_id`. API Gateway takes tokens of few clients, so any number of other partners share one: each signs in as a
user that an operator has linked to it, and the trigger adds scope and claim. Members and operators are people: they
sign in on Cognito's page and come back with a code (PKCE). A client only says which scopes may be asked for, so a
trigger decides who gets them: it puts the member's id into the token and takes the operator's scope from everyone
outside the group `operators`, and from whoever in it has no second factor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.cloud.functions import Builder, Function
from infra.cloud.nag import acknowledge
from infra.cloud.options import Options
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT

ACCESS_TOKEN_MINUTES, REFRESH_TOKEN_DAYS = 60, 30
OPERATORS = "operators"
SECOND_FACTOR = "SECOND_FACTOR"
"""The trigger's setting that has it demand one of operators."""
PASSWORD_LENGTH_MIN = 12
_ANY_POOL = "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:cognito-idp:<AWS::Region>:<AWS::AccountId>:userpool/*]"
_TRIGGER = Path(__file__).with_name("token_trigger.py")
_LINK_TRIGGER = Path(__file__).with_name("link_trigger.py")


@dataclass(frozen=True)
class Identity:
    """Which tokens are accepted: their issuer, and the audience that they must name."""

    issuer: str
    audiences: list[str]
    outputs: Mapping[str, str]
    """What callers have to know to get one."""
    token_trigger: lambda_.IFunction | None = None
    """Runs whenever the user pool issues a token."""
    link_trigger: lambda_.IFunction | None = None
    """Runs whenever somebody has signed up, where people may."""


def add_identity(scope: Construct, options: Options, builder: Builder, enroll: Function) -> Identity:
    """The issuer that the options name, or a user pool; `enroll` looks members up."""
    if options.issuer:
        return Identity(options.issuer, list(options.audiences), {})
    pool = user_pool(scope, options)
    trigger = _trigger(scope, builder)
    pool.add_trigger(cognito.UserPoolOperation.PRE_TOKEN_GENERATION_CONFIG, trigger, cognito.LambdaVersion.V3_0)
    link = None
    if options.sign_up == "open":
        link = _link_trigger(scope, builder, enroll)
        pool.add_trigger(cognito.UserPoolOperation.POST_CONFIRMATION, link)
    scopes = _scopes(pool)
    clients = {
        "Storefront": pool.add_client(
            "Storefront",
            generate_secret=True,
            auth_flows=cognito.AuthFlow(),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True), scopes=[scopes[STOREFRONT]]
            ),
            access_token_validity=Duration.minutes(ACCESS_TOKEN_MINUTES),
        ),
        "Member": _client_of_people(pool, "Member", scopes[MEMBER], options),
        # By the second scope an operator sets their second factor up, at Cognito itself.
        "Operator": _client_of_people(pool, "Operator", scopes[OPERATOR], options, cognito.OAuthScope.COGNITO_ADMIN),
        "Partners": _client_of_all_partners(pool),
    }
    clients |= _clients_of_partners(pool, scopes[PARTNER], options)
    cognito.CfnUserPoolGroup(
        scope, "Operators", user_pool_id=pool.user_pool_id, group_name=OPERATORS, description="May act as operators"
    )
    domain = pool.add_domain(
        "Domain",
        cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"{Stack.of(scope).stack_name}-{Aws.ACCOUNT_ID}"),
    )
    outputs = {f"{name}ClientId": client.user_pool_client_id for name, client in clients.items()}
    return Identity(
        issuer=f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{pool.user_pool_id}",
        audiences=list(outputs.values()),
        outputs={"UserPoolId": pool.user_pool_id, "SignInUrl": domain.base_url(), **outputs},
        token_trigger=trigger,
        link_trigger=link,
    )


def user_pool(scope: Construct, options: Options) -> cognito.UserPool:
    """The people who sign in, and partners that do.

    It writes by SES if there is an identity that is verified already, which Cognito asks for: by itself it sends 50
    invitations and codes a day.
    """
    pool = cognito.UserPool(
        scope,
        "Users",
        account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
        # Only the operator links a person to a member, or a user to a partner: no client may write these.
        custom_attributes={
            "member_id": cognito.StringAttribute(mutable=True),
            "partner_id": cognito.StringAttribute(mutable=True),
        },
        deletion_protection=options.is_kept,
        feature_plan=cognito.FeaturePlan.ESSENTIALS,
        mfa=cognito.Mfa.OPTIONAL,
        mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
        password_policy=cognito.PasswordPolicy(
            min_length=PASSWORD_LENGTH_MIN,
            require_digits=True,
            require_lowercase=True,
            require_symbols=True,
            require_uppercase=True,
        ),
        removal_policy=RemovalPolicy.RETAIN if options.is_kept else RemovalPolicy.DESTROY,
        self_sign_up_enabled=options.sign_up == "open",
        sign_in_aliases=cognito.SignInAliases(email=True),
        sign_in_case_sensitive=False,
    )
    if options.sender_identity_arn:
        resource = cast("cognito.CfnUserPool", pool.node.default_child)
        resource.email_configuration = cognito.CfnUserPool.EmailConfigurationProperty(
            email_sending_account="DEVELOPER", from_=options.sender_email, source_arn=options.sender_identity_arn
        )
    return pool


def _trigger(scope: Construct, builder: Builder) -> lambda_.IFunction:
    trigger = builder.inline("token", lambda_.Code.from_inline(_TRIGGER.read_text()), {SECOND_FACTOR: "required"})
    _allow_on_pools(scope, trigger.role, "cognito-idp:AdminGetUser")
    return trigger.function


def _link_trigger(scope: Construct, builder: Builder, enroll: Function) -> lambda_.IFunction:
    settings = {"ENROLL": enroll.entrance.function_arn}
    trigger = builder.inline("sign_up", lambda_.Code.from_inline(_LINK_TRIGGER.read_text()), settings)
    _allow_on_pools(scope, trigger.role, "cognito-idp:AdminUpdateUserAttributes")
    trigger.role.add_to_policy(
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[enroll.entrance.function_arn])
    )
    return trigger.function


def _allow_on_pools(scope: Construct, role: iam.Role, action: str) -> None:
    # The pool names its trigger, so the trigger's role cannot name the pool.
    pools = Stack.of(scope).format_arn(service="cognito-idp", resource="userpool", resource_name="*")
    role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[pools]))
    acknowledge(role, _ANY_POOL, "the pool names this function, which therefore cannot name the pool")


def _scopes(pool: cognito.UserPool) -> dict[str, cognito.OAuthScope]:
    """The resource server's scopes, by the names that tokens carry."""
    names = [scope.partition("/") for scope in (STOREFRONT, MEMBER, OPERATOR, PARTNER)]
    offered = {
        name: cognito.ResourceServerScope(scope_name=name, scope_description=f"Act as {name}") for _, _, name in names
    }
    server = pool.add_resource_server("Api", identifier=names[0][0], scopes=list(offered.values()))
    return {
        f"{identifier}/{name}": cognito.OAuthScope.resource_server(server, offered[name])
        for identifier, _, name in names
    }


def _clients_of_partners(
    pool: cognito.UserPool, scope: cognito.OAuthScope, options: Options
) -> dict[str, cognito.UserPoolClient]:
    """A client for each partner, which nobody but that partner has the secret of."""
    if not options.partners:
        return {}
    names = {
        partner_id: cognito.ResourceServerScope(scope_name=partner_id, scope_description=f"Act as {partner_id}")
        for partner_id in options.partners
    }
    server = pool.add_resource_server("Partners", identifier="partner", scopes=list(names.values()))
    return {
        f"Partner{''.join(filter(str.isalnum, partner_id))}": pool.add_client(
            f"Partner-{partner_id}",
            generate_secret=True,
            auth_flows=cognito.AuthFlow(),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[scope, cognito.OAuthScope.resource_server(server, name)],
            ),
            access_token_validity=Duration.minutes(ACCESS_TOKEN_MINUTES),
        )
        for partner_id, name in names.items()
    }


def _client_of_all_partners(pool: cognito.UserPool) -> cognito.UserPoolClient:
    """A client for machines that sign in by name and password, without a page: what each may do its user says."""
    return pool.add_client(
        "Partners",
        auth_flows=cognito.AuthFlow(user_password=True),
        disable_o_auth=True,
        access_token_validity=Duration.minutes(ACCESS_TOKEN_MINUTES),
        enable_token_revocation=True,
        prevent_user_existence_errors=True,
        read_attributes=cognito.ClientAttributes().with_standard_attributes(email=True),
        refresh_token_validity=Duration.days(REFRESH_TOKEN_DAYS),
        write_attributes=cognito.ClientAttributes().with_standard_attributes(email=True),
    )


def _client_of_people(
    pool: cognito.UserPool, name: str, scope: cognito.OAuthScope, options: Options, *others: cognito.OAuthScope
) -> cognito.UserPoolClient:
    """A client without a secret: Cognito demands PKCE if a client sends a challenge, and pages and apps always do."""
    return pool.add_client(
        name,
        auth_flows=cognito.AuthFlow(),
        o_auth=cognito.OAuthSettings(
            callback_urls=list(options.callback_urls),
            flows=cognito.OAuthFlows(authorization_code_grant=True),
            scopes=[cognito.OAuthScope.OPENID, scope, *others],
        ),
        access_token_validity=Duration.minutes(ACCESS_TOKEN_MINUTES),
        enable_token_revocation=True,
        prevent_user_existence_errors=True,
        read_attributes=cognito.ClientAttributes().with_standard_attributes(email=True),
        refresh_token_validity=Duration.days(REFRESH_TOKEN_DAYS),
        supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
        write_attributes=cognito.ClientAttributes().with_standard_attributes(email=True),
    )
