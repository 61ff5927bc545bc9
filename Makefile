# GNU make, Rust and Python 3 are all that has to be there; whatever else is needed goes into this directory,
# but for the browser of the tests, which is a package of the system and is installed by `make browser` alone.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
CARGO_MUTANTS_VERSION := 27.1.0
MDBOOK_VERSION := 0.5.4

# The packages of the functions, which are their directories.
FUNCTIONS := $(patsubst functions/%,--package %,$(wildcard functions/*))

# Debian's browser and driver, which fit each other, and a typeface that has Chinese.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome
BROWSER_PACKAGES := chromium chromium-driver fonts-noto-cjk

# `sam` takes part in surveys unless told otherwise.
export SAM_CLI_TELEMETRY := 0

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Every build here selects the whole workspace and then names binaries, as `cargo lambda watch` does: what is
# selected decides the features of the dependencies, and another selection would compile them all once more.
.PHONY: run
run: .venv/installed ## Run the whole login on this machine, WeChat included; ARGS="--help" shows the options
	$(call say,Building and starting the login; the first build takes a few minutes)
	@cargo run --bin local -- --cargo-lambda .venv/bin/cargo-lambda $(ARGS)

# The function of the stack, or the same function of `make run`.
PORT ?= 9000
.PHONY: doctor
doctor: $(if $(STACK),$(if $(shell command -v aws),,.venv-aws/installed),.venv/installed) ## Say what is wrong with a stack, or with the login of `make run`; STACK=wechat-login ARGS="--region …"
	@PATH="$$PATH:$(CURDIR)/.venv-aws/bin" ./doctor.sh $(if $(STACK),--stack-name "$(STACK)") $(ARGS) $(if $(STACK),, \
	  --invoker .venv/bin/cargo-lambda lambda invoke doctor --invoke-address 127.0.0.1 --invoke-port $(PORT) --data-ascii)

.PHONY: client
client: ## Make a client of the OpenID Provider; NAME=web REDIRECT=https://app.example.org/callback ARGS=--public
	@$(PYTHON) functions/openid/client.py $(if $(NAME),--name "$(NAME)") $(foreach uri,$(REDIRECT),--redirect "$(uri)") $(ARGS)

.PHONY: simulator
simulator: ## Run the simulated WeChat alone; ARGS="--help" shows the options
	@cargo run --bin simulator -- $(ARGS)

# All of it whatever fails, so that one run shows everything; what failed is told once more at the end.
.PHONY: test
test: .venv/installed $(if $(shell command -v npm),tests/pages/node_modules/installed) ## Run every test, then every file of events/ against the running login
	$(call say,Building)
	@cargo build --workspace
	$(call say,Testing and then sending events/ through cargo lambda invoke)
	@failed=; \
	  cargo test --workspace --no-fail-fast | tee target/test.log || failed=1; \
	  cargo run --bin local -- --cargo-lambda .venv/bin/cargo-lambda --check | tee target/events.log || failed=1; \
	  if command -v npm >/dev/null; then $(MAKE) relying-parties ONLY="openid-client Authlib" || failed=1; \
	  else printf '\n\033[1m==> SKIPPED: two relying parties, because there is no npm\033[0m\n' >&2; fi; \
	  { command -v chromedriver && command -v $(BROWSERS); } >/dev/null || [ "$${REQUIRE_BROWSER-}" = 1 ] || { \
	    printf '\n\033[1m==> SKIPPED: the tests in a browser, because there is none\033[0m\n'; \
	    echo "\`make browser\` installs one on Debian and Ubuntu: apt-get install $(BROWSER_PACKAGES)"; } >&2; \
	  [ -z "$$failed" ] || { .ci/failures target/test.log target/events.log; false; }

# The functions as they are deployed, so that what is searched for secrets is what would log them.
.PHONY: battery
battery: ## Run every row of the battery at full size; ARGS="--row B6 --seed 7" runs one row again as it was
	$(call say,Building for release; this takes some minutes)
	@cargo build --release $(FUNCTIONS)
	@FUNCTIONS_BIN_DIR="$(CURDIR)/target/release" cargo test --profile battery --package harness --test battery -- --full $(ARGS)

# Copied, so that nothing that is built meanwhile changes what runs.
.PHONY: soak
soak: ## Log people in for an hour against one set of processes, and draw what it took; ARGS=5 takes five minutes
	$(call say,Building for release; this takes some minutes)
	@cargo build --release $(FUNCTIONS)
	@mkdir -p target/soak/functions
	@cp $(patsubst functions/%/Cargo.toml,target/release/%,$(wildcard functions/*/Cargo.toml)) target/soak/functions
	@FUNCTIONS_BIN_DIR="$(CURDIR)/target/soak/functions" cargo test --profile battery --package harness --test battery -- \
	  --full --row S1 --minutes $(or $(ARGS),60)

