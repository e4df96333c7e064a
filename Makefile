# make demo   build everything and start the demo
# make check  the quick tests, in two minutes
# make test   install what the tests need and run them
# make bench  measure; make torture kills things for longer and takes every rule out of the program in turn
# make release    build what is released from the last commit; make reproduce builds it twice and compares
SHELL := /bin/bash
GO ?= go
TEMPL := github.com/a-h/templ/cmd/templ@v0.3.977
comma := ,
VERSION := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo dev)
PHONE := web/site/built
# What has parsers. make fuzz half=0 and half=1 take every second of them.
FUZZED := ./seal ./exchange/hsds . ./relay ./journal ./replica ./directory ./exchange ./shipped ./form ./form/expr
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -not -path './bench/*') $(wildcard locale/*.json guide/data/*.json form/data/*.json form/data/forms/*.json seal/words/words.txt go.mod)

.PHONY: all build demo check test conformance bench torture generate fuzz clean tools release reproduce flags

all: build

build: krama

# The tag leaves net/http out (web/http). Without inlining the program is a tenth smaller on the wire; ciphers and hashes keep theirs.
PHONEFLAGS := -tags=phone -trimpath -buildvcs=false -gcflags=all=-l -gcflags=golang.org/x/crypto/...= -gcflags=crypto/internal/fips140/sha256=

$(PHONE)/krama.wasm.br: $(SOURCES)
	@echo "building the phone's program (about half a minute)"
	@$(GO) run ./scripts/noreflect $(PHONEFLAGS) ./cmd/phone
	@GOOS=js GOARCH=wasm $(GO) build $(PHONEFLAGS) -ldflags="-s -w" -o $(PHONE)/krama.wasm ./cmd/phone
	@$(GO) run ./scripts/compress $(PHONE)/krama.wasm $@
	@rm $(PHONE)/krama.wasm
	@cp "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" $(PHONE)/

# The module that seals reports: without net/http and without records (tag report).
REPORTFLAGS := $(subst -tags=phone,-tags=phone$(comma)report,$(PHONEFLAGS))

$(PHONE)/report.wasm.br: $(wildcard cmd/report/*.go seal/*.go *.go go.mod)
	@GOOS=js GOARCH=wasm $(GO) build $(REPORTFLAGS) -ldflags="-s -w" -o $(PHONE)/report.wasm ./cmd/report
	@$(GO) run ./scripts/compress $(PHONE)/report.wasm $@
	@rm $(PHONE)/report.wasm

krama: $(PHONE)/krama.wasm.br $(PHONE)/report.wasm.br $(wildcard web/static/* web/door/*.css web/door/*.js directory/starter/*.json guide/rights/*.json) $(SOURCES)
	@$(GO) build -trimpath -ldflags="-X main.version=$(VERSION)" -o krama ./cmd/krama

demo: build
	./krama demo

generate:
	$(GO) run $(TEMPL) generate -path web
	$(GO) run ./scripts/compact web/*_templ.go web/site/*_templ.go web/door/*_templ.go

tools:
	@scripts/tools

check:
	scripts/check

test: tools build
	scripts/test

# The HSDS interface of a running demo against the specification's own schemas, which are not part of this project.
conformance: build
	@scripts/conform $(HSDS)

bench: tools build
	scripts/bench

torture: tools build
	KRAMA_ALL=1 $(GO) test -race ./web ./replica ./relay ./casework -short -timeout 2h
	KRAMA_DAYS=1826 $(GO) test ./web -run '^TestYears$$' -count=1 -timeout 1h
	$(GO) test ./replica -run '^TestModel' -rapid.checks=20000 -rapid.nofailfile -count=1 -timeout 4h
	KRAMA_SEEDS=2000 $(GO) test ./replica -run '^TestRestoredRelay$$' -count=1 -timeout 1h
	KRAMA_SEQUENCES=200 $(GO) test ./cmd/krama -run TestEveryWay -count=1 -timeout 1h
	KRAMA_KILLS=3000 $(GO) test ./cmd/krama -run 'TestKill' -count=1 -timeout 4h -v
	$(GO) run ./scripts/ablate

release:
	@scripts/release

reproduce:
	@scripts/reproduce

fuzz:
	@for p in $(if $(half),$(shell echo $(FUZZED) | tr ' ' '\n' | awk 'NR % 2 == $(half)'),$(FUZZED)); do for f in $$(grep -oh 'func Fuzz[A-Za-z]*' $$p/*_test.go | cut -d' ' -f2); do \
	  $(GO) test $$p -run xxx -fuzz "^$$f\$$" -fuzztime 15000x || exit 1; done; done

# How a part is built, for scripts: make -s flags of=PHONEFLAGS
flags:
	@echo '$($(of))'

clean:
	rm -rf krama build $(PHONE)/*.wasm* $(PHONE)/wasm_exec.js
