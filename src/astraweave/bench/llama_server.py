"""llama.cpp's server as a peer: started here, and asked as any client would.

`.ci/llama-server` builds the program. It serves the same GGUF that our weights were made of, so
that what is compared is the engines alone.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astraweave.core.clock import monotonic_ns
from astraweave.core.closing import Closing
from astraweave.errors import ConfigError, ModelUnavailable
from astraweave.inference.http import HttpClient, HttpTimeouts, decode

__all__ = ["LlamaServer", "measure"]

_WAIT_S = 60.0


class LlamaServer(Closing):
    """llama.cpp's server on loopback, in a process of its own; use it in a `with`.

    Parameters
    ----------
    binary : path
        ``llama-server``.
    gguf : path
        The model.
    parallel : int
        Sequences that it computes at once.
    context : int
        Tokens of each of them.
    threads : int
        It computes with.
    options : sequence of str
        More arguments.

    Attributes
    ----------
    url : str
        What a client takes for its `base_url`.

    Raises
    ------
    ConfigError
        There is no such program.
    ModelUnavailable
        It does not come up; its last words are in the text.
    """

    def __init__(
        self,
        binary: str | Path,
        gguf: str | Path,
        *,
        parallel: int = 1,
        context: int = 1024,
        threads: int = 2,
        options: Sequence[str] = (),
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = f"--host 127.0.0.1 --port {port} --no-ui --offline -ngl 0 --no-kv-unified".split()
        command += ["-m", str(gguf), "-np", str(parallel), "-c", str(context * parallel)]
        command += ["-t", str(threads), "-tb", str(threads), *options]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the caller names the program
                [str(binary), *command], stdout=self._log, stderr=self._log
            )
        except OSError as error:
            self._log.close()
            raise ConfigError(f"'{binary}' does not start: {error.strerror}") from None
        try:
            self._wait(port)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process. Closing twice is allowed."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()

    def _wait(self, port: int) -> None:
        until = monotonic_ns() + _WAIT_S * 1e9
        root = f"http://127.0.0.1:{port}"
        with HttpClient(root, timeouts=HttpTimeouts(first_s=5.0)) as client:
            while monotonic_ns() < until and self._process.poll() is None:
                try:
                    client.call(lambda: client.ask("/health"))
                except ModelUnavailable:  # not listening, or still loading
                    _pause(client, 0.05)
                else:
                    return
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace")[-1000:]
        raise ModelUnavailable(f"llama.cpp's server did not come up: {said}")


def measure(
    binary: str | Path,
    gguf: str | Path,
    *,
    parallel: int,
    context: int = 300,
    tokens: int = 64,
    threads: int = 2,
    rounds: int = 3,
) -> float:
    """Tokens a second that the server decodes with `parallel` sequences at once.

    Every sequence has a prompt of its own of `context` tokens, which is computed beforehand (the
    server keeps it in its slot), and then decodes `tokens` greedily, beyond any end of text. What
    counts is the server's own time from the first token to the last, as the slowest sequence had
    it; of the rounds the best.

    Returns
    -------
    float
        Tokens a second of all sequences together.
    """
    with (
        LlamaServer(
            binary, gguf, parallel=parallel, context=context + tokens + 64, threads=threads
        ) as server,
        HttpClient(server.url.removesuffix("/v1"), timeouts=HttpTimeouts(first_s=120.0)) as client,
    ):
        prompts = [_prompt(number, context) for number in range(parallel)]
        client.call(lambda: _complete(client, prompts, 1))  # computes and keeps the prompts
        return max(_decode_rate(client, prompts, tokens) for _ in range(rounds))


def _decode_rate(client: HttpClient, prompts: list[list[int]], tokens: int) -> float:
    timings = client.call(lambda: _complete(client, prompts, tokens))
    slowest = max(each["predicted_ms"] for each in timings)
    made = sum(each["predicted_n"] for each in timings)
    return float(made / slowest * 1e3)


async def _complete(
    client: HttpClient, prompts: list[list[int]], tokens: int
) -> list[dict[str, Any]]:
    import asyncio

    async def one(slot: int, prompt: list[int]) -> dict[str, Any]:
        asked = {
            "prompt": prompt,
            "n_predict": tokens,
            "id_slot": slot,
            "cache_prompt": True,
            "ignore_eos": True,
            "temperature": 0.0,
            "samplers": ["temperature"],
        }
        body = await client.ask("/completion", asked)
        timings: dict[str, Any] = decode(body, dict[str, Any], "completion")["timings"]
        return timings

    return await asyncio.gather(*(one(slot, prompt) for slot, prompt in enumerate(prompts)))


def _prompt(number: int, length: int) -> list[int]:
    """Tokens that no other sequence's prompt begins with; which ones does not matter."""
    return [1000 + (number * 7919 + place * 104_729) % 40_000 for place in range(length)]


def _pause(client: HttpClient, seconds: float) -> None:
    import asyncio

    client.call(lambda: asyncio.sleep(seconds))