# Clients that others wrote, in the languages that are named: CI leaves out Rust, whose clients take minutes to build.
LANGUAGES ?= python node rust
FOREIGN_CLIENTS := $(CURDIR)/target/foreign-clients/debug/foreign-clients
.PHONY: foreign-clients foreign-python foreign-node foreign-rust
foreign-clients: $(addprefix foreign-,$(LANGUAGES)) foreign-python ## Log in with clients of PyPI, npm and crates.io, unmodified; ARGS="--only wechatpy"
	@cargo build --bin simulator
	$(call say,Logging in with clients that others wrote)
	@.venv-foreign/bin/python tests/foreign-clients/run.py --simulator "$(CURDIR)/target/debug/simulator" \
	  --languages "$(LANGUAGES)" --rust "$(FOREIGN_CLIENTS)" $(ARGS)

foreign-python: .venv-foreign/installed
foreign-node: tests/foreign-clients/node_modules/installed
foreign-rust:
	$(call say,Building the clients in Rust; the first time takes some minutes)
	@cargo build --quiet --locked --manifest-path tests/foreign-clients/rust/Cargo.toml --target-dir target/foreign-clients

.PHONY: relying-parties relying-parties-rust
relying-parties: .venv-relying-parties/installed tests/relying-parties/node_modules/installed ## Log in and show our tokens with libraries of npm, PyPI and crates.io, unmodified; ONLY=openid-client
relying-parties: $(if $(or $(filter openidconnect,$(ONLY)),$(if $(ONLY),,all)),relying-parties-rust)
	@cargo build --quiet --bin relying-parties
	$(call say,Logging in and showing tokens with relying parties that others wrote)
	@target/debug/relying-parties $(addprefix --only ,$(ONLY)) $(ARGS)

relying-parties-rust:
	$(call say,Building the relying party in Rust; the first time takes some minutes)
	@cargo build --quiet --locked --manifest-path tests/relying-parties/rust/Cargo.toml --target-dir target/relying-parties

# On the stable toolchain, which has libFuzzer's instrumentation but no sanitizer; there is no unsafe code that one
# could find anything in. What was found to get far is kept in CORPUS. The functions' own log is not of interest.
CORPUS ?= target/fuzz/corpus/$(TARGET)
.PHONY: fuzz
fuzz: .tools/cargo-fuzz-$(CARGO_FUZZ_VERSION) ## Look for input that breaks a promise; TARGET=cookies ARGS=-max_total_time=60
	@[ -d "tests/fuzz/seeds/$(TARGET)" ] && [ -n "$(TARGET)" ] || { \
	  echo "Which one? make fuzz TARGET=$$(ls tests/fuzz/seeds | paste -sd '|') [ARGS=-help=1]" >&2; exit 2; }
	@command -v c++ >/dev/null || { \
	  echo "libFuzzer and Ada need a compiler of C++. On Debian and Ubuntu: apt-get install g++" >&2; exit 1; }
	@mkdir -p "$(CORPUS)" target/fuzz/artifacts/$(TARGET)
	@export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=2 CARGO_PROFILE_RELEASE_STRIP=none; \
	  export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:9 AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true; \
	  export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none; \
	  .tools/bin/cargo-fuzz fuzz run --sanitizer none --features libfuzzer --codegen-units 16 \
	  --fuzz-dir tests/fuzz --target-dir target/fuzz $(TARGET) \
	  "$(CORPUS)" tests/fuzz/seeds/$(TARGET) $(if $(filter events,$(TARGET)),events) -- \
	  -artifact_prefix=target/fuzz/artifacts/$(TARGET)/ -print_final_stats=1 -timeout=10 $(ARGS) >/dev/null

