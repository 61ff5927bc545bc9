#!/usr/bin/env python3
"""Prints the doctor's answer, which comes on the standard input, for a person: what is wrong comes last.

    report.py                     in Chinese and in English
    report.py --language zh-CN    in one of them: zh-CN or en
    report.py --json              the answer as it is

It ends with 0, with 1 if something is wrong, and with 2 if what comes in is no answer of the doctor's.
"""

import argparse
import json
import sys

MARKS = {"ok": "✓ 正常 · ok", "note": "• 提示 · note", "wrong": "✗ 有误 · wrong"}
COLOURS = {"ok": "32", "note": "33", "wrong": "31"}


def printed(found, languages, is_coloured):
    """A finding, as lines of text."""
    mark = MARKS[found["severity"]]
    if is_coloured:
        mark = f"\033[{COLOURS[found['severity']]}m{mark}\033[0m"
    lines = [f"{mark}   {found['subject']}   {found['finding']}"]
    for language in languages:
        if language in found:
            said = found[language]
            lines.append(f"    {said['saw']}")
            if said["remedy"]:
                lines.append(f"    → {said['remedy']}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--language", choices=["zh-CN", "en"])
    arguments = parser.parse_args()
    text = sys.stdin.read()
    try:
        answer = json.loads(text)
        findings = sorted(answer["findings"], key=lambda found: list(MARKS).index(found["severity"]))
        languages = [arguments.language] if arguments.language else ["zh-CN", "en"]
        shown = [printed(found, languages, sys.stdout.isatty()) for found in findings]
        counted = {severity: sum(found["severity"] == severity for found in findings) for severity in MARKS}
    except (ValueError, KeyError, TypeError):
        print("这不是 doctor 的结果。\nThis is no answer of the doctor's:", file=sys.stderr)
        print(text.strip()[:2000], file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print("\n\n".join(shown))
        print(f"\n{answer['version']}: " + ", ".join(f"{count} {severity}" for severity, count in counted.items()))
    return 1 if counted["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
