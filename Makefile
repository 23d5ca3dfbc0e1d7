# The contract: `make rehearse` runs the main job, `make test` passes the tests. Both install what they lack.

# A command in a container of its own on a stack's server: make run STACK=production SERVICE=web -- rake db:seed
# What follows is the command, and no target of this file; where it has quotes, dollars or NAME=value in it: COMMAND='…'.
ifeq ($(firstword $(MAKECMDGOALS)),run)

MAKEFLAGS += --silent
export BERTH_RUN := $(or $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS)),$(value COMMAND))

.PHONY: run
run:
	@[ -n '$(STACK)' ] && [ -n '$(SERVICE)' ] && [ -n "$$BERTH_RUN" ] || { echo "Say where and what: make run STACK=production SERVICE=web -- rake db:seed" >&2; exit 2; }
	@cd '$(or $(BERTH_OPERATOR),.)' && '$(CURDIR)/tools/ssh.sh' '$(STACK)' "sudo /opt/berth/deploy.sh run $(SERVICE) $$BERTH_RUN"

.DEFAULT:
	@:

else

# What is slow to make is kept outside the checkout.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/berth
BIN   := $(CACHE)/bin

# Settings for one rehearsal: make rehearse SET=instanceType=t3.small. They reach it by its environment, as they are: neither
# make nor a shell reads a quote or a dollar in them.
SET ?=
unexport SET
rehearse $(addprefix rehearse-,preview refresh destroy clean status ssh shell snapshot dashboard): export BERTH_SET = $(value SET)
rehearse: export BERTH_TRY = $(value APP)
# An app of your own to rehearse, a folder or a git URL: make rehearse APP=../my-app
APP ?=
# A rehearsal beside another one has a name: make rehearse NAME=shop APP=../shop, make rehearse-clean NAME=shop
NAME ?=
# New hosts have Debian's packages, which a server in AWS installs first: make rehearse BARE=yes does so, too.
BARE ?=
WARM = $(if $(BARE),,--warm)
REHEARSAL = $(BIN)/rehearsal --project . $(if $(NAME),--name 'berth-$(NAME)')

# A first build fetches hundreds of modules, one per line, which are not worth reading.
SHELL := bash
WITHOUT_DOWNLOADS := 2> >(grep -v '^go: downloading' >&2)

# When this began, for the time that a rehearsal prints.
export BERTH_BEGAN := $(shell date +%s)

# The CLI that is built where none is installed, and the oldest one that is supported (the program's error hooks need it).
PULUMI_VERSION := $(shell sed -n 's|^\t*github.com/pulumi/pulumi/pkg/v3 \(v[0-9.]*\).*|\1|p' tools/pulumi/go.mod)
PULUMI_OLDEST  := v3.217.0

GO_FOLDERS := . cmd/doctor cmd/eject rehearsal tests
SCRIPTS = $(shell git ls-files '*.sh' .githooks) .ci/run

.PHONY: doctor eject ssh open status rehearse rehearse-preview rehearse-refresh rehearse-destroy rehearse-clean rehearse-status rehearse-ssh rehearse-shell \
        rehearse-snapshot rehearse-dashboard push test test-all test-e2e-all test-faults test-grow test-runbook test-unit test-e2e test-one test-one-clean test-attackers test-wild bench pictures lint outdated vulnerabilities sbom tools stage cli programs images machine test-machine settings-table problems help