# The tests that are about DynamoDB, all of them even if some fail: the point is to see every difference. Without an
# endpoint it is that of the emulated AWS, with tables of their own for each test.
define dynamodb_tests
failed=; \
cargo test --workspace --test it -- store:: || failed=1; \
cargo test --workspace --test battery -- --row B1 --row B4 --row B5 --row B6 --row B8 $(ARGS) || failed=1; \
[ -z "$$failed" ]
endef

.PHONY: test-dynamodb
test-dynamodb: $(if $(ENDPOINT),,.venv-rehearsal/installed) ## Hold a second DynamoDB against the embedded one: an emulated AWS's, or ENDPOINT=http://127.0.0.1:8000
	$(call say,Testing against the DynamoDB of $(or $(ENDPOINT),an emulated AWS))
ifeq ($(ENDPOINT),)
	@cargo build --quiet --bin rehearsal
	@target/debug/rehearsal --without-iam -- $(SHELL) -c 'export DYNAMODB_ENDPOINT="$$AWS_ENDPOINT_URL"; $(dynamodb_tests)'
else
	@export DYNAMODB_ENDPOINT="$(ENDPOINT)"; $(dynamodb_tests)
endif

# The functions as they are deployed by default, under qemu where the machine is another: Debian's qemu-user and
# libc6-arm64-cross. Without BUILD they are what `make deploy` builds, which is rehearsed first, as in a fresh clone.
EMULATES_ARM64 := $(if $(filter aarch64,$(shell uname -m)),yes,$(and $(shell command -v qemu-aarch64),$(wildcard /usr/aarch64-linux-gnu/lib)))
REHEARSED := $(if $(EMULATES_ARM64),arm64,x86_64)
REHEARSED_BUILD := $(or $(BUILD),.aws-sam/build)
.PHONY: rehearse
rehearse: .venv/installed .venv-lint/installed .venv-rehearsal/installed ## Deploy on an emulated AWS by `make deploy`, and visit what stands there; BUILD=.aws-sam/build takes what is built
	$(call say,Rehearsing a deployment)
	@cargo build --quiet --bin check-config --bin rehearsal --bin simulator
	@target/debug/rehearsal --checks
ifeq ($(filter --checks,$(ARGS)),)
ifeq ($(BUILD),)
	$(call say,Rehearsing make deploy for $(REHEARSED)$(if $(EMULATES_ARM64),,: there is no qemu-aarch64 with libraries for arm64 here))
	@.venv-rehearsal/bin/python tests/rehearsal/deploy.py --make $(REHEARSED)
endif
	$(call say,Rehearsing all that a deployment is to hold)
	@target/debug/rehearsal --build "$(REHEARSED_BUILD)" $(ARGS)
	$(call say,Rehearsing deploy.sh at a terminal)
	@.venv-rehearsal/bin/python tests/rehearsal/deploy.py --build "$(REHEARSED_BUILD)"
endif

.PHONY: golden
golden: ## Keep what this version stores, for the tests of later ones; at a release
	@cargo run --quiet --package harness --example golden

.PHONY: mutants
mutants: .tools/cargo-mutants-$(CARGO_MUTANTS_VERSION) ## Break the sources on purpose, and require that tests notice; ARGS=conditions runs one part
	$(call say,Testing the tests; this takes some hours)
	@$(PYTHON) .ci/mutants $(ARGS)

.PHONY: lint
lint: lint-rust lint-script lint-dependencies lint-template purity docs ## Check everything that can be checked without running it

.PHONY: lint-rust
lint-rust:
	$(call say,Format)
	@cargo fmt --all --check
	$(call say,Clippy)
	@cargo clippy --workspace --all-targets -- --deny warnings
	@if command -v c++ >/dev/null; then cargo clippy --package fuzz --features libfuzzer --bins -- --deny warnings; \
	  else echo "No compiler of C++: what only libFuzzer needs of package fuzz is not checked"; fi
	$(call say,Documentation)
	@RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items

