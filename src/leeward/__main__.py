"""``python -m leeward`` is the ``leeward`` command."""

from leeward.cli.main import main

if __name__ == "__main__":
    main()
