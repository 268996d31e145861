# SPDX-License-Identifier: MIT
# A short front for Meson; what a target does is in tools/. `make` builds.
BUILD = build
ready = tools/install build test $(1) && \
	{ test -f $(BUILD)/build.ninja || meson setup $(BUILD); }

.PHONY: all test test-python check demo fresh soak bench tsan fuzz install docs format clean help

all:
	@$(call ready)
	@ninja -C $(BUILD)

help:
	@sed -n 's/^#: //p' Makefile

#: make test     install what is missing, build, run every test
test:
	@$(call ready,data server)
	@tools/test $(BUILD)

#: make test-python   build the Python package, run its tests
test-python:
	@$(call ready,python)
	@tools/test-python $(BUILD)

#: make check    the same under sanitizers, and the checks of form
check:
	@tools/install build test data server check
	@tools/check

#: make demo     show in a minute what Rowlock is for
demo:
	@$(call ready,demo)
	@ninja -C $(BUILD)
	@tools/demo $(BUILD)

#: make fresh    make test and make demo on a new Debian (needs root)
fresh:
	@tools/fresh

#: make soak     the tests with larger numbers (ROWLOCK_SOAK=20 times larger)
soak:
	@$(call ready,data server)
	@ROWLOCK_SOAK=$${ROWLOCK_SOAK:-20} tools/test $(BUILD) -t 60 \
		--no-suite tools

#: make bench    speed, as ratios to what runs beside it
bench:
	@$(call ready,bench server)
	@ninja -C $(BUILD)
	@$(BUILD)/bench/lock
	@$(BUILD)/bench/handover
	@$(BUILD)/bench/crowd
	@bench/durable.py $(BUILD)/bench/durable $(BUILD)/durable.svg
	@bench/import.py $(BUILD)/src/cli/rowlock $(BUILD)/bench/loop
	@bench/postgres.py $(BUILD)/src/cli/rowlock $(BUILD)/bench/change

#: make tsan     the unit tests and a storm of threads under ThreadSanitizer
tsan:
	@tools/install build test
	@test -f build-tsan/build.ninja || meson setup build-tsan \
		-Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
	@tools/test build-tsan -t 5 --suite unit --suite threads

#: make fuzz     look for bytes that break a parser or the lock table
fuzz:
	@tools/install build check
	@tools/fuzz $${FUZZ_SECONDS:-60}

#: make install  into the prefix of meson setup (/usr/local), with headers
install: all
	@meson install -C $(BUILD)

#: make docs     write the generated pages of docs/ anew
docs:
	@tools/errors-page >docs/errors.md.new
	@mv docs/errors.md.new docs/errors.md

#: make format   let clang-format lay out every source
format:
	@tools/check-format --fix

#: make clean    remove what was built
clean:
	rm -rf build build-*