.PHONY: lint-script
lint-script: $(if $(shell command -v npm),tests/pages/node_modules/installed)
	$(call say,deploy.sh and doctor.sh on the bash of macOS)
	@$(PYTHON) .ci/bash32 --self-test
	@$(PYTHON) .ci/bash32 deploy.sh doctor.sh
	$(call say,login.js and its types)
	@if command -v npm >/dev/null; then tests/pages/node_modules/.bin/tsc --project tests/pages; \
	  elif [ -n "$${CI-}" ]; then echo "The types of login.js are checked by Node and npm." >&2; exit 1; \
	  else echo "No Node: the types of login.js are not checked"; fi

.PHONY: lint-dependencies
lint-dependencies: .tools/cargo-deny-$(CARGO_DENY_VERSION)
	$(call say,Dependencies)
	@.tools/bin/cargo-deny --log-level warn check bans licenses sources

# Both: plain `validate` runs the SAM transform, `--lint` runs cfn-lint, and neither finds what the other does. What a
# region has, differs; China's are furthest from the rest.
LINT_REGIONS := us-east-1 cn-north-1 cn-northwest-1
.PHONY: lint-template
lint-template: export AWS_DEFAULT_REGION ?= us-east-1
lint-template: .venv-lint/installed .venv-checkov/installed
	$(call say,Template)
	@.venv-lint/bin/sam validate
	@for region in $(LINT_REGIONS); do .venv-lint/bin/sam validate --lint --region "$$region"; done
	@CKV_SKIP_PACKAGE_UPDATE_CHECK=true .venv-checkov/bin/checkov --config-file .checkov.yaml --file template.yaml

.PHONY: purity
purity: ## Check who waits, who reads the clock and the environment, and that nothing is built twice
	$(call say,Purity)
	@$(PYTHON) .ci/features
	@$(PYTHON) .ci/purity --self-test
	@$(PYTHON) .ci/purity
	@$(PYTHON) .ci/mutants --check

.PHONY: docs
docs: .tools/mdbook-$(MDBOOK_VERSION) ## Build the documentation into target/docs, and check its links
	$(call say,Documentation)
	@.tools/bin/mdbook build docs
	@$(PYTHON) .ci/links --self-test
	@$(PYTHON) .ci/links target/docs README.md README.zh-CN.md CONTRIBUTING.md SECURITY.md CHANGELOG.md

.PHONY: docs-reference
docs-reference: ## Write the reference tables of docs/ from the code that decides
	@cargo run --quiet --bin reference

# The peer in JavaScript is left out where there is no npm.
.PHONY: bench
bench: .venv-peers/installed $(if $(shell command -v npm),target/peers/installed) ## Print how fast, large and hungry the functions are beside floors and peers; ARGS="25 --only start", ARGS=--help
	$(call say,Building for release; this takes some minutes)
	@cargo build --release $(FUNCTIONS) --package floor
	@cargo bench --package harness --bench speed --profile dev -- $(ARGS)

# What `make test` built is enough: who waits how often for whom does not depend on how it was compiled.
.PHONY: bench-counts
bench-counts: ## Count the round trips and bytes of a login beside the same calls by the bare SDK; fails if it has more
	@cargo build --quiet --workspace
	@cargo bench --quiet --workspace --bench speed --profile dev -- 20 --only login --debug $(ARGS)

# It builds, and asks what it has to know before that. The AWS CLI is the one on PATH, else one is installed here.
.PHONY: deploy
deploy: $(if $(shell command -v aws),,.venv-aws/installed) ## Build and deploy: asks four things; run again it is an update. ARGS="--help"
	@# That it ends with what is to be done elsewhere first, with status 3, is no error of make.
	@PATH="$$PATH:$(CURDIR)/.venv-aws/bin" ./deploy.sh \
	  $(if $(STACK),--stack-name $(STACK)) $(if $(ARCHITECTURE),Architecture=$(ARCHITECTURE)) $(ARGS) || [ $$? = 3 ]

