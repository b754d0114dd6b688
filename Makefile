# scimbulk needs Go, make and git. Where no C compiler is found, the tests run
# without the race detector, which needs one.

GO      ?= go
BINARY  := bin/scimbulk

# Raise on purpose, not by accident.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

RACE      := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
TESTFLAGS ?=
BENCHTIME ?= 200ms

# What make torture does: kills in all, rows of each run, the first seed, one
# scenario/dialect alone, and the page in whose marks the tables are put.
RUNS ?= 1000
ROWS ?= 2000
SEED ?= 1
ONLY ?=
PAGE ?=
TORTURE := $(GO) test ./torture -count=1 -timeout 0 -v

.DEFAULT_GOAL := help
.PHONY: help build demo test test-long torture torture-broken torture-export bench bench-short microbench lint clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

build: ## build bin/scimbulk
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BINARY) ./cmd/scimbulk

demo: build ## the main job on made-up people, against the embedded directory
	@samples/demo.sh $(BINARY)

test: ## all tests, with the race detector
	$(GO) test $(RACE) $(TESTFLAGS) ./...

test-long: ## the same with more rows, seeds and draws: half an hour
	SCIMBULK_TEST_LONG=1 $(GO) test $(RACE) -count=1 -timeout 0 $(TESTFLAGS) ./...

torture: ## kill runs, the directory and the network again and again, and check (RUNS= ROWS= SEED= ONLY= PAGE=docs/reliability.md)
	$(TORTURE) -run '^(TestTorture|TestDamagedLog|TestDamagedPages)$$' -args -every -runs $(RUNS) -rows $(ROWS) -seed $(SEED) \
	  -only '$(ONLY)' -cuts 0 $(if $(PAGE),-page '$(abspath $(PAGE))')

torture-broken: ## torture builds that are wrong on purpose, and want them caught
	$(TORTURE) -run '^TestBrokenBuildsAreCaught$$' -args -broken

torture-export: ## RUNS=1000 randomised exports under churn and faults; writes the table in docs/export.md
	$(GO) test ./internal/pipeline -run '^TestNoExportIsFalselyProven$$' -timeout 0 -count 1 \
	  -export-total $(RUNS) -export-seed $(SEED) -export-table ../../docs/export.md

bench: build ## measure by ratios, and write bench/RESULTS.md (ten minutes; ONLY=import,export measures parts alone)
	$(GO) run ./bench -binary $(BINARY) $(if $(ONLY),-only '$(ONLY)',-out bench/RESULTS.md)

bench-short: build ## the same, small: fails on ratios far outside the noise
	$(GO) run ./bench -binary $(BINARY) -short

microbench: ## the Go benchmarks: compare the ratios, not the times
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); \
	  if [ -n "$$unformatted" ]; then echo "gofmt -w these:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

clean: ## remove what build, demo and runs have left
	rm -rf bin .scimbulk/demo
