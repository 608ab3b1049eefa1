#!/bin/bash
# Stands in for the command of its name: asks the gate (tool-gate.ts) whether it runs, and tells it how it has ended. Bash, for /dev/tcp.
tool=${0##*/}
PATH=${PATH#*:} # the folder of stand-ins comes first
exec {gate}<> "/dev/tcp/127.0.0.1/$TOOL_GATE_PORT" || exit 126
printf '%s\0' "$tool $*" >&"$gate"
read -r verdict <&"$gate" || exit 126
if [[ $verdict == run || $verdict == cut ]]; then
  if [[ $verdict == run ]]; then
    "$tool" "$@" {gate}>&-
  else
    timeout --signal=KILL 0.05 "$tool" "$@" {gate}>&-
  fi
  printf '%s\0' "$?" >&"$gate"
  read -r verdict <&"$gate" || exit 126
fi
exit "$verdict"