help:
	@echo 'make doctor             what blocks pulumi up on this machine and in the account (STACK=production)'
	@echo 'make eject INTO=DIR     the release as Kubernetes manifests, without values of secrets (STACK=production)'
	@echo 'make rehearse           the whole way from nothing to HTTPS, offline (a second run is an update)'
	@echo 'make rehearse APP=DIR   the same with an app of your own: a folder or a git URL with a compose file'
	@echo 'make rehearse BARE=yes  on a host that installs its packages first, as a server in AWS does'
	@echo 'make rehearse-preview   what a run would change    make rehearse-refresh  read the account back'
	@echo 'make rehearse-ssh       log in to the host         make rehearse-status   what is running'
	@echo 'make rehearse-shell     pulumi and aws on it       make push              scripts onto the host, in seconds'
	@echo 'make ssh STACK=NAME     a shell on its server       make run STACK=NAME SERVICE=NAME -- COMMAND…   a command in the app'
	@echo 'make open STACK=NAME    the site in the browser    make status STACK=NAME   its status page, through SSH'
	@echo 'make rehearse-destroy   pulumi destroy             make rehearse-clean    take everything away'
	@echo 'make test               what every change passes   make test-unit         its fast part'
	@echo 'make test-all           that, and what takes longer: releases under load, renewals, snapshots, mails, apps of all kinds'
	@echo 'make test-one TEST=NAME a part of one, in seconds   make test-one-clean   take down what it leaves standing'
	@echo 'make test-attackers     what attackers get, longer than in make test'
	@echo 'make test-faults        that, and everything interrupted and broken; writes docs/reliability.md'
	@echo 'make test-grow          from one server to three and back, under load; writes docs/growth.md'
	@echo 'make test-wild          compose files as people write them, all of them'
	@echo 'make bench              releases beside other ways to release, as ratios'
	@echo 'make outdated           which dependencies have a newer release'
	@echo 'make pictures           the pictures of README and docs, from a rehearsal'

# What blocks `pulumi up`, before it; JSON=yes prints it for programs. A warning is no error of make's. In
# make rehearse-shell BERTH_OPERATOR is where the stack's settings are.
doctor:
	@command -v go >/dev/null || { echo 'There is no go on this machine, with which Berth is built: install it from https://go.dev/dl/' >&2; exit 2; }
	@[ -x $(BIN)/doctor ] || echo 'Building the doctor (a minute or two, once)' >&2
	@mkdir -p $(BIN) && cd cmd/doctor && go build -o $(BIN)/ . $(WITHOUT_DOWNLOADS)
	@$(BIN)/doctor --project '$(CURDIR)' --settings '$(or $(BERTH_OPERATOR),$(CURDIR))' $(if $(STACK),--stack '$(STACK)') $(if $(JSON),--json) || [ $$? -eq 1 ]

# The release of a stack as Kubernetes manifests, in a new folder. The settings are read as a preview reads them.
INTO ?= kubernetes$(if $(STACK),-$(STACK))
eject:
	@command -v go >/dev/null || { echo 'There is no go on this machine, with which Berth is built: install it from https://go.dev/dl/' >&2; exit 2; }
	@[ -x $(BIN)/eject ] || echo 'Building eject (a minute or two, once)' >&2
	@mkdir -p $(BIN) && cd cmd/eject && go build -o $(BIN)/ . $(WITHOUT_DOWNLOADS)
	@$(BIN)/eject --settings '$(or $(BERTH_OPERATOR),$(CURDIR))' --into '$(INTO)' $(if $(STACK),--stack '$(STACK)')

rehearse: machine stage
	@$(REHEARSAL) $(WARM) $(if $(APP),try "$$BERTH_TRY",up)

rehearse-preview rehearse-refresh rehearse-destroy: rehearse-%: machine tools
	$(REHEARSAL) $*

rehearse-clean rehearse-status rehearse-ssh rehearse-shell rehearse-snapshot rehearse-dashboard: rehearse-%: machine tools
	@$(REHEARSAL) $*

# Each part, and how long it took.
TIMED = @total=$$SECONDS; for part in $(1); do began=$$SECONDS; $(MAKE) --no-print-directory $$part || exit; \
	  took+="$$part: $$((SECONDS - began)) s"$$'\n'; done; printf '%sin all: %s s\n' "$$took" "$$((SECONDS - total))"

test: test-machine
	$(call TIMED,lint test-unit test-e2e)

test-all: test-machine
	$(call TIMED,lint test-unit test-e2e-all)

