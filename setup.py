"""The extension modules; everything else about the package stands in pyproject.toml.

Switches, all for developers (a plain ``pip install .`` needs none of them):

``ASTRAWEAVE_SANITIZE``     ``address,undefined`` or ``thread``: instrumented build
``ASTRAWEAVE_DEBUG``        no optimisation, full symbols
``ASTRAWEAVE_COVERAGE``     gcov counters
``ASTRAWEAVE_INCREMENTAL``  recompile only changed sources (headers are not tracked)
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext, naive_recompile
from setuptools import Extension, find_packages, setup

HERE = Path(__file__).resolve().parent
WINDOWS = sys.platform == "win32"
SANITIZE = os.environ.get("ASTRAWEAVE_SANITIZE", "")
DEBUG = bool(os.environ.get("ASTRAWEAVE_DEBUG"))
COVERAGE = bool(os.environ.get("ASTRAWEAVE_COVERAGE"))


def flags() -> tuple[list[str], list[str]]:
    """Compiler and linker flags; baseline instruction set only (see csrc/simd)."""
    if WINDOWS:
        return ["/O2", "/EHsc", "/utf-8"], []
    compile_args = ["-fvisibility=hidden", "-Wall", "-Wextra"]
    link_args: list[str] = []
    compile_args += ["-O0", "-g3"] if DEBUG or COVERAGE else ["-O3", "-g1"]
    if SANITIZE:
        compile_args += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-g"]
        link_args += [f"-fsanitize={SANITIZE}"]
    if COVERAGE:
        compile_args += ["--coverage"]
        link_args += ["--coverage"]
    return compile_args, link_args


COMPILE_ARGS, LINK_ARGS = flags()


def relative(paths: list[Path]) -> list[str]:
    return sorted(path.relative_to(HERE).as_posix() for path in paths)


native_sources = [
    path
    for path in (HERE / "csrc").rglob("*.cpp")
    if not {"bench", "tests", "fuzz"} & set(path.relative_to(HERE).parts)
]
native = Pybind11Extension(
    "astraweave._native._core",
    relative(native_sources),
    include_dirs=["csrc"],
    cxx_std=20,
    extra_compile_args=COMPILE_ARGS,
    extra_link_args=LINK_ARGS,
    depends=relative(list((HERE / "csrc").rglob("*.hpp"))),
)
kernels = [
    Extension(
        f"astraweave.kernels.{path.stem}",
        [path.relative_to(HERE).as_posix()],
        extra_compile_args=[] if WINDOWS else ["-O3", "-g1"],
    )
    for path in sorted((HERE / "kernels").glob("*.pyx"))
]

ParallelCompile(
    "ASTRAWEAVE_JOBS",
    default=0,
    needs_recompile=naive_recompile
    if os.environ.get("ASTRAWEAVE_INCREMENTAL")
    else lambda *_: True,
).install()

setup(
    # `astraweave.kernels` lies beside src/, so it has to be named; pyproject.toml maps its folder.
    packages=[*find_packages("src"), "astraweave.kernels"],
    ext_modules=[native, *cythonize(kernels, build_dir="build/cython", language_level=3)],
    cmdclass={"build_ext": build_ext},
)
