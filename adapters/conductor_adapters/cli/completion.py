"""`conductor completion`: the script that lets a shell complete the commands and options.

Rule: the script is click's own; the shell asks `conductor` itself what may follow, so a new
command or option needs nothing here.
"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from conductor_adapters.cli.console import say_json

SHELLS: Final = ("bash", "fish", "zsh")
PROGRAM: Final = "conductor"
ASKED_BY: Final = "_CONDUCTOR_COMPLETE"
"""The variable by which a shell asks what may follow."""


HELP: Final = """Print the script that completes `conductor` in a shell.

\b
bash: conductor completion bash >> ~/.bashrc
zsh:  conductor completion zsh >> ~/.zshrc
fish: conductor completion fish > ~/.config/fish/completions/conductor.fish
"""


@click.command(help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--json", "as_json", is_flag=True, help="Write an object with the script.")
@click.pass_context
def completion(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that completes `conductor` in a shell."""
    kind = get_completion_class(shell)
    assert kind is not None, f"click completes in {shell}"
    script = kind(ctx.find_root().command, {}, PROGRAM, ASKED_BY).source()
    if as_json:
        say_json({"shell": shell, "script": script})
    else:
        click.echo(script)