test-unit: test-machine tools
	@# The last of them read files above their module, of which Go's cache of results knows by this sum alone.
	@export BERTH_PULUMI=$(BIN)/pulumi BERTH_SOURCES=$$(git ls-files -z --cached --others --exclude-standard | xargs -0 sha256sum 2>/dev/null | sha256sum); \
	for folder in . rehearsal cmd/doctor cmd/eject; do (cd $$folder && go test ./...) || exit 1; done
	cd tests && go test -count=1 -timeout 30m ./databases ./failclosed ./program ./report ./runbook ./volume ./workflows

# Go prints what several packages say only when each is done.
test-e2e: test-machine tools
	cd tests && go test -count=1 ./load && BERTH_BIN=$(BIN) go test -count=1 -timeout 65m -v .

# test-machine installs npm for it, too: MongoDB's shell is a package of npm's.
test-e2e-all: export BERTH_ALL := 1
test-e2e-all: test-machine tools
	cd tests && go test -count=1 -run Mongo ./databases && (cd ../cmd/eject && go test -count=1 -run Corpus .) && go test -count=1 ./load && BERTH_BIN=$(BIN) go test -count=1 -timeout 120m -v .

# All the apps of tests/apps/wild, of which make test releases some.
test-wild: test-machine tools
	cd tests && BERTH_BIN=$(BIN) BERTH_WILD=all go test -count=1 -timeout 60m -run TestReleasesNobodyNotices/compose_in_the_wild -v .

# What attackers get, more than in make test: with a rehearsal of its own and a minute of load.
test-attackers: test-machine tools
	cd tests && BERTH_BIN=$(BIN) go test -count=1 -timeout 60m -v ./attackers

# Every command of the runbook's pages for the operator, with Pulumi's own command.
test-runbook: test-machine tools
	cd tests && BERTH_BIN=$(BIN) BERTH_RUNBOOK=1 go test -count=1 -timeout 30m -run TestTheRunbook -v .

# What interruptions, faults and power cuts leave behind; the figures go to docs/reliability.md. All of it takes hours; each
# test function starts a rehearsal of its own and can be run alone.
test-faults: test-machine tools
	cd tests && BERTH_BIN=$(BIN) BERTH_FIGURES=$(CURDIR)/docs/reliability.md go test -count=1 -p 1 -timeout 240m -v ./databases ./volume ./faults ./attackers

# What visitors notice of a release, beside other ways to release; ROUNDS of it.
ROUNDS ?= 3
bench: test-machine tools
	cd tests && BERTH_BIN=$(BIN) BERTH_BENCH=$(ROUNDS) go test -count=1 -timeout 60m -run TestBench -v .

# The pictures of README and docs, drawn from a rehearsal.
pictures: test-machine tools
	@tools/machine.sh pictures
	@mkdir -p docs/pictures
	cd tests && BERTH_BIN=$(BIN) BERTH_PICTURES=$(CURDIR)/docs/pictures go test -count=1 -timeout 30m -run TestPictures -v .

