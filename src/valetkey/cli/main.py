"""The command line: which commands there are, and how one ends.

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 refuses to start (sysexits EX_CONFIG: configuration or keys).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from valetkey import __version__
from valetkey.cli.lazy import Later, LazyGroup

DONE, FAILED, WRONG_USAGE, REFUSES_TO_START = 0, 1, 2, 78

COMMANDS = {
    "serve": Later("valetkey.cli.serve:serve", "Run the hub: all doors on one port."),
    "demo": Later("valetkey.cli.demo:demo", "Play the main job with a sample service."),
    "doctor": Later("valetkey.cli.doctor:doctor", "Check this hub, and say what to do."),
    "user": Later("valetkey.cli.user:user", "People: list, add, invite, disable, remove."),
    "org": Later(
        "valetkey.cli.org:org",
        "Organizations: members, sign-in, domains, provisioning, hosts, rules, requests, usage, feeds.",
    ),
    "token": Later("valetkey.cli.token:token", "API tokens: list, create, revoke."),
    "connector": Later("valetkey.cli.connector:connector", "What can be connected: list, show, add, block, …"),
    "review": Later("valetkey.cli.review:review", "Tell what keeps a connector out of the directory."),
    "submission": Later(
        "valetkey.cli.submission:submission",
        "Submissions to the directory: list, show, add, agree, prove, review, submit, …",
    ),
    "desk": Later("valetkey.cli.desk:desk", "The review desk: list, show, review, decide; who reviews."),
    "connection": Later("valetkey.cli.connection:connection", "Connected accounts: list, connect, disconnect, uses, …"),
    "privacy": Later("valetkey.cli.privacy:privacy", "The hub's privacy policy: show, list, accept, set."),
    "profile": Later(
        "valetkey.cli.profile:profile", "Profiles of connections and tools: list, show, add, set, remove."
    ),
    "policy": Later("valetkey.cli.policy:policy", "Ceilings and decisions: show, set, remove, explain."),
    "approval": Later(
        "valetkey.cli.approval:approval",
        "Approvals: list, standing, revoke. Given in the person's browser only.",
    ),
    "alert": Later("valetkey.cli.alert:alert", "Alerts: list, show, dismiss."),
    "call": Later("valetkey.cli.call:call", "Tool calls: list, show, result, read, tail, run."),
    "data": Later("valetkey.cli.data:data", "What is kept about people: level, retention, export, erase, …"),
    "trail": Later("valetkey.cli.trail:trail", "The trail: list, status, verify, checkpoint, export, prove, …"),
    "key": Later("valetkey.cli.key:key", "Keys of the vault: status, rotate, rewrap, recover."),
    "vault": Later("valetkey.cli.vault:vault", "The vault as a whole: seal, revoke-all."),
}


@click.group(
    cls=LazyGroup,
    later=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Commands speak to the hub on this host, or with --url and VALETKEY_TOKEN to another.",
)
@click.version_option(__version__, message="valetkey %(version)s")
def valetkey() -> None:
    """A connector hub: assistants connect to it once, people connect their services once."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and says how it ended, as an exit code. Errors are one sentence and a hint, on stderr."""
    try:
        ended = valetkey.main(args=list(arguments), prog_name="valetkey", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return WRONG_USAGE
    except click.UsageError as error:
        _say_usage(error)
        return WRONG_USAGE
    except click.ClickException as error:
        _say(error.format_message())
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        _say("Stopped.")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has left. What is still in the buffer must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        from valetkey.kernel.errors import StartRefused, ValetkeyError

        if not isinstance(error, ValetkeyError):
            raise
        _say(error.message, error.hint)
        return REFUSES_TO_START if isinstance(error, StartRefused) else FAILED
    return ended if isinstance(ended, int) else DONE  # what a command gave to `ctx.exit`


def _say(message: str, hint: str = "") -> None:
    print(f"valetkey: {message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)


def _say_usage(error: click.UsageError) -> None:
    hint = f"See `{error.ctx.command_path} --help`." if error.ctx else "See `valetkey --help`."
    _say(error.format_message(), hint)
