#!/bin/sh
# Prints .env.example with a random value for every secret that it leaves empty: sh deploy/compose/secrets.sh > .env
set -eu
while IFS= read -r line; do
  case $line in
    [A-Z]*=) echo "$line$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) echo "$line" ;;
  esac
done <"$(dirname "$0")/../../.env.example"
