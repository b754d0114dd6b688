#!/bin/sh
# The main job, from a file of new hires to an export, against the embedded
# directory. Everything goes into .scimbulk/demo, which each run begins anew.
set -eu
cd "$(dirname "$0")/.."
binary=$(pwd)/${1:-bin/scimbulk}
rm -rf .scimbulk/demo
mkdir -p .scimbulk/demo
cp samples/*.csv samples/*.yaml .scimbulk/demo
cd .scimbulk/demo

# shorten shows the first new people of a plan and leaves the others out, and
# indents all.
shorten() {
	awk '/^[A-Z]/ { people = 0 } /^  [+] / { people++ }
		people == 4 && /^  [+] / { print "    (and so on)" }
		people < 4 || /^$/ { print "  " $0 }'
}

# step says what comes and why, shows the command line and runs it. The first
# argument is the exit code that is right here; any other one ends the demo.
step() {
	want=$1
	shift
	printf '\n%s\n' "$1"
	shift
	printf '\n  $ scimbulk %s\n\n' "$*"
	got=0
	"$binary" "$@" --sandbox=directory >out.txt 2>&1 || got=$?
	shorten <out.txt
	if [ "$got" -ne "$want" ]; then
		echo "this ended with exit code $got, and not with $want" >&2
		exit 1
	fi
}

step 3 '1. What would an import of the new hires change? The plan asks the directory and
   writes nothing. Two of the 25 rows cannot be used, so it ends with exit code 3.' \
	plan new_hires.csv -m new_hires.mapping.yaml

step 3 '2. Import them. 23 people are created; the two faulty rows end up in a file that
   can be mended and imported again. That is exit code 3 again: done, with rejects.' \
	import new_hires.csv -m new_hires.mapping.yaml --run-dir runs/first

printf '\n   The rejected rows, as they were read, with the reason in the last column:\n\n'
cut -d , -f 1-3,16- runs/first/rejects.csv | sed 's/^/  /'

step 3 '3. Import the same file again. Everybody is as they should be: no write is sent.' \
	import new_hires.csv -m new_hires.mapping.yaml --run-dir runs/again

step 0 '4. A change set, where each row says what is to be done: promotions, two people to
   deactivate, one to delete. First the plan ...' \
	plan change_set.csv -m change_set.mapping.yaml

step 0 '5. ... then for good. Taking people away needs --yes where nobody can be asked.' \
	import change_set.csv -m change_set.mapping.yaml --yes --run-dir runs/changes

step 0 '6. Export everybody. The file is complete or absent, and its columns are SCIM paths.' \
	export users --out users.csv

step 0 '7. So the export can be imported: into the directory it came from, it changes nothing.' \
	import users.csv --run-dir runs/back

cat <<'END'

What to look at now, in .scimbulk/demo:
  runs/first/results.csv   what became of each row
  runs/first/rejects.csv   the two rows to mend
  runs/first/summary.json  the same for programs
  users.csv                the directory, and users.csv.manifest.json how complete it is
END
