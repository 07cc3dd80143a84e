# certsync: build, demo, tests. `make help` lists the targets.

GO ?= go
# What is compiled for tests is compiled once: with the flags of e2e/harness, which compiles certsync and the servers.
ONCE = CGO_ENABLED=0 GOFLAGS="$$GOFLAGS -trimpath -gcflags=all=-dwarf=false" $(GO)
# Compiling alone: most packages are done before the compiler has 2 GiB of garbage, and collecting it takes a fifth of the time.
COMPILE = GOGC=off GOMEMLIMIT=2GiB $(ONCE)
# The race detector needs cgo and a C compiler.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null 2>&1 && echo -race)

# What is fuzzed, and how often: for some seconds each. By number and not by time, at the end of which Go before 1.27 may
# take its own deadline for a failure (golang/go#75804). Less minimizing, which would take all of that time.
FUZZ := inventory:FuzzParse:15000 inventory:FuzzEncode:10000 inventory:FuzzTeam:4000 inventory:FuzzRequest:10000 \
	reconcile:FuzzParseRecord:20000 reconcile:FuzzParseBindingName:40000 \
	reconcile:FuzzBindingName:25000 reconcile/apply:FuzzPlan:1000 reconcile/usage:FuzzEvents:15000

.PHONY: help build image release session demo test fuzz soak bench lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## compile certsync into .build/bin
	$(GO) build -trimpath -o .build/bin/ ./cmd/certsync

image: ## the container image for amd64 and arm64 into .build/image, the same bytes everywhere; VERSION=v1.2.3, PLATFORMS=linux/arm64 for that one alone
	cd cmd/release && GOFLAGS= GOOS= GOARCH= $(GO) run . -go '$(GO)' -image '$(abspath $(or $(IMAGE),.build/image))' -platforms '$(if $(filter command line,$(origin PLATFORMS)),$(PLATFORMS))'

release: ## archives for linux, darwin and windows and their checksums into .build/release, the same bytes everywhere; VERSION=v1.2.3, RELEASE_URL=https://example.com/certsync/v1.2.3 adds a krew manifest for that address
	cd cmd/release && GOFLAGS= GOOS= GOARCH= $(GO) run . -go '$(GO)' -archives '$(abspath $(or $(RELEASE),.build/release))' -platforms '$(PLATFORMS)' -url '$(RELEASE_URL)'

session: ## run the README's session on real servers, and write down what it prints
	@echo "session: compiling; the first time the servers take 5 to 10 minutes, later seconds"
	$(ONCE) test -count=1 ./e2e -run '^TestReadmeSession$$' -update-readme

demo: ## the main job on real servers, started on loopback for it; KEEP=1 leaves them up
	@echo "demo: compiling; the first time the servers take 5 to 10 minutes, later seconds"
	@$(COMPILE) build -o .build/bin/ ./e2e/demo
	@KEEP=$(KEEP) .build/bin/demo

test: ## everything, against real servers too; it prints the time of each package, and of all
	@echo "test: compiling; the first time the servers take 5 to 10 minutes, later seconds"
	@started=$$(date +%s); \
	$(ONCE) test -count=1 -parallel 4 -timeout 30m ./... && (cd cmd/release && $(ONCE) test -count=1 ./...) && (cd e2e/rules && $(ONCE) test -count=1 ./...) && (cd e2e/page && $(ONCE) test -count=1 ./...) && \
	$(MAKE) --no-print-directory fuzz && echo "test: $$(( $$(date +%s) - started )) s in all" # -count=1: nothing tells go test of a changed server

fuzz: ## look for input that breaks parsers and plans; FUZZTIME=10m says for how long each
	@for target in $(FUZZ); do \
		set -- $$(echo $$target | tr : ' '); \
		echo "fuzz: $$2"; \
		$(ONCE) test -run '^$$' -fuzz "^$$2\$$" -fuzztime $(or $(FUZZTIME),$${3}x) -fuzzminimizetime 100x ./$$1 || exit 1; \
	done

soak: ## 50,000 random stories, the tests many times over with the race detector, a fault at every call, and hundreds of faults instead of dozens (CERTSYNC_SOAK); ROUNDS says how many (5); K8S=1.35.4: once, those of e2e, against that Kubernetes
	@echo "soak: compiling; the first time the servers of a Kubernetes version take 5 to 10 minutes, later seconds"
	$(if $(K8S),,GOGC=400 $(ONCE) test -count=1 -timeout 60m -v -run '^TestPlayers$$' ./reconcile/apply -stories 50000)
	$(if $(K8S),,$(ONCE) test -count=1 -timeout 60m -v -run '^(TestFaultAtEveryCall|TestEveryCallIsMade)$$' ./cmd/certsync -every-call) # takes too long with -race
	$(if $(K8S),,CERTSYNC_SOAK=1 $(ONCE) test -count=1 -run '^TestHostileMarkdown$$' ./cmd/certsync/internal/render) # and so does this
	for round in $$(seq $(or $(ROUNDS),$(if $(K8S),1,5))); do \
		$(if $(K8S),CERTSYNC_K8S=$(K8S)) CERTSYNC_SOAK=1 $(GO) test $(RACE) -count=1 -timeout 120m $(if $(K8S),./e2e/...,./...) || exit 1; \
	done

bench: ## users a second against a bare program, requests a user, a plan over 5,000 users
	$(ONCE) test -timeout 60m -run '^$$' -bench . -benchtime 1x ./e2e

lint: ## what CI checks before the tests
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(COMPILE) vet ./...
	cd cmd/release && $(COMPILE) vet ./...
	cd e2e/rules && $(COMPILE) vet ./... # and not e2e/servers: go vet would look at each of 3,500 packages below it, for minutes
	cd e2e/page && $(COMPILE) vet ./...
	$(GO) mod tidy -diff
	cd cmd/release && $(GO) mod tidy -diff
	cd e2e/servers && $(GO) mod tidy -diff && for version in versions/*.mod; do $(GO) mod tidy -diff -modfile=$$version || exit 1; done
	cd e2e/rules && $(GO) mod tidy -diff
	cd e2e/page && $(GO) mod tidy -diff
	$(ONCE) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	cd cmd/release && $(ONCE) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
