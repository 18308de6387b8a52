"""IAM credentials: tokens and signatures in the name of a service account, for whoever its policy lets."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from google.cloud.iam_credentials_v1 import types

from ragonotebooks.sandbox.gcp.cloud import IAM
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.identity import TOKEN_LIFE
from ragonotebooks.sandbox.gcp.service import Call, Service, rpc

_PERMISSIONS: Final = {
    "GenerateAccessToken": "iam.serviceAccounts.getAccessToken",
    "GenerateIdToken": "iam.serviceAccounts.getOpenIdToken",
    "SignBlob": "iam.serviceAccounts.signBlob",
    "SignJwt": "iam.serviceAccounts.signJwt",
}


class IamCredentials(Service):
    """Short-lived credentials."""

    host = "iamcredentials.googleapis.com"
    title = "IAM Service Account Credentials API"
    clients = ("google.cloud.iam_credentials_v1:IAMCredentialsClient",)
    # asked below, of the account's own policy, which is IAM's
    permissions: ClassVar = dict.fromkeys(_PERMISSIONS, "")

    @rpc("GenerateAccessToken")
    def _access_token(self, call: Call) -> Made:
        account = self._account(call)
        seconds = int(call.message.lifetime.seconds) or TOKEN_LIFE
        if not 0 < seconds <= TOKEN_LIFE:
            raise invalid(f"The lifetime is {seconds} s; the most is {TOKEN_LIFE} s.", {"lifetime": "out of range"})
        answer = types.GenerateAccessTokenResponse(
            access_token=call.cloud.identities.give_token(account.email, seconds),
            # whole seconds: google-auth reads no others
            expire_time=datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds),
        )
        return types.GenerateAccessTokenResponse.pb(answer), None

    @rpc("GenerateIdToken")
    def _identity_token(self, call: Call) -> Made:
        account = self._account(call)
        return call.method.response(token=call.cloud.keys.identity_token(account.email, call.message.audience)), None

    @rpc("SignBlob")
    def _sign_blob(self, call: Call) -> Made:
        key = call.cloud.keys.kept(self._account(call).email)
        return call.method.response(key_id=key.id, signed_blob=key.sign(call.message.payload)), None

    @rpc("SignJwt")
    def _sign_jwt(self, call: Call) -> Made:
        key = call.cloud.keys.kept(self._account(call).email)
        return call.method.response(key_id=key.id, signed_jwt=key.jwt_of(call.message.payload)), None

    def _account(self, call: Call) -> Any:
        if call.message.delegates:
            raise ApiError(
                "UNIMPLEMENTED", f"{self.host} {call.method.name} with delegates is not supported by the sandbox"
            )
        account = call.cloud.service(IAM).account(call.message.name)  # type: ignore[attr-defined]
        permission = _PERMISSIONS[call.method.name]
        if not call.cloud.policies.allows(call.caller, permission, IAM, account.name):
            message = f"Permission '{permission}' denied on resource '{account.name}' (or it may not exist)."
            raise ApiError(
                "PERMISSION_DENIED", message, "IAM_PERMISSION_DENIED", "iam.googleapis.com", {"permission": permission}
            )
        if account.disabled:
            raise ApiError("FAILED_PRECONDITION", f"The service account {account.email} is disabled.")
        return account
