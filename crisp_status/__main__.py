"""`python -m crisp_status`: the same as `crisp-status`."""

from crisp_status.cli import main

if __name__ == "__main__":
    main()