lint: test-machine
	shellcheck --external-sources $(SCRIPTS)
	@mkdir -p $(BIN) && cd tools/lint && go build -o $(BIN)/ mvdan.cc/sh/v3/cmd/shfmt
	@unformatted=$$($(BIN)/shfmt --list $(SCRIPTS)) && { [ -z "$$unformatted" ] || { echo "shfmt --write "$$unformatted; exit 1; }; }
	@for folder in $(GO_FOLDERS); do \
	  echo "gofmt, go vet, errcheck, staticcheck: $$folder"; \
	  (cd $$folder && unformatted=$$(gofmt -l .) && { [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted"; exit 1; }; } && \
	    go vet ./...) || exit 1; \
	done
	@mkdir -p $(BIN)
	@cd tools/lint && go build -o $(BIN)/ github.com/kisielk/errcheck github.com/rhysd/actionlint/cmd/actionlint github.com/securego/gosec/v2/cmd/gosec honnef.co/go/tools/cmd/staticcheck
	@echo 'actionlint: .github/workflows' && $(BIN)/actionlint
	@# Idioms that a reader has to read twice.
	@echo 'words: tools/lint/words.txt' && ! git grep -nE -f tools/lint/words.txt -- ':!tools/lint/words.txt' ':!*.json' ':!*.svg' ':!*.sum' ':!tests/apps'
	@# What an operator runs. It reads files and starts git by names that it is given (G304, G204): that is its work.
	@echo 'gosec' && $(BIN)/gosec -quiet -exclude=G204,G304 -exclude-dir=tests -exclude-dir=rehearsal -exclude-dir=tools -exclude-dir=cmd/doctor -exclude-dir=cmd/eject ./... && \
	  for folder in cmd/doctor cmd/eject; do (cd $$folder && $(BIN)/gosec -quiet -exclude=G204,G304 ./...) || exit 1; done
	@for folder in $(GO_FOLDERS); do \
	  (cd $$folder && $(BIN)/errcheck -exclude $(CURDIR)/tools/lint/errcheck.txt ./... && $(BIN)/staticcheck ./...) || exit 1; \
	done

# A shell on a stack's server.
ssh:
	@[ -n '$(STACK)' ] || { echo "Say where: make ssh STACK=production" >&2; exit 2; }
	@cd '$(or $(BERTH_OPERATOR),.)' && '$(CURDIR)/tools/ssh.sh' '$(STACK)'

# The site, or the status page of its server, in the browser.
open status:
	@[ -n '$(STACK)' ] || { echo "Say which: make $@ STACK=production" >&2; exit 2; }
	@cd '$(or $(BERTH_OPERATOR),.)' && '$(CURDIR)/tools/open.sh' $(if $(filter open,$@),site,status) '$(STACK)'

# The scripts as they are in this checkout, onto the standing rehearsal's host: what a changed one does is seen in seconds.
push:
	@$(PACKED) | $(REHEARSAL) $(UNPACK)

# As pulumi up does it: the archive into the script that installs it.
PACKED = tar --create --gzip --mode=755 --exclude=scripts.go --directory provision/scripts . | base64
UNPACK = ssh -- "$$(cat provision/scripts/install.sh)"

# A subtest of the main test, with the scripts of this checkout, against a rehearsal that the first run makes and none takes down.
STANDING = $(BIN)/rehearsal --project . --name berth-test --dir $${TMPDIR:-/tmp}/berth-test
test-one: test-machine
	@[ -n '$(TEST)' ] || { echo "Say which: make test-one TEST=the_state_fits" >&2; exit 2; }
	@[ -x $(BIN)/rehearsal ] || $(MAKE) --no-print-directory tools
	@[ -z "$$(docker container ls --quiet --filter name=berth-test-i-)" ] || $(PACKED) | $(STANDING) $(UNPACK)
	cd tests && BERTH_BIN=$(BIN) BERTH_REUSE=1 go test -count=1 -v -run 'TestFromNothingToHTTPSAndBack/$(TEST)' .

test-one-clean:
	$(STANDING) clean

# Which of the modules that are named have a newer release, one per line; one that the proxy does not list is unknown. Another
# major version is another module: look for that yourself. To update: go get MODULE@latest in that folder, then go mod tidy.
outdated:
	@for folder in $(GO_FOLDERS) tools/lint tools/mongo tools/pulumi; do (cd $$folder && \
	  direct=$$(go list -m -f '{{if not (or .Indirect .Main .Replace)}}{{.Path}}{{end}}' all) && \
	  tools=$$(go list -f '{{with .Module}}{{.Path}}{{end}}' tool 2>/dev/null) && \
	  go list -e -m -u -f "{{with .Update}}$$folder: {{\$$.Path}} {{\$$.Version}} -> {{.Version}}{{end}}{{if .Error}}$$folder: {{.Path}} {{.Version}} -> unknown{{end}}" $$direct $$tools) || exit 1; done

# Known vulnerabilities of what is called. It asks the Go project's database, so CI does it and make test does not.
vulnerabilities:
	@mkdir -p $(BIN)
	@cd tools/lint && go build -o $(BIN)/ golang.org/x/vuln/cmd/govulncheck
	@for folder in $(GO_FOLDERS); do (cd $$folder && $(BIN)/govulncheck ./...) || exit 1; done

# What a release is made of, in CycloneDX's format.
sbom:
	@mkdir -p $(BIN)
	@cd tools/lint && go build -o $(BIN)/ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
	@$(BIN)/cyclonedx-gomod app -json -licenses -packages -output bom.json . && echo bom.json

# Pulumi.yaml, Pulumi.production.yaml and README's table show the settings of internal/config/settings.go; docs/problems.md
# lists what the source refuses.
settings-table:
	go test ./internal/config -run TheTableIsEverywhere -update
problems:
	go test ./internal/release -run ProblemsAreListed -update

# What runs on this machine or inside the rehearsal's containers. Go's own cache makes an unchanged build a matter of
# seconds; the Pulumi CLI is linked only when its version changes. An installed CLI that is new enough is copied instead:
# beside its own Go language host it would use that one.
tools:
	@$(MAKE) --no-print-directory -j2 cli programs

# With the hosts' images beside them: Go is the processors' work, Debian's archive the network's.
stage:
	@$(MAKE) --no-print-directory -j3 cli programs images SET=

cli:
	@mkdir -p $(BIN)
	@installed=$$(pulumi version 2>/dev/null) || installed=none; \
	if [[ $$installed =~ ^v[0-9]+\.[0-9]+\.[0-9]+$$ ]] && printf '%s\n' $(PULUMI_OLDEST) "$$installed" | sort --check --version-sort 2>/dev/null; then \
	  chosen=pulumi-installed-$$installed; \
	  [ -x $(BIN)/$$chosen ] || { echo "Using the installed Pulumi CLI $$installed" && cp --dereference "$$(command -v pulumi)" $(BIN)/$$chosen.new && mv $(BIN)/$$chosen.new $(BIN)/$$chosen; }; \
	else \
	  chosen=pulumi-$(PULUMI_VERSION); \
	  $(MAKE) --silent $(BIN)/$$chosen; \
	fi && ln -sfn $$chosen $(BIN)/pulumi

programs:
	@mkdir -p $(BIN)
	@[ -e $(BIN)/rehearsal ] || echo 'Building the rehearsal (about a minute, once)'
	@cd rehearsal && CGO_ENABLED=0 go build -ldflags '-s -w' -o $(BIN)/ . ./cmd/... github.com/letsencrypt/pebble/v2/cmd/pebble $(WITHOUT_DOWNLOADS)

# Of the standard library and the scripts alone, it is there long before the rest.
images:
	@mkdir -p $(BIN)
	@cd rehearsal && CGO_ENABLED=0 go build -ldflags '-s -w' -o $(BIN)/rehearsal-images ./machineimage/make && $(BIN)/rehearsal-images $(WARM) $(CACHE)/packages

# Its version names it: a checkout that is newer builds it no second time.
$(BIN)/pulumi-$(PULUMI_VERSION):
	@echo 'Building the Pulumi CLI $(PULUMI_VERSION) from its Go module (about 3 minutes, once): none that is $(PULUMI_OLDEST) or newer is installed'
	@mkdir -p $(BIN)
	@cd tools/pulumi && go build -trimpath -o $@.new \
	  -ldflags '-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$(PULUMI_VERSION)' \
	  github.com/pulumi/pulumi/pkg/v3/cmd/pulumi $(WITHOUT_DOWNLOADS)
	@mv $@.new $@

# What the machine itself lacks: installed on Debian as root, named otherwise.
machine:
	@tools/machine.sh rehearse

test-grow: test-machine tools
	cd tests && BERTH_BIN=$(BIN) BERTH_FIGURES=$(CURDIR)/docs/growth.md go test -count=1 -timeout 90m -v ./grow

test-machine:
	@tools/machine.sh test

endif
