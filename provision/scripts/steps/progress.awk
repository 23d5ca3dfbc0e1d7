# Says in one line how far what takes long has come in the last run of a step, by the step's log: nothing where that cannot be told.

function begun() {
	said = ""
	packages = fetched = unpacked = ready = layers = complete = 0
}

/^=== / || /^--- step / || /^[a-z-]+\.sh: / { begun() }
/^=== / { at = "" }
/^--- step / { at = $3 }

# apt-get
/^[0-9]+ upgraded, [0-9]+ newly installed, / {
	begun()
	packages = $1 + $3
}
packages && /^Get:[0-9]+ / { said = ++fetched " of " packages " packages fetched" }
packages && /^Unpacking / { said = ++unpacked " of " packages " packages unpacked" }
packages && /^Setting up / { said = ++ready " of " packages " packages set up" }

# BuildKit: "#12 [build web 4/9] RUN …". What it runs may be anybody's to read in the log, and is not said here.
match($0, /^#[0-9]+ \[[^\]]*[0-9]+\/[0-9]+\] /) {
	inside = substr($0, 1, RLENGTH - 2)
	sub(/^#[0-9]+ \[/, "", inside)
	count = split(inside, words, " ")
	split(words[count], step, "/")
	said = "building: step " step[1] " of " step[2] (count > 1 ? " of " words[count - 1] : "")
}
/^#[0-9]+ exporting / { said = "building: writing the image" }

# docker pull
/^[0-9a-f]+: Pulling fs layer$/ { layers++ }
/^[0-9a-f]+: Already exists$/ { layers++ }
/^[0-9a-f]+: (Pull complete|Already exists)$/ { complete++ }
layers && /^[0-9a-f]+: / { said = "pulling: " complete " of " layers " layers" }

END { print (at == "dump" && said == "") ? "dumping" : said }
