"""What is in Cloud SQL instances: databases and users, which are those of the server, whoever made them."""

from collections.abc import Callable
from typing import Any, Final

from psycopg import sql

from ragonotebooks.sandbox.gcp.errors import already_exists, invalid, not_found, unsupported
from ragonotebooks.sandbox.gcp.service import Call, rpc
from ragonotebooks.sandbox.gcp.sql.instances import HOST, Json
from ragonotebooks.sandbox.gcp.sql.servers import told
from ragonotebooks.sandbox.gcp.sql.service import SqlInstances
from ragonotebooks.sandbox.parts.postgres import CLOUD_SQL, Postgres

_OWN_DATABASES: Final = ("template0", "template1")
_OWN_ROLES: Final = (CLOUD_SQL.administrator, CLOUD_SQL.group)


class SqlContents(SqlInstances):
    """Databases and users, by instance."""

    @rpc("sql.databases.list")
    def _list_databases(self, call: Call) -> Json:
        query = sql.SQL("SELECT datname, pg_encoding_to_char(encoding), datcollate FROM pg_database ORDER BY datname")
        rows = self._servers.running(self._instance(call)["name"]).execute(query)
        shown = [self._database(call, *row) for row in rows if row[0] not in _OWN_DATABASES]
        return {"kind": "sql#databasesList", "items": shown}

    @rpc("sql.databases.get")
    def _get_database(self, call: Call) -> Json:
        return _named(self._list_databases(call), call.message["database"])

    @rpc("sql.databases.insert")
    def _new_database(self, call: Call) -> Any:
        self._check_idle(call.message["instance"])
        name = _new_name(call, self._list_databases(call))
        if call.body.get("charset", "UTF8").upper() not in ("UTF8", "UTF-8"):
            raise unsupported(f"{HOST} databases with the charset {call.body['charset']}")
        return self._in_server(call, f"database {name}", lambda server: server.create_database(name, CLOUD_SQL.group))

    @rpc("sql.databases.delete")
    def _drop_database(self, call: Call) -> Any:
        self._check_idle(call.message["instance"])
        name = self._get_database(call)["name"]
        drop = sql.SQL("DROP DATABASE {}").format(sql.Identifier(name))
        return self._in_server(call, f"failed to delete database {name}", lambda server: server.execute(drop))

    @rpc("sql.users.list")
    def _list_users(self, call: Call) -> Json:
        query = sql.SQL("SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY rolname")
        instance = self._instance(call)["name"]
        rows = self._servers.running(instance).execute(query)
        shown = [
            {"kind": "sql#user", "name": name, "host": "", "instance": instance, "project": self.cloud.project.id}
            for (name,) in rows
            if name not in _OWN_ROLES
        ]
        return {"kind": "sql#usersList", "items": shown}

    @rpc("sql.users.get")
    def _get_user(self, call: Call) -> Json:
        return _named(self._list_users(call), call.message.get("name", ""))

    @rpc("sql.users.insert")
    def _new_user(self, call: Call) -> Any:
        self._check_idle(call.message["instance"])
        name = _new_name(call, self._list_users(call))
        if (kind := call.body.get("type", "BUILT_IN")) != "BUILT_IN":
            raise unsupported(f"{HOST} users of the type {kind}")
        if name in _OWN_ROLES:
            raise invalid(f"Invalid request: The user {name} is Cloud SQL's own.", {"name": "reserved"})
        password, groups = _password(call), call.body.get("databaseRoles", ())
        return self._in_server(call, f"user {name}", lambda server: server.create_user(name, password, groups))

    @rpc("sql.users.update")
    def _change_user(self, call: Call) -> Any:
        self._check_idle(call.message["instance"])
        call.message.setdefault("name", call.body.get("name", ""))
        name, password = self._get_user(call)["name"], _password(call)
        return self._in_server(call, f"user {name}", lambda server: server.change_password(name, password))

    @rpc("sql.users.delete")
    def _drop_user(self, call: Call) -> Any:
        self._check_idle(call.message["instance"])
        name = self._get_user(call)["name"]
        drop = sql.SQL("DROP ROLE {}").format(sql.Identifier(name))
        return self._in_server(call, f"failed to delete user {name}", lambda server: server.execute(drop))

    def _in_server(self, call: Call, what: str, action: Callable[[Postgres], object]) -> Any:
        """Do something in the server of the instance that a call names, as an operation."""
        instance = self._instance(call)
        server = self._servers.running(instance["name"])

        def work() -> None:
            with told(what):
                action(server)

        return instance, self._alone(instance["name"], work)

    def _database(self, call: Call, name: str, charset: str, collation: str) -> Json:
        instance = call.message["instance"]
        return {
            "kind": "sql#database",
            "name": name,
            "charset": charset,
            "collation": collation,
            "instance": instance,
            "project": self.cloud.project.id,
            "selfLink": f"https://{HOST}/v1/{self._path(instance)}/databases/{name}",
        }


def _named(listed: Json, name: str) -> Json:
    found: Json | None = next((one for one in listed["items"] if one["name"] == name), None)
    if found is None:
        raise not_found(f"{listed['kind'].removeprefix('sql#').removesuffix('sList')} {name!r}")
    return found


def _new_name(call: Call, listed: Json) -> str:
    """The name that a request gives to something new."""
    name: str = call.body.get("name", "")
    if not name:
        raise invalid("Invalid request: the request lacks the name.", {"name": "required"})
    if any(one["name"] == name for one in listed["items"]):
        raise already_exists(f"{name} in the instance {call.message['instance']}")
    return name


def _password(call: Call) -> str:
    password: str = call.body.get("password", "")
    if not password:
        raise invalid("Invalid request: the request lacks the password.", {"password": "required"})
    return password
