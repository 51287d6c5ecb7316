"""The command line, called in this process."""

from hmr_edu.cli import main


def failing(capsys, *argv: object) -> str:
    """Run a command that must fail; returns its one line."""
    try:
        code = main([str(a) for a in argv])
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    return capsys.readouterr().err
