#!/usr/bin/env bash
# Train kiwi-mini: tools/mini/train.sh MLQE-PE MQM [OUT]
# Each stage takes hours on two cores and goes on where it was interrupted: run the same command again.
set -euo pipefail
assessments=$1 annotations=$2 out=${3:-build/mini}
here=$(dirname "$0")
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

# Run a step, unless what it writes last is there.
once() {
  local made=$1
  shift
  [ -e "$made" ] || "$@"
}

# Train a stage by a configuration, or resume it, unless it has finished.
stage() {
  local name=$1 configuration=$2
  shift 2
  if grep -qs '"status": "finished"' "$out/$name/run.json"; then
    return
  fi
  local resume=()
  if [ -e "$out/$name/resume.safetensors" ]; then
    resume=(trainer.resume=true)
  fi
  "$python" -m kiwi train "$here/$configuration.yaml" "_out=$out" "_data=$out/data/$name" "$@" "${resume[@]}"
}

# Train two systems from one, each on a half of the segments of a stage, at the same time, and average them.
halves() {
  local name=$1 before=$2 rate=$3 half running=()
  shift 3
  for half in 0 1; do
    stage "$name-$half" second "_stage=$name-$half" "system.load=$before" system.model.encoder.dropout=0.0 \
      "system.optimizer.encoder_learning_rate=$rate" "$@" &
    running+=($!)
  done
  wait "${running[0]}"
  wait "${running[1]}"
  once "$out/$name" "$python" "$here/average.py" "$out/$name-0/best_model" "$out/$name-1/best_model" "$out/$name" --share 0.5
}

mkdir -p "$out"
once "$out/multilingual-e5-small" "$python" -m kiwi encoder multilingual-e5-small "$out/multilingual-e5-small"
once "$out/data/first/dev.spans.tsv" "$python" "$here/prepare.py" "$assessments" "$annotations" "$out/data"
once "$out/data/errors" "$python" -m kiwi corpus corrupt "$out/data/errors" "$out/data/good.tsv" \
  --columns source=source,target=target,lp=lp --whole 0.5 --clean 0.1 \
  --kinds drop,drop-negation,repeat,swap,replace,name,number,leave,add,truncate,twice,untranslated,unrelated,foreign
once "$out/data/calibration.spans.tsv" "$python" "$here/prepare.py" "$assessments" "$annotations" "$out/data" \
  --errors "$out/data/errors"
stage first first "_encoder=$out/multilingual-e5-small"
stage second second
stage third second _stage=third _before=second
once "$out/average" "$python" "$here/average.py" "$out/second/best_model" "$out/third/best_model" "$out/average"
halves fourth "$out/average" 0.00015
halves fifth "$out/fourth" 0.0001
once "$out/earlier" "$python" "$here/average.py" "$out/average" "$out/fourth" "$out/earlier" --share 0.5
once "$out/five" "$python" "$here/average.py" "$out/earlier" "$out/fifth" "$out/five" --share 0.5
stage sixth second _stage=sixth "system.load=$out/five" system.model.encoder.dropout=0.0 \
  system.optimizer.encoder_learning_rate=0.0002 system.optimizer.learning_rate=0.0007
once "$out/six" "$python" "$here/average.py" "$out/five" "$out/sixth/best_model" "$out/six" --share 0.5
halves seventh "$out/six" 0.0001 trainer.checkpoint.validation_steps=1.0
once "$out/later" "$python" "$here/average.py" "$out/sixth/best_model" "$out/seventh" "$out/later" --share 0.5
once "$out/seven" "$python" "$here/average.py" "$out/five" "$out/later" "$out/seven" --share 0.5
stage eighth second _stage=eighth "system.load=$out/seven" system.model.encoder.dropout=0.0 \
  system.optimizer.encoder_learning_rate=0.0001 trainer.checkpoint.validation_steps=1.0
once "$out/eight" "$python" "$here/average.py" "$out/seven" "$out/eighth/best_model" "$out/eight" --share 0.5

# Thresholds are chosen on development data, for each language pair: by MCC for tags, by F1 for spans.
dev=$out/data/second
once "$out/tags" "$python" -m kiwi thresholds "$out/eight" "$out/tags" \
  -s "$dev/tags.src" -t "$dev/tags.mt" --lp "$dev/tags.lp" --target-tags "$dev/tags.tags" --source-tags "$dev/tags.source_tags"
once "$out/spans" "$python" -m kiwi thresholds "$out/tags" "$out/spans" \
  -s "$dev/spans.tsv" -t "$dev/spans.tsv" --lp "$dev/spans.tsv" --error-spans "$dev/spans.tsv"

# Pieces that the texts do not need are cut; the rest in 8 and 4 bits is what is published.
texts=()
for side in src mt; do
  texts+=("$assessments"/*/train.raw.$side "$out"/data/*/train.$side)
done
once "$out/trimmed" "$python" -m kiwi trim "$out/spans" "$out/trimmed" "${texts[@]}" --vocabulary 96000
once "$out/int8" "$python" -m kiwi export "$out/trimmed" "$out/int8" --int8 --int4-embeddings

# Intervals are those of the scores in 8 bits, on development segments that nothing was chosen on.
once "$out/calibrated" "$python" -m kiwi calibrate "$out/int8" "$out/calibrated" \
  -s "$out/data/calibration.src" -t "$out/data/calibration.mt" --lp "$out/data/calibration.lp" --gold "$out/data/calibration.da"

once "$out/dev.md" "$python" "$here/figures.py" "$out/calibrated" "$assessments" "$annotations" "$out/dev.md" --wrong 300
once "$out/test20.md" "$python" "$here/figures.py" "$out/calibrated" "$assessments" "$annotations" "$out/test20.md" --part test20
# A system that does not know one of the language pairs shows what a new pair gains.
stage others first "_encoder=$out/multilingual-e5-small" "run.output_dir=$out/others"
once "$out/adapt/adapt.svg" "$python" "$here/../../benchmarks/adapt.py" "$out/others/best_model" "$assessments/et-en" "$out/adapt"
once "$out/package" "$python" -m kiwi publish "$out/calibrated" "$out/package" --package kiwi-qe-mini --license "Apache-2.0 AND MIT"
cat "$here/card.md" "$out/test20.md" <(echo) "$out/dev.md" <(echo) "$out/adapt/adapt.md" > "$out/package/README.md"
cp "$out/adapt/adapt.svg" "$out/package"
