"""What never leaves this machine, whatever an ignore file says."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath

from .pattern import Pattern

_SECRET = "a secret"
_NEVER = {
    "the history of a repository": (".git", ".hg", ".svn", ".bzr"),
    "an environment": (".venv/", "venv/", ".tox/", ".nox/", "node_modules/", "site-packages/", "__pypackages__/"),
    "a cache": (
        *("__pycache__/", "*.py[cod]", ".*_cache/", ".cache/", ".hypothesis/", ".ipynb_checkpoints/"),
        *("*.egg-info/", ".eggs/", ".DS_Store", "*.swp", "*~", ".idea/", ".vscode/"),
    ),
    "runs": ("runs/", "mlruns/", "mlflow.db", "outputs/", "logs/"),
    "data": ("*-ubyte", "*-ubyte.gz", "*.tfrecord", "*.parquet"),
    _SECRET: (
        *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".npmrc", ".yarnrc.yml", ".pypirc", ".renviron"),
        *("*.pem", "*.key", "*.p12", "*.pfx", "*.p8", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.gpg", "*.asc"),
        *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*_rsa", "*_ed25519", "*.keytab", "*.ovpn", ".ssh/"),
        *(".gnupg/", ".aws/", ".azure/", ".azureml/", ".kube/", ".docker/", ".kaggle/", ".snowsql/", "gcloud/"),
        *("credentials", "credentials.*", "*credentials.json", "*credentials.csv", "creds.*", "*accesskeys.csv"),
        *("rootkey.csv", "client_secret*.json", "service-account*.json", "service_account*.json"),
        *("*-firebase-adminsdk-*.json", "azureauth.json", "azureprofile.json", "accesstokens.json", "auth.json"),
        *("local.settings.json", "*.publishsettings", "*.tfstate*", "*.tfvars", ".terraformrc", "kubeconfig"),
        *("secret.*", "secrets/", "secrets.*", ".secrets*", "*.secret", "*.secrets", ".vault-token", ".vault_pass*"),
        *("token", "token.txt", "token.json", "*_token.txt", "*.token", "*api_key.txt", "apikey.txt", "api_keys.*"),
        *("password.txt", "passwords.txt", ".htpasswd", "htpasswd", ".pgpass", "pgpass.conf"),
        *(".my.cnf", ".mylogin.cnf"),
        *("kaggle.json", ".databrickscfg", ".dockercfg", ".dockerconfigjson", ".git-credentials", ".boto", ".s3cfg"),
        *("rclone.conf", ".modal.toml", "ngrok.yml", "clearml.conf", ".comet.config", ".*_history"),
    ),
}
"""What never goes, and why, as patterns of git; no rule of a file brings it back."""


def never(name: str, *, is_folder: bool = False) -> str:
    """Returns why something of this name never goes; "" if it may. For Python files, the content decides."""
    for why, patterns in _never().items():
        if why == _SECRET and name.endswith(".py"):
            continue
        for pattern in patterns:
            if pattern.matches(name.lower(), is_folder=is_folder):
                return f"{why}: {pattern.text}"
    return ""


def secret_name(path: str) -> str:
    """Returns the pattern by which a path, or a folder on the way to it, looks like a secret; "" if none does."""
    parts = PurePosixPath(path).parts
    for index, part in enumerate(parts):
        why = never(part, is_folder=index < len(parts) - 1)
        if why.startswith(_SECRET):
            return why
    return ""


@lru_cache(maxsize=1)
def _never() -> dict[str, tuple[Pattern, ...]]:
    return {
        why: tuple(pattern for line in lines if (pattern := Pattern.parse(line.lower(), "stoker")))
        for why, lines in _NEVER.items()
    }
