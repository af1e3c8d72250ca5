#!/usr/bin/env bash
# Packs many fine-tunes in a Slurm array: sbatch slurm.sh JOBS OUT
# Started again, it does what is not done yet. One shard alone: sbatch --array=7 slurm.sh JOBS OUT
#SBATCH --job-name=finedelta
#SBATCH --array=0-99
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

shards=100 # as many as --array above has, also when a part of it is run again
jobs=$1 out=$2

mkdir -p "$out/reports"
# As a step, so that the time limit's SIGTERM reaches it.
srun python -m finedelta.cluster pack "$jobs" "$out" \
  --shard "$SLURM_ARRAY_TASK_ID/$shards" --report "$out/reports/$SLURM_ARRAY_TASK_ID.json"
