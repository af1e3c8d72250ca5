#!/usr/bin/env bash
# Walks through a validation report of a small real fine-tune, live: what was changed, what is measured,
# what the report says of it, and what happens to damaged archives. Leaves the report in build/demo-report.
set -euo pipefail

cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD/build/python PYTHONDONTWRITEBYTECODE=1
python=build/venv/bin/python
base=examples/demo/base.safetensors
fine_tune=examples/demo/fine-tune.safetensors
report=build/demo-report

step() {
  printf '\n\n== %s\n\n$ finedelta %s\n' "$1" "${*:2}"
  "$python" -m finedelta "${@:2}"
}

# show TITLE: the section of that title, as Markdown.
show() {
  awk -v title="## $1" '/^## / { shown = index($0, title) == 1 } shown' "$report/report.md"
}

# `diff` ends with 3 where there is something to show.
step 'What the fine-tune changed' diff "$base" "$fine_tune" || [[ $? == 3 ]]
step 'A report of it' validate "$base" "$fine_tune" -o "$report" --force
printf '\n\n== What it says of claims that are made of such tools\n\n'
show '5. Claims'
printf '\n\n== How large it would get, and how long that would take\n\n'
show '6. Extrapolation'
printf '\n\n== What to do with it, and mishaps that were tried\n\n'
show '7. Recommendations'
printf '\n\nAll of it, with charts: %s/report.html\n' "$report"
