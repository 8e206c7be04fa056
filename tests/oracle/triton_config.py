"""Reads a config.pbtxt with the messages of Triton's own client, and prints it as JSON."""

import importlib.util
import pathlib
import sys

from google.protobuf import json_format, text_format

# The package itself needs gRPC; the file of its messages needs protobuf alone.
folder = pathlib.Path(importlib.util.find_spec("tritonclient").submodule_search_locations[0])
spec = importlib.util.spec_from_file_location("model_config_pb2", folder / "grpc/model_config_pb2.py")
messages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(messages)
config = text_format.Parse(pathlib.Path(sys.argv[1]).read_text(), messages.ModelConfig())
print(json_format.MessageToJson(config, preserving_proto_field_name=True))
