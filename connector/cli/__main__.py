"""``python -m connector.cli`` is ``bylag``."""

from connector.cli import main

if __name__ == "__main__":
    main()