# The binaries for Lambda, without Docker: cargo-lambda links with the Zig that comes with it. `sam` knows no region
# offline. One function alone is built into a place of its own: in `.aws-sam/build` it would deploy, with four functions
# that have no executable.
.PHONY: sam-build
sam-build: export AWS_DEFAULT_REGION ?= us-east-1
sam-build: .venv/installed .venv-lint/installed ## Build for deployment; FUNCTION=SiteFunction builds one into target/sam, ARCHITECTURE=x86_64 for Intel
	$(call say,Building for AWS Lambda)
	@target=$(if $(filter x86_64,$(ARCHITECTURE)),x86_64,aarch64)-unknown-linux-gnu; \
	  if command -v rustup >/dev/null; then rustup target add "$$target"; fi
	@PATH="$(CURDIR)/.venv/bin:$(CURDIR)/.venv-lint/bin:$$PATH" sam build $(FUNCTION) $(if $(FUNCTION),--build-dir target/sam) \
	  $(if $(ARCHITECTURE),--parameter-overrides Architecture=$(ARCHITECTURE))
	@# What was built for Intel deploys as such, also by a plain `sam deploy` of a new stack; one that stands keeps the value that
	@# it has, until it is told another.
	@if [ -n "$(ARCHITECTURE)" ]; then cd $(if $(FUNCTION),target/sam,.aws-sam/build); \
	  sed -i.bak '/^  Architecture:/,/^  [B-Z]/s/^    Default: .*/    Default: $(ARCHITECTURE)/' template.yaml; \
	  rm template.yaml.bak; fi

.PHONY: dist
dist: .venv/installed ## Leave a release in dist/: zips for both processors, templates, deploy.sh, the simulator; ARGS="--help"
	$(call say,Building a release; this takes a while)
	@$(PYTHON) .ci/dist $(ARGS)

# One function, for one processor: what makes builds differ makes it differ too. ONLY=all takes all of it.
.PHONY: dist-check
dist-check: .venv/installed ## Build a part of the release in two folders with two CARGO_HOMEs, and compare; ONLY=all ARCHITECTURE="arm64 x86_64"
	$(call say,Building the release twice)
	@$(PYTHON) .ci/dist --check $(or $(ONLY),site) $(addprefix --architecture ,$(or $(ARCHITECTURE),x86_64))

# As crates.io would take it, without a warning; and as a program without anything beside it.
.PHONY: package
package: .venv/installed ## Package the simulator, build it from the package, and as a static program
	$(call say,Packaging the simulator)
	@mkdir -p target
	@cargo package --package wechat-simulator --locked --allow-dirty 2>&1 | tee target/package.log
	@! grep '^warning' target/package.log
	@$(PYTHON) .ci/dist --only simulator --architecture x86_64 --output target/dist/simulator

.PHONY: clean
clean: ## Remove everything that was built or installed here, and the local data
	@rm -rf .aws-sam .local .tools .venv .venv-aws .venv-checkov .venv-foreign .venv-lint .venv-peers \
	  .venv-rehearsal .venv-relying-parties dist tests/bench/peers/node/node_modules tests/foreign-clients/node_modules \
	  tests/relying-parties/node_modules tests/pages/node_modules
	@cargo clean --quiet

# ---------------------------------------------------------------- tools

