# SPDX-License-Identifier: MIT
# A short front for Meson. What each target does is in tools/; `make` builds.
BUILD = build
.PHONY: all build test check fresh demo soak bench tsan install format docs \
	clean help

all build: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	tools/install build test
	meson setup $(BUILD)

help:
	@sed -n 's/^#: //p' Makefile

#: make test     install what is missing, build, run every test
test:
	@tools/install build test
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD)
	@tools/test $(BUILD)

#: make check    the same under sanitizers, and the checks of form
check:
	@tools/install build test check
	@tools/check

#: make install  into the prefix of meson setup (/usr/local), with headers
install: build
	meson install -C $(BUILD)

#: make docs     write the generated pages of docs/ anew
docs:
	tools/errors-page >docs/errors.md.new
	mv docs/errors.md.new docs/errors.md

#: make format   let clang-format lay out every source
format:
	@tools/check-format --fix

#: make clean    remove what was built
clean:
	rm -rf build build-*
