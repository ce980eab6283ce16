"""The contract under test as Python classes, generated from our own proto/ when this module is first imported.

    from harness.contract import pb

Health and reflection come from our protos too, so that a slip in them is found by a client that believes them.
"""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

import grpc
import grpc_tools
from grpc_tools import protoc

PROTO_ROOT = Path(__file__).resolve().parents[3] / "proto"


def _generate() -> None:
    """Compiles every proto into a directory that lives as long as this process, and makes it importable."""
    out = Path(tempfile.mkdtemp(prefix="sidecar-stubs-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    includes = [f"-I{PROTO_ROOT}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}"]
    protos = sorted(str(path) for path in PROTO_ROOT.rglob("*.proto"))
    if protoc.main(["protoc", *includes, f"--python_out={out}", f"--grpc_python_out={out}", *protos]) != 0:
        raise RuntimeError(f"protoc failed on {PROTO_ROOT}")
    sys.path.append(str(out))
    # grpc.health.v1 lives below the name that the gRPC library has taken.
    grpc.__path__.append(str(out / "grpc"))


_generate()

from grpc.health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from grpc.reflection.v1 import reflection_pb2, reflection_pb2_grpc  # noqa: E402
from grpc.reflection.v1alpha import reflection_pb2 as reflection_alpha_pb2  # noqa: E402
from grpc.reflection.v1alpha import reflection_pb2_grpc as reflection_alpha_pb2_grpc  # noqa: E402
from stigg.sidecar.v1 import sidecar_pb2 as pb  # noqa: E402
from stigg.sidecar.v1 import sidecar_pb2_grpc as pb_grpc  # noqa: E402

SERVICE = "stigg.sidecar.v1.SidecarService"
METHODS = tuple(pb.DESCRIPTOR.services_by_name["SidecarService"].methods_by_name)
"""The 12 RPCs, in the order of the proto."""

__all__ = [
    "METHODS", "PROTO_ROOT", "SERVICE", "health_pb2", "health_pb2_grpc", "pb", "pb_grpc", "reflection_alpha_pb2",
    "reflection_alpha_pb2_grpc", "reflection_pb2", "reflection_pb2_grpc",
]  # fmt: skip
