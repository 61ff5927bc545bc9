#!/bin/sh
# Plays chromedriver for the tests of its start: ends as often as $HOME/ends says, then listens.
echo started >>"$HOME/starts"
if [ "$(wc -l <"$HOME/starts")" -le "$(cat "$HOME/ends")" ]; then
    echo "IPv6 port not available. Exiting..."
    echo "said to stderr" >&2
    exit 1
fi
echo "ChromeDriver was started successfully on port 7."
exec sleep 60