# A virtual environment is only as good as its last installation, so the stamp is written last.
define install
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D) || { rm -rf $(@D); \
	  echo "No virtual environment could be made. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; } >&2
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@echo "$(CURDIR)" >$@
endef

# pip writes the folder into the programs that it installs: in a checkout that was copied they run the old one's, and in one
# that was moved none of them starts. So the stamp says which folder it was, and where that is another one, all is installed
# anew.
ELSEWHERE := $(shell for stamp in .venv*/installed; do \
  if [ -e "$$stamp" ] && [ "$$(cat "$$stamp")" != "$(CURDIR)" ]; then echo "$$stamp"; fi; done)

.PHONY: browser
browser: ## Install the browser that the pages are tested in, if there is none; Debian's packages
	@command -v chromedriver >/dev/null && exit; \
	packages="$(BROWSER_PACKAGES)"; root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	if ! command -v apt-get >/dev/null || ! command -v $${root:-true} >/dev/null; then \
	  echo "The browser tests need Chromium and chromedriver. On Debian, as root: apt-get install $$packages" >&2; exit 1; \
	fi; \
	printf '\033[1m==> Installing %s\033[0m\n' "$$packages"; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$root apt-get update --quiet=2; \
	$$root apt-get install --quiet=2 --yes --no-install-recommends $$packages

.venv/installed: tests/local/requirements.txt
	$(call say,Installing cargo-lambda into .venv)
	$(install)

.venv-lint/installed: .ci/requirements.txt
	$(call say,Installing the SAM CLI into .venv-lint)
	$(install)

.venv-aws/installed: .ci/requirements-aws.txt
	$(call say,Installing the AWS CLI into .venv-aws)
	$(install)

.venv-rehearsal/installed: tests/rehearsal/requirements.txt
	$(call say,Installing an emulated AWS into .venv-rehearsal)
	$(install)

.venv-foreign/installed: tests/foreign-clients/requirements.txt
	$(call say,Installing the clients in Python into .venv-foreign)
	$(install)

tests/foreign-clients/node_modules/installed: tests/foreign-clients/package-lock.json
	$(call say,Installing the clients in JavaScript into tests/foreign-clients/node_modules)
	@command -v npm >/dev/null || { \
	  echo "The clients in JavaScript need Node and npm. Without them: make foreign-clients LANGUAGES=python" >&2; exit 1; }
	@npm --prefix tests/foreign-clients ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.venv-peers/installed: tests/bench/peers/python/requirements.txt
	$(call say,Installing what a login in Python needs into .venv-peers)
	$(install)

# Bundled, as a team deploys it: to load it takes 0.17 s of a processor instead of 0.29.
target/peers/installed: tests/bench/peers/node/package-lock.json $(wildcard tests/bench/peers/node/*.mjs)
	$(call say,Installing what a login in JavaScript needs and bundling it into target/peers)
	@npm --prefix tests/bench/peers/node ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@cd tests/bench/peers/node && node_modules/.bin/esbuild authorize.mjs callback.mjs userinfo.mjs \
	  --bundle --minify --platform=node --target=node20 --format=esm --main-fields=module,main \
	  --out-extension:.js=.mjs --outdir=$(CURDIR)/target/peers --log-level=warning \
	  --banner:js="import{createRequire}from'node:module';const require=createRequire(import.meta.url);"
	@touch $@

.venv-relying-parties/installed: tests/relying-parties/requirements.txt
	$(call say,Installing the relying parties in Python into .venv-relying-parties)
	$(install)

tests/relying-parties/node_modules/installed: tests/relying-parties/package-lock.json
	$(call say,Installing the relying parties in JavaScript into tests/relying-parties/node_modules)
	@command -v npm >/dev/null || { echo "The relying parties in JavaScript need Node and npm." >&2; exit 1; }
	@npm --prefix tests/relying-parties ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

tests/pages/node_modules/installed: tests/pages/package-lock.json
	$(call say,Installing TypeScript and what the examples need into tests/pages/node_modules)
	@npm --prefix tests/pages ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.venv-checkov/installed: .ci/requirements-checkov.txt
	$(call say,Installing checkov into .venv-checkov)
	$(install)

# Built quickly rather than to run quickly: they are run for a second at a time.
define install_tool
	@rm -f .tools/$(1)-*
	@CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	  cargo install $(1) --version $(2) $(3) --locked --quiet --root .tools
	@touch $@
endef

.tools/cargo-deny-$(CARGO_DENY_VERSION):
	$(call say,Building cargo-deny; this takes a minute or two)
	$(call install_tool,cargo-deny,$(CARGO_DENY_VERSION))

.tools/cargo-fuzz-$(CARGO_FUZZ_VERSION):
	$(call say,Building cargo-fuzz; this takes a minute)
	$(call install_tool,cargo-fuzz,$(CARGO_FUZZ_VERSION))

.tools/cargo-mutants-$(CARGO_MUTANTS_VERSION):
	$(call say,Building cargo-mutants; this takes a minute or two)
	$(call install_tool,cargo-mutants,$(CARGO_MUTANTS_VERSION))

.tools/mdbook-$(MDBOOK_VERSION):
	$(call say,Building mdbook; this takes some minutes)
	$(call install_tool,mdbook,$(MDBOOK_VERSION),--no-default-features --features search)

# Last, so that what an environment is made from stays its first prerequisite.
.PHONY: elsewhere
elsewhere:
$(ELSEWHERE): elsewhere
