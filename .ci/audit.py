"""Ask the advisory database about every pinned dependency: `python .ci/audit.py constraints-dev.txt`.

Exit 1 when one has a known hole. Without a network, or where the registry has no advisories, nothing can be
known: that is said loudly and is no failure.
"""

import json
import subprocess
import sys

SECONDS_MAX = 120


def main(constraints: str) -> int:
    """Run pip-audit and say in one line what it means."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--no-deps"]
    command += ["--requirement", constraints, "--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
        answers = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("!! AUDIT NOT DONE: the advisory database cannot be reached from here")
        return 0
    for answer in answers:
        for hole in answer.get("vulns", []):
            better = ", ".join(hole["fix_versions"]) or "no version yet"
            print(f"{answer['name']} {answer['version']}: {hole['id']}, mended in {better}")
    asked = [answer for answer in answers if "vulns" in answer]
    holes = sum(len(answer["vulns"]) for answer in asked)
    if not asked:
        print(f"!! AUDIT NOT DONE: the registry answers nothing about our {len(answers)} dependencies")
    else:
        print(f"audit: {len(asked)} of {len(answers)} dependencies asked about, {holes} known holes")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
