"""A server on this machine that takes the requests of Google Cloud Storage's XML API, on top of moto's server of S3: `google_storage.py PORT`.

The two protocols have the same requests to read, write, list and remove objects; Google's has its own header for a condition, and
other credentials. No emulator among the packages takes its uploads and conditions: gcp-storage-emulator has neither lists nor conditions
of the XML API, fake-gcs-server has no uploads of it.
"""

import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

kept = DomainDispatcherApplication(create_backend_app)


def application(environ, start_response):
    if environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4"):
        # The test itself, which looks at the objects.
        return kept(environ, start_response)
    if strange := [name for name in environ if name.startswith(("HTTP_X_AMZ", "HTTP_X_MS"))]:
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [f"these are not headers of Google's: {strange}".encode()]
    # Whoever asks without a name may not read. Signatures are not checked.
    environ["HTTP_AUTHORIZATION"] = "AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    generation = environ.pop("HTTP_X_GOOG_IF_GENERATION_MATCH", None)
    if generation is not None:
        # 0 stands for an object that is not there. Answered with 412 if it is.
        assert generation == "0", generation
        environ["HTTP_IF_NONE_MATCH"] = "*"
    return kept(environ, start_response)


run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True, request_handler=MotoRequestHandler)
