"""What CI does, one session at a time and over the Python versions: `nox -l` lists them."""

from __future__ import annotations

import nox

nox.options.sessions = ["tests", "lint"]
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    session.install(".[test,lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    root = session.invoked_from
    with session.chdir(session.create_tmp()):  # the installed package, kernels included
        session.run(
            "python", "-m", "mypy", f"--config-file={root}/pyproject.toml", "-p", "astraweave"
        )
        session.run("lint-imports", f"--config={root}/pyproject.toml", "--no-cache")


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    session.install(".[docs,cpu,cli,convert]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/_build/html")


@nox.session(python="3.11")
def native(session: nox.Session) -> None:
    """Native tests under the sanitizers; `nox -s native -- thread` for the thread sanitizer."""
    session.run(".ci/native-tests", *session.posargs, external=True)


@nox.session(python="3.11")
def benchmarks(session: nox.Session) -> None:
    session.install("asv>=0.6")
    session.run("asv", "run", "--config", "asv_bench/asv.conf.json", *session.posargs)
