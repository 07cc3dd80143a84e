# certsync: build, demo, tests. `make help` lists the targets.

GO ?= go
# The tests use the compiler flags of e2e/harness, which compiles certsync and the servers. So each package compiles once.
ONCE = CGO_ENABLED=0 GOFLAGS="$$GOFLAGS -trimpath -gcflags=all=-dwarf=false" $(GO)
# For compiling alone. Garbage collection takes a fifth of the time, and most packages need less than 2 GiB without it.
COMPILE = GOGC=off GOMEMLIMIT=2GiB $(ONCE)
# For tests, and for the programs that they start. Garbage collection took a fifth of their CPU time.
TEST = GOGC=400 $(ONCE)
# The race detector needs cgo and a C compiler.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null 2>&1 && echo -race)

# The fuzz targets and their number of runs in make test, a second or two for each. A time limit would not do: Go before 1.27 may report its
# own deadline as a failure (golang/go#75804). Minimizing is limited, because it would take all of that time.
FUZZ := inventory:FuzzParse:3000 inventory:FuzzEncode:2000 inventory:FuzzTeam:800 inventory:FuzzRequest:2000 inventory/strict:FuzzMarks:3000 \
	reconcile:FuzzParseRecord:4000 reconcile:FuzzParseBindingName:8000 \
	reconcile:FuzzBindingName:5000 reconcile/apply:FuzzPlan:150 reconcile/usage:FuzzEvents:3000

.PHONY: help build image release session demo test test-build test-e2e test-packages test-modules fuzz soak bench lint

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## compile certsync into .build/bin
	$(GO) build -trimpath -o .build/bin/ ./cmd/certsync

image: ## build the container image for amd64 and arm64 into .build/image, reproducibly; VERSION=v1.2.3 sets the version, PLATFORMS=linux/arm64 builds only that one
	cd cmd/release && GOFLAGS= GOOS= GOARCH= $(GO) run . -go '$(GO)' -image '$(abspath $(or $(IMAGE),.build/image))' -platforms '$(if $(filter command line,$(origin PLATFORMS)),$(PLATFORMS))'

release: ## build the archives for linux, darwin and windows, and their checksums, into .build/release, reproducibly; VERSION=v1.2.3 sets the version, RELEASE_URL=https://example.com/certsync/v1.2.3 adds a krew manifest for that address
	cd cmd/release && GOFLAGS= GOOS= GOARCH= $(GO) run . -go '$(GO)' -archives '$(abspath $(or $(RELEASE),.build/release))' -platforms '$(PLATFORMS)' -url '$(RELEASE_URL)'

session: ## run the README's session on real servers, and write its output to the README
	@echo "session: compiling; the first build of the servers takes 5 to 10 minutes on two idle cores, longer on a busy machine; later builds take seconds"
	$(ONCE) test -count=1 ./e2e -run '^TestReadmeSession$$' -update-readme

demo: ## show certsync's main commands on real servers, started on loopback; KEEP=1 keeps the servers running
	@echo "demo: compiling; the first build of the servers takes 5 to 10 minutes on two idle cores, longer on a busy machine; later builds take seconds"
	@$(COMPILE) build -o .build/bin/ ./e2e/demo
	@KEEP=$(KEEP) .build/bin/demo

test: ## run all tests, including those on real servers, and print the time of each package
	@echo "test: compiling; the first build of the servers takes 5 to 10 minutes on two idle cores, longer on a busy machine; later builds take seconds"
	@started=$$(date +%s); $(MAKE) --no-print-directory test-build && $(MAKE) --no-print-directory -j3 test-e2e test-packages test-modules && echo "test: $$(( $$(date +%s) - started )) s in all"

# Before any test, whose deadlines would suffer from a build: e2e compiles the servers, and starts them once.
test-build:
	@$(COMPILE) build ./...
	@$(TEST) test -count=1 -timeout 45m -run '^$$' ./e2e

# The tests of e2e mostly wait, so all else is tested at the same time. -count=1: go test does not notice a changed server.
test-e2e:
	@$(TEST) test -count=1 -parallel 6 -timeout 45m ./e2e

test-packages:
	@$(TEST) test -count=1 -timeout 30m $$($(GO) list ./... | grep -v '/e2e$$')

test-modules:
	@for module in cmd/release e2e/rules e2e/page; do (cd $$module && $(TEST) test -count=1 -timeout 30m ./...) || exit 1; done
	@$(MAKE) --no-print-directory fuzz

fuzz: ## fuzz parsers and plans; FUZZTIME=10m sets the time for each target
	@for target in $(FUZZ); do \
		set -- $$(echo $$target | tr : ' '); \
		echo "fuzz: $$2"; \
		$(TEST) test -run '^$$' -fuzz "^$$2\$$" -fuzztime $(or $(FUZZTIME),$${3}x) -fuzzminimizetime 100x ./$$1 || exit 1; \
	done

soak: ## run the long tests: 50,000 random stories, a fault at every call, each fuzz target for a minute, and all tests ROUNDS times (5) with the race detector; K8S=1.35.4 runs only the e2e tests, once, on that Kubernetes version
	@echo "soak: compiling; the first build of a Kubernetes version takes 5 to 10 minutes on two idle cores, longer on a busy machine; later builds take seconds"
	$(if $(K8S),,$(TEST) test -count=1 -timeout 60m -v -run '^TestPlayers$$' ./reconcile/apply -stories 50000)
	$(if $(K8S),,$(TEST) test -count=1 -timeout 60m -v -run '^(TestFaultAtEveryCall|TestEveryCallIsMade)$$' ./cmd/certsync -every-call) # too slow with -race
	$(if $(K8S),,CERTSYNC_SOAK=1 $(TEST) test -count=1 -run '^TestHostileMarkdown$$' ./cmd/certsync/internal/render) # too slow with -race
	$(if $(K8S),,$(MAKE) --no-print-directory fuzz FUZZTIME=1m)
	for round in $$(seq $(or $(ROUNDS),$(if $(K8S),1,5))); do \
		$(if $(K8S),CERTSYNC_K8S=$(K8S)) CERTSYNC_SOAK=1 $(GO) test $(RACE) -count=1 -timeout 120m $(if $(K8S),./e2e/...,./...) || exit 1; \
	done

bench: ## measure users per second, requests per user, a plan for 5,000 users, and one for 50 clusters of 500
	$(ONCE) test -timeout 60m -run '^$$' -bench . -benchtime 1x ./e2e

lint: ## run the checks that CI runs before the tests
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(COMPILE) vet ./...
	cd cmd/release && $(COMPILE) vet ./...
	cd e2e/rules && $(COMPILE) vet ./... # not e2e/servers: go vet would check 3,500 packages for minutes
	cd e2e/page && $(COMPILE) vet ./...
	$(GO) mod tidy -diff
	cd cmd/release && $(GO) mod tidy -diff
	cd e2e/servers && $(GO) mod tidy -diff && for version in versions/*.mod; do $(GO) mod tidy -diff -modfile=$$version || exit 1; done
	cd e2e/rules && $(GO) mod tidy -diff
	cd e2e/page && $(GO) mod tidy -diff
	$(ONCE) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	cd cmd/release && $(ONCE) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
