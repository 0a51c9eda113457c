"""``bylag completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from connector.cli.failing import COMPLETE


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete bylag's commands and options.

    \b
    Examples:
      bylag completion bash > ~/.local/share/bash-completion/completions/bylag
      bylag completion zsh > "${fpath[1]}/_bylag"
      bylag completion fish > ~/.config/fish/completions/bylag.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  # click has the three that can be chosen
    click.echo(found(context.find_root().command, {}, "bylag", COMPLETE).source())
