"""A model's server on loopback that does everything wrong that a server can do.

It speaks the language of OpenAI's chat completions and embeddings, and how it treats a request is
its mode: one for all, changed while it runs, or one for a single request in the header ``X-Fault``.
It needs the extra ``http``.

=========================== ================================================================
mode                        what happens
=========================== ================================================================
``ok``                      the request is answered
``refuse``                  nobody listens on the port
``reset``                   the connection is reset before an answer
``reset_midway``            ... in the midst of one
``rate_limit``              429, without ``Retry-After``
``rate_limit_retry_after``  429 with it
``server_error``            500
``slow_headers``            the answer begins after `slow_s`
``slow_bytes``              one byte in `byte_s`
``malformed_sse``           server-sent events that are none (a whole answer: as below)
``malformed_json``          JSON that is none
``schema_violation``        JSON of another shape; where the request holds the answer to a
                            schema, an answer that does not keep to it
``huge``                    100 MB
``other_answer``            the answer to another request
``mixed_answers``           an answer that goes on with another one's
``silence``                 nothing, for ever
=========================== ================================================================
"""

from __future__ import annotations

import sys

from astraweave.bench._fault_modes import MODES, Mode
from astraweave.bench._fault_process import FaultServerProcess, main
from astraweave.bench._fault_thread import FaultServer

__all__ = ["MODES", "FaultServer", "FaultServerProcess", "Mode", "main"]

if __name__ == "__main__":
    sys.exit(main())
