"""Which parts of requests and answers are secret."""

from typing import Any

import pytest
from google.cloud.iam_admin_v1 import ListServiceAccountsResponse, ServiceAccountKey
from google.cloud.redis_v1 import Instance, InstanceAuthString
from google.cloud.secretmanager_v1 import AccessSecretVersionResponse, AddSecretVersionRequest
from google.cloud.sqladmin_v1 import SqlUsersInsertRequest

from ragonotebooks.lesson.watch import found_in


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"Name": "n", "SecretString": "s", "NextToken": "t", "ClientRequestToken": "c"}, ["s"]),
        ({"Parameters": [{"Type": "SecureString", "Value": "s"}, {"Type": "String", "Value": "v"}]}, ["s"]),
        ({"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t"}}, ["s", "t"]),
        ({"DBInstanceIdentifier": "i", "MasterUsername": "u", "MasterUserPassword": "s"}, ["s"]),
        ({"AuthToken": "s", "AuthTokenEnabled": True}, ["s"]),
        ({"Plaintext": b"s", "KeyId": "k"}, [b"s"]),
        ({"private_key": "s", "client_email": "e"}, ["s"]),
        (AccessSecretVersionResponse.pb(AccessSecretVersionResponse({"name": "n", "payload": {"data": b"s"}})), [b"s"]),
        (AddSecretVersionRequest.pb(AddSecretVersionRequest({"parent": "p", "payload": {"data": b"s"}})), [b"s"]),
        (InstanceAuthString.pb(InstanceAuthString({"auth_string": "s"})), ["s"]),
        (ServiceAccountKey.pb(ServiceAccountKey({"name": "n", "private_key_data": b"s"})), [b"s"]),
        (
            SqlUsersInsertRequest.pb(SqlUsersInsertRequest({"instance": "i", "body": {"name": "n", "password": "s"}})),
            ["s"],
        ),
        (Instance.pb(Instance({"name": "n", "labels": {"a": "b"}, "server_ca_certs": [{"cert": "c"}]})), []),
        (
            ListServiceAccountsResponse.pb(
                ListServiceAccountsResponse({"accounts": [{"name": "n"}], "next_page_token": "t"})
            ),
            [],
        ),
        (None, []),
    ],
)
def test_secret_is_what_the_clouds_call_so(data: Any, found: list[Any]) -> None:
    assert list(found_in(data)) == found
